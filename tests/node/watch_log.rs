//! What the API server told of pods and the node while the job ran.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::tenths::Tenths;

/// The parts of `watch.log` that count.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct WatchLog {
    /// What went wrong, in the order of time.
    pub(crate) happenings: Vec<Happening>,
    /// Executors that ran at once, at most.
    pub(crate) executors_at_once: u64,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Happening {
    pub(crate) at: Tenths,
    pub(crate) what: What,
    /// The pod; empty for the node.
    pub(crate) pod: String,
}

/// What it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    OomKilled,
    Evicted,
    MemoryPressure,
    NotReady,
}

impl What {
    pub(crate) const ALL: [Self; 4] = [Self::OomKilled, Self::Evicted, Self::MemoryPressure, Self::NotReady];

    /// As Kubernetes says it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OomKilled => "OOMKilled",
            Self::Evicted => "Evicted",
            Self::MemoryPressure => "MemoryPressure",
            Self::NotReady => "NotReady",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl WatchLog {
    /// Reads lines `<seconds> pod <name> <phase> <state…>`, `<seconds> node <condition>=<status>…` and `<seconds> event
    /// <object> <reason>: <message>`.
    pub(crate) fn parse(text: &str, is_executor: impl Fn(&str) -> bool) -> Self {
        let mut log = Self::default();
        let mut running: BTreeSet<&str> = BTreeSet::new();
        let mut pods: BTreeMap<&str, State> = BTreeMap::new();
        let mut node = State::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let Some(at) = words.next().and_then(|word| word.parse::<Tenths>().ok()) else { continue };
            match words.next() {
                Some("pod") => {
                    let Some(pod) = words.next() else { continue };
                    let now = State::of_pod(words);
                    if now.is_running && is_executor(pod) {
                        running.insert(pod);
                    } else {
                        running.remove(pod);
                    }
                    log.executors_at_once = log.executors_at_once.max(count(running.len()));
                    let before = pods.entry(pod).or_default();
                    log.happened(at, pod, before, &now);
                    *before = now;
                }
                Some("node") => {
                    let now = State::of_node(words, &node);
                    log.happened(at, "", &node, &now);
                    node = now;
                }
                // The node is away, and its pods have to go: no status says so, as nobody is there to write one.
                Some("event") => {
                    let pod = words.next().unwrap_or_default();
                    if words.next() == Some("TaintManagerEviction:") && words.next() == Some("Marking") {
                        log.happenings.push(Happening { at, what: What::Evicted, pod: pod.to_owned() });
                    }
                }
                _ => {}
            }
        }
        log
    }

    /// How often it happened.
    pub(crate) fn times(&self, what: What) -> u64 {
        count(self.happenings.iter().filter(|happening| happening.what == what).count())
    }

    fn happened(&mut self, at: Tenths, pod: &str, before: &State, now: &State) {
        let killed = (now.oom > before.oom).then_some(What::OomKilled);
        for what in killed.into_iter().chain(now.wrong.difference(&before.wrong).copied()) {
            self.happenings.push(Happening { at, what, pod: pod.to_owned() });
        }
    }
}

/// What is wrong with a pod or the node.
#[derive(Default)]
struct State {
    is_running: bool,
    was_ready: bool,
    oom: Oom,
    wrong: BTreeSet<What>,
}

/// Whether a container was killed. One that runs again carries its last kill on; what is more than before is a new kill.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Oom {
    #[default]
    Never,
    Before,
    Now,
}

impl State {
    fn of_pod<'w>(words: impl Iterator<Item = &'w str>) -> Self {
        let words: Vec<&str> = words.collect();
        let mut state = Self {
            is_running: words.first() == Some(&"Running") && words.contains(&"state:running"),
            ..Self::default()
        };
        if words.iter().any(|word| word.starts_with("state:terminated:OOMKilled")) {
            state.oom = Oom::Now;
        } else if words.iter().any(|word| word.starts_with("lastState:terminated:OOMKilled")) {
            state.oom = Oom::Before;
        }
        if words.contains(&"Evicted") {
            state.wrong.insert(What::Evicted);
        }
        state
    }

    /// Before it was ready once, a node is not one that went away.
    fn of_node<'w>(words: impl Iterator<Item = &'w str>, before: &Self) -> Self {
        let mut state = Self { was_ready: before.was_ready, ..Self::default() };
        for word in words {
            match word {
                "Ready=True" => state.was_ready = true,
                "MemoryPressure=True" => {
                    state.wrong.insert(What::MemoryPressure);
                }
                _ if word.starts_with("Ready=") && state.was_ready => {
                    state.wrong.insert(What::NotReady);
                }
                _ => {}
            }
        }
        state
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
