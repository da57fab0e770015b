//! Bounded waiting for something that other processes bring about.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Far more than anything here takes on a slow machine.
pub(crate) const LIMIT: Duration = Duration::from_mins(2);

/// Asks until there is an answer, and panics with the last refusal when `limit` has passed.
pub(crate) fn until<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(refusal) => {
                assert!(Instant::now() < deadline, "no {what} within {limit:?}: {refusal}");
            }
        }
        sleep(Duration::from_millis(50));
    }
}
