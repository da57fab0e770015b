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
    /// The ids of executors that the driver lost.
    pub(crate) lost: BTreeSet<u64>,
    /// Those of them whose heartbeat was missed.
    pub(crate) heartbeat_lost: BTreeSet<u64>,
    /// Those of them whose JVM ended itself with exit code 52: out of memory.
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
            } else if let Some((_, loss)) = line.split_once("Lost executor ") {
                log.loss(loss);
            }
        }
        log
    }

    fn phase(&mut self, words: &str) {
        let mut words = words.split_whitespace().skip(1);
        let (Some(name), Some(duration)) = (words.next(), words.next().and_then(seconds)) else {
            return;
        };
        if !matches!(name, "DONE" | "FAILED") {
            self.phases.push(Phase { name: name.to_owned(), duration });
            return;
        }
        let more: Vec<&str> = words.collect();
        let value = |name: &str| {
            let value = more.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            value.and_then(|value| value.parse().ok())
        };
        self.end = Some(End {
            is_done: name == "DONE",
            seconds: duration,
            task_seconds: value("taskSeconds"),
            gc_seconds: value("gcSeconds"),
        });
    }

    /// Reads `<id> on <host>: <why>`.
    fn loss(&mut self, loss: &str) {
        let Some((id, why)) = loss.split_once(' ') else { return };
        let Ok(id) = id.parse() else { return };
        self.lost.insert(id);
        if why.contains("heartbeat timed out") {
            self.heartbeat_lost.insert(id);
        }
        if why.contains("exit code 52") || why.contains("exited with code 52") {
            self.jvm_oom.insert(id);
        }
    }
}

fn seconds(text: &str) -> Option<Tenths> {
    text.strip_suffix('s')?.parse().ok()
}
