//! Whether new runs came out as those that are known: what `docs/experiment.md` calls its spread.

use crate::arm::{Arm, Arms};
use crate::measure::Measure;
use crate::results::Results;

/// How far the time of a job may lie outside of those that are known, percent of them.
const SECONDS_BEYOND: u64 = 20;

/// What has to be the same.
const SAME: [Measure; 4] = [Measure::Executors, Measure::RequestMib, Measure::LimitMib, Measure::Exact];

/// What has to happen again, or not to happen again; how often depends on chance.
const HAPPENS: [Measure; 9] = [
    Measure::OomKilled,
    Measure::JvmOom,
    Measure::CgroupOom,
    Measure::NodeOom,
    Measure::Evicted,
    Measure::HeartbeatLost,
    Measure::Lost,
    Measure::MemoryPressure,
    Measure::NotReady,
];

/// What came of the arms that both have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) arms: usize,
    /// A line each.
    pub(crate) differences: Vec<String>,
}

/// Compares the medians of `new` with the ranges of `known`.
pub(crate) fn compare(new: &Results, known: &Results, arms: &Arms) -> Comparison {
    let mut comparison = Comparison::default();
    for arm in arms.iter() {
        if let (Some(run), false) = (new.typical(&arm.name), known.of(&arm.name).is_empty()) {
            comparison.arms += 1;
            let mut differences = Vec::new();
            if known.of(&arm.name).iter().all(|of| of.outcome != run.outcome) {
                differences.push(format!("outcome: {}", run.outcome));
            }
            differences
                .extend(SAME.iter().filter_map(|measure| differs(*measure, arm, new, known, is_within)));
            differences
                .extend(HAPPENS.iter().filter_map(|measure| differs(*measure, arm, new, known, happens)));
            differences.extend(differs(Measure::Seconds, arm, new, known, is_near));
            comparison.differences.extend(differences.iter().map(|what| format!("{}: {what}", arm.name)));
        }
    }
    comparison
}

/// What a median is, and what is known, where they do not go together.
fn differs(
    measure: Measure,
    arm: &Arm,
    new: &Results,
    known: &Results,
    goes_with: fn(u64, u64, u64) -> bool,
) -> Option<String> {
    let known = known.spread(&arm.name, measure);
    let (least, largest) = known.range()?;
    let (name, _) = measure.described();
    let Some(median) = new.spread(&arm.name, measure).median() else {
        return Some(format!("{name}: is not known, was {known}"));
    };
    (!goes_with(median, least, largest))
        .then(|| format!("{name}: the median is {}, known is {known}", measure.shown(median)))
}

const fn is_within(median: u64, least: u64, largest: u64) -> bool {
    least <= median && median <= largest
}

/// Never stays never, and always stays always.
const fn happens(median: u64, least: u64, largest: u64) -> bool {
    (median == 0 || largest > 0) && (median > 0 || least == 0)
}

const fn is_near(median: u64, least: u64, largest: u64) -> bool {
    is_within(median * 100, least * (100 - SECONDS_BEYOND), largest * (100 + SECONDS_BEYOND))
}
