//! Many runs, one after the other or a few at once.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::arm::Arm;
use crate::boot::{Planned, boot};
use crate::driver_log::DriverLog;
use crate::parts::Parts;

/// Each arm once in every round, each round in another random order: what is there when somebody stops early has every
/// arm equally often, and what changes with time meets all of them alike.
pub(crate) fn shuffled<'a>(arms: &[&'a Arm], repeats: u32, seed: u64) -> Vec<Planned<'a>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut runs = Vec::new();
    for repeat in 1..=repeats {
        let mut round: Vec<_> = arms.iter().map(|arm| Planned { arm, repeat }).collect();
        random.shuffle(&mut round);
        runs.extend(round);
    }
    runs
}

/// Each arm so many times, as they were named.
pub(crate) fn in_order<'a>(arms: &[&'a Arm], repeats: u32) -> Vec<Planned<'a>> {
    (1..=repeats).flat_map(|repeat| arms.iter().map(move |arm| Planned { arm, repeat })).collect()
}

/// Runs them all, `at_once` nodes at a time, and tells of each. Returns the names of those that came to no end.
pub(crate) fn run_all(runs: &[Planned<'_>], parts: &Parts, dir: &Path, at_once: usize) -> Vec<String> {
    let progress = Progress { all: runs.len(), begun: Instant::now() };
    let waiting = Mutex::new(VecDeque::from(runs.to_vec()));
    let ended = Mutex::new(Ended::default());
    std::thread::scope(|scope| {
        for cpu in 0..at_once {
            let (waiting, ended, progress) = (&waiting, &ended, &progress);
            scope.spawn(move || {
                loop {
                    // Not in the condition of a loop: the lock would be held through the whole run.
                    let Some(planned) = locked(waiting).pop_front() else { break };
                    let begun = Instant::now();
                    let result = boot(planned, parts, dir, (at_once > 1).then_some(cpu));
                    let mut ended = locked(ended);
                    ended.count += 1;
                    let outcome = match result {
                        Ok(()) => outcome(&planned.record(dir)),
                        Err(problem) => {
                            ended.failed.push(planned.name());
                            format!("NO RECORD: {problem:#}")
                        }
                    };
                    eprintln!("{}", progress.line(ended.count, &planned.name(), begun.elapsed(), &outcome));
                }
            });
        }
    });
    ended.into_inner().unwrap_or_else(PoisonError::into_inner).failed
}

#[derive(Default)]
struct Ended {
    count: usize,
    failed: Vec<String>,
}

struct Progress {
    all: usize,
    begun: Instant,
}

impl Progress {
    fn line(&self, ended: usize, name: &str, took: Duration, outcome: &str) -> String {
        let elapsed = self.begun.elapsed();
        let runs = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let left = elapsed * runs(self.all - ended) / runs(ended);
        let width = self.all.to_string().len();
        format!(
            "[{ended:width$}/{}] {name}: {outcome} ({} with its node; {} so far, about {} left)",
            self.all,
            clock(took),
            clock(elapsed),
            clock(left),
        )
    }
}

/// The job's outcome, from its driver's log, where there is one.
fn outcome(record: &Path) -> String {
    let Ok(log) = std::fs::read(record.join("driver.log")) else {
        return "recorded".to_owned();
    };
    match DriverLog::parse(&String::from_utf8_lossy(&log)).end {
        Some(end) if end.is_done => format!("done after {} s", end.seconds),
        Some(end) => format!("failed after {} s", end.seconds),
        None => "not done in time".to_owned(),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As `1h02m` or `2m03s`.
fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds / 3600 {
        0 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        hours => format!("{hours}h{:02}m", seconds % 3600 / 60),
    }
}
