//! What the driver said: the phases of the job, and the executors it lost.

use std::collections::BTreeSet;

use crate::tenths::Tenths;

/// The parts of `driver.log` that count.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct DriverLog {
    /// What the job did one after the other, without its end.
    pub(crate) phases: Vec<Phase>,
    /// Its last phase; none: it was not done in time.
    pub(crate) end: Option<End>,
    /// What a stream took, and the batch that it took longest for.
    pub(crate) rows: Option<u64>,
    pub(crate) slowest_batch: Option<Tenths>,
    /// The ids of executors that the driver lost.
    pub(crate) lost: BTreeSet<u64>,
    /// Those of them whose heartbeat it missed.
    pub(crate) heartbeat_lost: BTreeSet<u64>,
    /// Executors whose JVM ran out of memory, as far as the driver knows.
    pub(crate) jvm_oom: BTreeSet<u64>,
}

/// One phase, of `JOB <seconds> <phase> <duration>s <more…>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phase {
    pub(crate) name: String,
    pub(crate) duration: Tenths,
}

/// How the job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) is_done: bool,
    pub(crate) seconds: Tenths,
    pub(crate) task_seconds: Option<Tenths>,
    pub(crate) gc_seconds: Option<Tenths>,
}

impl DriverLog {
    pub(crate) fn parse(text: &str) -> Self {
        let mut log = Self::default();
        for line in text.lines() {
            if let Some(words) = line.strip_prefix("JOB ") {
                log.phase(words);
                continue;
            }
            if let Some((id, why)) = id_after(line, "Lost executor ") {
                log.lost.insert(id);
                if why.contains("heartbeat timed out") {
                    log.heartbeat_lost.insert(id);
                }
            }
            // One that stands still with all others is not always said to be lost.
            if let Some((id, why)) = id_after(line, "Removing executor ")
                && why.starts_with(" with no recent heartbeats")
            {
                log.lost.insert(id);
                log.heartbeat_lost.insert(id);
            }
            // A line of its own, after that of the loss.
            if let Some((id, why)) = id_after(line, "The executor with id ")
                && why.contains("exit code 52")
            {
                log.jvm_oom.insert(id);
            }
            // `Lost task 3.0 in stage 1.0 (TID 5) (10.88.0.12 executor 2): java.lang.OutOfMemoryError: Java heap space`
            if let Some((id, why)) = id_after(line, " executor ")
                && why.starts_with("): java.lang.OutOfMemoryError")
            {
                log.jvm_oom.insert(id);
            }
        }
        log
    }

    /// The phase in which the executors start, before the job.
    pub(crate) fn start(&self) -> Option<Tenths> {
        self.phases.first().filter(|phase| phase.name == "session").map(|phase| phase.duration)
    }

    fn phase(&mut self, words: &str) {
        let mut words = words.split_whitespace().skip(1);
        let (Some(name), Some(duration)) = (words.next(), words.next().and_then(seconds)) else {
            return;
        };
        let more: Vec<&str> = words.collect();
        let word = |name: &str| more.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        if name == "streaming" {
            self.rows = word("rows").and_then(|rows| rows.parse().ok());
            self.slowest_batch = word("slowest").and_then(seconds);
        }
        if !matches!(name, "DONE" | "FAILED") {
            self.phases.push(Phase { name: name.to_owned(), duration });
            return;
        }
        let value = |name: &str| word(name).and_then(|value| value.parse().ok());
        self.end = Some(End {
            is_done: name == "DONE",
            seconds: duration,
            task_seconds: value("taskSeconds"),
            gc_seconds: value("gcSeconds"),
        });
    }
}

/// The number after `words`, and what follows it.
fn id_after<'l>(line: &'l str, words: &str) -> Option<(u64, &'l str)> {
    let (_, rest) = line.split_once(words)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (id, rest) = rest.split_at(digits);
    Some((id.parse().ok()?, rest))
}

fn seconds(text: &str) -> Option<Tenths> {
    text.strip_suffix('s')?.parse().ok()
}
