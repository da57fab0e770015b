//! How fast steps may follow each other: a rotation at once, a quarrel with somebody who undoes them slowly, and what
//! fails ever more slowly. Replicas keep out of each other's step.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// Steps that may follow each other at once: more than the longest rotation has.
const AT_ONCE: u32 = 12;
/// After those, and as often as another one may follow at once.
const INTERVAL: Duration = Duration::from_secs(5);
/// And where nobody is trusted until it is taken.
const URGENT_INTERVAL: Duration = Duration::from_secs(1);
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_mins(1);
/// Replicas that have the same to do at the same time do it up to so much apart.
const LONGEST_JITTER: Duration = Duration::from_secs(10);

/// When the next step may be taken.
#[derive(Debug)]
pub(super) struct Pace {
    left: u32,
    filled: Instant,
    failures: u32,
    next: Instant,
    next_urgent: Instant,
}

/// How much a step matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Things work as they are.
    Usual,
    /// The API server trusts nobody until it is taken.
    Urgent,
}

impl Pace {
    /// A step may be taken now.
    pub(super) fn is_due(&self, urgency: Urgency) -> bool {
        self.next(urgency) <= Instant::now()
    }

    /// When one may be taken.
    pub(super) fn next(&self, urgency: Urgency) -> Instant {
        match urgency {
            Urgency::Usual => self.next,
            Urgency::Urgent => self.next.min(self.next_urgent),
        }
    }

    /// One was.
    pub(super) fn acted(&mut self) {
        self.failures = 0;
        let now = Instant::now();
        let more = now.duration_since(self.filled).as_secs().checked_div(INTERVAL.as_secs()).unwrap_or(0);
        if more > 0 {
            self.left = self.left.saturating_add(u32::try_from(more).unwrap_or(AT_ONCE)).min(AT_ONCE);
            self.filled = now;
        }
        self.next = match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                now
            }
            None => later(now, INTERVAL),
        };
        self.next_urgent = later(now, URGENT_INTERVAL);
    }

    /// Another replica's was faster.
    pub(super) fn conflicted(&mut self) {
        self.acted();
        self.next = self.next.max(later(Instant::now(), part_of(FIRST_RETRY)));
    }

    /// One failed.
    pub(super) fn failed(&mut self) {
        let retry = FIRST_RETRY.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        self.next = later(Instant::now(), jitter(retry.min(LONGEST_RETRY)));
        self.next_urgent = self.next;
    }
}

impl Default for Pace {
    fn default() -> Self {
        let now = Instant::now();
        Self { left: AT_ONCE, filled: now, failures: 0, next: now, next_urgent: now }
    }
}

/// This long, or up to a tenth longer.
pub(super) fn jitter(delay: Duration) -> Duration {
    let tenth = delay.checked_div(10).unwrap_or_default();
    delay.saturating_add(part_of(tenth.min(LONGEST_JITTER)))
}

/// A random part of it. The standard library's own seed is enough to be apart.
fn part_of(most: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    let milliseconds = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random.checked_rem(milliseconds.saturating_add(1)).unwrap_or(0))
}

/// The moment this long after that one.
pub(super) fn later(now: Instant, delay: Duration) -> Instant {
    now.checked_add(delay).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rotation_is_taken_at_once_and_a_quarrel_slowly() {
        let mut pace = Pace::default();
        for _ in 0..AT_ONCE {
            assert!(pace.is_due(Urgency::Usual));
            pace.acted();
        }
        assert!(pace.is_due(Urgency::Usual));
        pace.acted();
        assert!(!pace.is_due(Urgency::Usual));
        assert_eq!(pace.next(Urgency::Usual) - Instant::now(), INTERVAL);
        assert_eq!(pace.next(Urgency::Urgent) - Instant::now(), URGENT_INTERVAL);
        tokio::time::advance(INTERVAL).await;
        assert!(pace.is_due(Urgency::Usual));
        pace.acted();
        assert!(pace.is_due(Urgency::Usual), "one more in each interval");
        pace.acted();
        assert!(!pace.is_due(Urgency::Usual));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_tried_again_ever_more_slowly_until_one_succeeds() {
        let mut pace = Pace::default();
        let mut last = Duration::ZERO;
        for _ in 0..7 {
            pace.failed();
            let wait = pace.next(Urgency::Usual) - Instant::now();
            assert!(wait > last && wait < LONGEST_RETRY.saturating_mul(2), "{wait:?}");
            last = wait;
        }
        for _ in 0..100 {
            pace.failed();
        }
        assert!(pace.next(Urgency::Urgent) - Instant::now() >= LONGEST_RETRY);
        pace.acted();
        assert!(pace.is_due(Urgency::Usual));
    }

    #[test]
    fn jitter_is_at_most_a_tenth_and_at_most_ten_seconds() {
        for delay in [Duration::ZERO, Duration::from_secs(1), Duration::from_hours(24)] {
            let most = delay + (delay / 10).min(LONGEST_JITTER);
            assert!((0..100).all(|_| (delay..=most).contains(&jitter(delay))));
        }
    }
}
