//! The runs of all arms, and whether they came out as expected.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::bail;

use crate::arm::{Arm, Arms};
use crate::expectation::{Bound, Expectation};
use crate::measure::Measure;
use crate::memory::{csv_text, rows};
use crate::run::Run;

/// Every run, in the order of the arms and of their repeats.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Results {
    runs: Vec<Run>,
}

/// Whether one run came out as expected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    /// With what was found.
    NotMet(String),
}

/// A measure over the repeats of an arm.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    measure: Measure,
    /// Those that are known, from the least to the largest.
    values: Vec<u64>,
    runs: usize,
}

impl Results {
    /// # Errors
    /// Two runs have one name, or one is of an arm that does not exist.
    pub(crate) fn new(mut runs: Vec<Run>, arms: &Arms) -> anyhow::Result<Self> {
        let places: BTreeMap<&str, usize> =
            arms.iter().enumerate().map(|(place, arm)| (arm.name.as_str(), place)).collect();
        if let Some(run) = runs.iter().find(|run| !places.contains_key(run.arm.as_str())) {
            bail!("{}: there is no arm {} in arms.yaml", run.name(), run.arm);
        }
        runs.sort_by_key(|run| (places.get(run.arm.as_str()).copied(), run.repeat));
        let is_same = |(one, other): &(&Run, &Run)| one.name() == other.name();
        if let Some((run, _)) = runs.iter().zip(runs.iter().skip(1)).find(is_same) {
            bail!("{}: there are two records of it", run.name());
        }
        Ok(Self { runs })
    }

    pub(crate) fn to_csv(&self) -> anyhow::Result<String> {
        csv_text(&self.runs)
    }

    pub(crate) fn from_csv(text: &str, arms: &Arms) -> anyhow::Result<Self> {
        Self::new(rows(text)?, arms)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter()
    }

    pub(crate) fn of(&self, arm: &str) -> Vec<&Run> {
        self.runs.iter().filter(|run| run.arm == arm).collect()
    }

    pub(crate) fn has(&self, arm: &str, repeat: u32) -> bool {
        self.runs.iter().any(|run| run.arm == arm && run.repeat == repeat)
    }

    /// The run of an arm that took the median time; of an even number, the faster one in the middle.
    pub(crate) fn typical(&self, arm: &str) -> Option<&Run> {
        let mut runs = self.of(arm);
        runs.sort_by_key(|run| (run.seconds.map_or(u64::MAX, |seconds| seconds.0), run.repeat));
        runs.get(runs.len().saturating_sub(1) / 2).copied()
    }

    pub(crate) fn spread(&self, arm: &str, measure: Measure) -> Spread {
        let runs = self.of(arm);
        let mut values: Vec<u64> = runs.iter().filter_map(|run| run.measured(measure)).collect();
        values.sort_unstable();
        Spread { measure, values, runs: runs.len() }
    }

    pub(crate) fn verdict(&self, expectation: &Expectation, run: &Run) -> Verdict {
        let met = |is_met: bool, found: String| if is_met { Verdict::Met } else { Verdict::NotMet(found) };
        match expectation {
            Expectation::Outcome(outcome) => met(run.outcome == *outcome, run.outcome.clone()),
            Expectation::Plan(plan) => {
                let fits = |found: &str| found == plan || found.split('/').next() == Some(plan);
                met(!run.plan.is_empty() && run.plan.split(' ').all(fits), run.plan.clone())
            }
            Expectation::Number { measure, comparison, bound } => {
                let bound = match bound {
                    Bound::Number(number) => Some(*number),
                    Bound::Arm { percent, arm } => {
                        self.spread(arm, *measure).median().map(|median| median * percent / 100)
                    }
                };
                match (run.measured(*measure), bound) {
                    (Some(found), Some(bound)) => met(comparison.holds(found, bound), measure.shown(found)),
                    (None, _) => Verdict::NotMet("not known".to_owned()),
                    (Some(found), None) => {
                        Verdict::NotMet(format!("{}, the other arm did not run", measure.shown(found)))
                    }
                }
            }
        }
    }

    /// What did not come true of an arm, each with what was found; none: it did not run.
    pub(crate) fn not_met(&self, arm: &Arm) -> Option<Vec<String>> {
        let runs = self.of(&arm.name);
        if runs.is_empty() {
            return None;
        }
        let not_met = arm.expects.iter().filter_map(|expectation| {
            let verdicts = runs.iter().map(|run| self.verdict(expectation, run));
            let found = verdicts.filter_map(|verdict| match verdict {
                Verdict::Met => None,
                Verdict::NotMet(found) => Some(found),
            });
            let found: Vec<String> = found.collect();
            let times = format!("{} of {} runs", found.len(), runs.len());
            (!found.is_empty()).then(|| format!("`{expectation}` (in {times}: {})", found.join(", ")))
        });
        Some(not_met.collect())
    }
}

impl Spread {
    /// The least and the largest.
    pub(crate) fn range(&self) -> Option<(u64, u64)> {
        Some((*self.values.first()?, *self.values.last()?))
    }

    /// Of an even number, the mean of the two in the middle.
    pub(crate) fn median(&self) -> Option<u64> {
        let upper = self.values.get(self.values.len() / 2)?;
        let lower = self.values.get(self.values.len().saturating_sub(1) / 2)?;
        Some((lower + upper) / 2)
    }
}

impl fmt::Display for Spread {
    /// As `median (least–largest)`, or one number where all are alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(median), Some((least, largest))) = (self.median(), self.range()) else {
            return f.write_str("?");
        };
        let shown = |value: u64| self.measure.shown(value);
        f.write_str(&shown(median))?;
        if least != largest {
            write!(f, " ({}–{})", shown(least), shown(largest))?;
        }
        if self.values.len() < self.runs {
            write!(f, " in {} of {} runs", self.values.len(), self.runs)?;
        }
        Ok(())
    }
}
