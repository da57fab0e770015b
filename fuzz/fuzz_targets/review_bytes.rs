//! Any bytes are answered as a review, or refused as none.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use spark_swap::sizing::state::State;
use spark_swap_fuzz::{check, cluster};

static CLUSTER: LazyLock<State> = LazyLock::new(cluster);

fuzz_target!(|body: &[u8]| {
    if let Err(refused) = check(body, &CLUSTER) {
        assert!(!refused.to_string().is_empty());
    }
});
