//! Telling the owners of executors, off the request path: a review leaves a note in a bounded queue, and one task writes
//! Events from it. Whatever the API server does, a review waits for nothing, and a note that finds no room is dropped.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, Receiver, Sender};
use tracing::{debug, warn};

use super::metrics::{EventOutcome, Metrics};
use crate::admission::event_note::EventNote;
use crate::cluster::connection::cause;
use crate::cluster::events::{Recorded, Recorder};

/// Notes that wait to be written.
const QUEUE: usize = 64;
/// In the long run at most one note in this time.
const PACE: Duration = Duration::from_millis(100);
/// Notes that may come at once.
const BURST: u32 = 50;
/// What was told is remembered for at least this many notes, and for at most twice as many.
const REMEMBERED: usize = 4096;
/// For the API server to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Where reviews leave their notes.
#[derive(Debug)]
pub struct EventQueue {
    notes: Sender<EventNote>,
    told: Mutex<Told>,
    metrics: Arc<Metrics>,
}

/// A queue, and the notes that come out of it.
pub fn queue(metrics: Arc<Metrics>) -> (EventQueue, Receiver<EventNote>) {
    let (notes, written) = mpsc::channel(QUEUE);
    let told = Told { new: HashSet::new(), old: HashSet::new(), pace: Pace::new(Instant::now()) };
    (EventQueue { notes, told: Mutex::new(told), metrics }, written)
}

impl EventQueue {
    /// Queues the note of this key, unless that was done before. `note` is called only for what is queued.
    pub fn tell(&self, key: u64, note: impl FnOnce() -> Option<EventNote>) {
        let place = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.knows(key) {
                return;
            }
            // What is dropped is not remembered: the application's next executor may have more luck.
            match self.notes.try_reserve() {
                Ok(place) if told.pace.allows(Instant::now()) => {
                    told.remember(key);
                    Some(place)
                }
                _ => None,
            }
        };
        match place {
            Some(place) => {
                if let Some(note) = note() {
                    place.send(note);
                }
            }
            None => self.metrics.event(EventOutcome::Dropped),
        }
    }
}

/// Writes notes as Events, one after the other, for as long as there is a queue. Nothing is tried twice.
pub async fn write(mut notes: Receiver<EventNote>, recorder: Recorder, metrics: Arc<Metrics>) {
    // Why the last one was not written: said once, not for every application.
    let mut said = None;
    while let Some(note) = notes.recv().await {
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, recorder.record(&note)).await;
        let (outcome, problem) = match answer {
            Ok(Ok(Recorded::Created)) => (EventOutcome::Created, None),
            Ok(Ok(Recorded::AlreadyThere)) => (EventOutcome::AlreadyThere, None),
            Ok(Err(error)) => {
                let outcome = if is_refusal(&error) { EventOutcome::Refused } else { EventOutcome::Failed };
                (outcome, Some(cause(&error)))
            }
            Err(_) => (EventOutcome::Failed, Some("no answer in time".to_owned())),
        };
        metrics.event(outcome);
        let (namespace, owner, reason) = (&*note.namespace, &*note.owner.name, note.reason.as_str());
        match problem {
            None => {
                debug!(namespace, owner, reason, outcome = outcome.as_str(), "event");
                said = None;
            }
            Some(problem) if said == Some(outcome) => debug!(namespace, owner, reason, problem, "no event"),
            Some(problem) => {
                warn!(
                    namespace,
                    owner, reason, problem, "an Event cannot be written; pods are admitted as before"
                );
                said = Some(outcome);
            }
        }
    }
}

/// The API server does not want it, and would not want it a second time.
fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if (400..500).contains(&status.code) && status.code != 429)
}

/// What was told, within bounds. What is forgotten is told again, and found to be there already.
#[derive(Debug)]
struct Told {
    new: HashSet<u64>,
    old: HashSet<u64>,
    pace: Pace,
}

impl Told {
    fn knows(&self, key: u64) -> bool {
        self.new.contains(&key) || self.old.contains(&key)
    }

    fn remember(&mut self, key: u64) {
        if self.new.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(key);
    }
}

/// How often somebody may speak: a burst, and then in steps.
#[derive(Debug)]
struct Pace {
    credit: Duration,
    since: Instant,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { credit: PACE.saturating_mul(BURST), since: now }
    }

    fn allows(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since);
        self.since = now;
        self.credit = self.credit.saturating_add(passed).min(PACE.saturating_mul(BURST));
        match self.credit.checked_sub(PACE) {
            Some(rest) => {
                self.credit = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_burst_notes_come_at_their_pace() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let allowed = |pace: &mut Pace, at: Duration| (0..100).filter(|_| pace.allows(start + at)).count();
        assert_eq!(allowed(&mut pace, Duration::ZERO), 50);
        assert_eq!(allowed(&mut pace, Duration::from_millis(99)), 0);
        assert_eq!(allowed(&mut pace, Duration::from_secs(1)), 10);
        assert_eq!(allowed(&mut pace, Duration::from_hours(1)), 50, "credit does not pile up");
    }

    #[test]
    fn what_was_told_is_remembered_within_bounds() {
        let mut told = Told { new: HashSet::new(), old: HashSet::new(), pace: Pace::new(Instant::now()) };
        for key in 0..100_000 {
            told.remember(key);
            assert!(told.knows(key) && told.knows(key.saturating_sub(4095)));
            assert!(told.new.len() + told.old.len() <= 2 * REMEMBERED);
        }
        assert!(!told.knows(0));
    }
}
