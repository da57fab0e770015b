//! Searches over requests in whole Mi.

use super::arithmetic::mib;
use super::spark_memory::MIB;

/// Steps that a first fit tries one by one. Tight limits are rounded up, so what a LimitRange allows repeats every
/// 50 Mi before it becomes monotone; beyond that, halving is right, and no pod can make a review slow.
const SINGLE_STEPS: u64 = 4096;

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

/// The first whole Mi from `low` to `high` that fits.
pub(super) fn first_fit(low: u64, high: u64, fits: impl Fn(u64) -> bool) -> Option<u64> {
    let singles = SINGLE_STEPS.min(mib(high.checked_sub(low)?).saturating_add(1));
    let first = mib(low);
    (first..first.saturating_add(singles))
        .map(|step| step.saturating_mul(MIB))
        .find(|request| fits(*request))
        .or_else(|| smallest(first.saturating_add(singles).saturating_mul(MIB), high, &fits))
}
