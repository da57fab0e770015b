//! Searches over requests in whole Mi.

use super::arithmetic::mib;
use super::spark_memory::MIB;

/// Steps that a first fit tries one by one. What a ratio allows is not monotone where a tight limit is rounded up, which
/// repeats every 50 Mi, and where it is held at 1792Mi; beyond that halving finds it, and no pod makes a review slow.
const SINGLE_STEPS: u64 = 2048;

/// The smallest whole Mi from `low` to `high` (bytes, whole Mi) that fits, for a condition that once true stays true.
pub(super) fn smallest(low: u64, high: u64, fits: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (mib(low), mib(high));
    if low > high || !fits(high.saturating_mul(MIB)) {
        return None;
    }
    while low < high {
        let middle = low.midpoint(high);
        if fits(middle.saturating_mul(MIB)) {
            high = middle;
        } else {
            low = middle.saturating_add(1);
        }
    }
    Some(high.saturating_mul(MIB))
}

/// The first whole Mi from `low` to `high` that fits, for a condition that is monotone but for the rounding of limits.
pub(super) fn first_fit(low: u64, high: u64, fits: impl Fn(u64) -> bool) -> Option<u64> {
    let near = |from: u64| {
        let until = from.saturating_add(SINGLE_STEPS.saturating_mul(MIB)).min(high);
        (mib(from)..=mib(until)).map(|step| step.saturating_mul(MIB)).find(|request| fits(*request))
    };
    near(low).or_else(|| {
        let found = smallest(low, high, &fits)?;
        near(found.saturating_sub(SINGLE_STEPS.saturating_mul(MIB)).max(low))
    })
}
