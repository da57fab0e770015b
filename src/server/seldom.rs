//! Warnings about what happens a thousand times a second when it happens: one a minute says it, too.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much time lies between two turns, at least.
const PAUSE: Duration = Duration::from_mins(1);

/// Whose turn it is to be logged.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    last: Mutex<Option<Turn>>,
}

#[derive(Debug)]
struct Turn {
    at: Instant,
    skipped: u64,
}

impl Seldom {
    /// How many had no turn since the last one; `None` where it is too early for another.
    pub(super) fn take_turn(&self) -> Option<u64> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Option<u64> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = &mut *last
            && now.saturating_duration_since(turn.at) < PAUSE
        {
            turn.skipped = turn.skipped.saturating_add(1);
            return None;
        }
        Some(last.replace(Turn { at: now, skipped: 0 }).map_or(0, |turn| turn.skipped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_minute_has_a_turn_and_knows_of_the_others() {
        let seldom = Seldom::default();
        let start = Instant::now();
        let turns = [0, 1, 59, 60, 61, 300, 301].map(|second| seldom.at(start + Duration::from_secs(second)));
        assert_eq!(turns, [Some(0), None, None, Some(2), None, Some(1), None]);
    }
}
