//! The few integer operations that sizes are made of. Exact, and saturating where no real size can reach.

use super::kubelet::PAGE;
use super::spark_memory::MIB;

/// `ceil(value * percent / 100)`.
pub fn percent_ceil(value: u64, percent: u64) -> u64 {
    fraction_ceil(value, percent, 100)
}

/// `floor(value * percent / 100)`.
pub fn percent_floor(value: u64, percent: u64) -> u64 {
    narrow(u128::from(value).saturating_mul(u128::from(percent)).checked_div(100))
}

/// `floor(value * permille / 1000)`.
pub fn permille_floor(value: u64, permille: u64) -> u64 {
    narrow(u128::from(value).saturating_mul(u128::from(permille)).checked_div(1000))
}

/// `ceil(value * numerator / denominator)`.
pub fn fraction_ceil(value: u64, numerator: u64, denominator: u64) -> u64 {
    let scaled = u128::from(value).saturating_mul(u128::from(numerator));
    let denominator = u128::from(denominator);
    narrow(scaled.checked_next_multiple_of(denominator).and_then(|scaled| scaled.checked_div(denominator)))
}

/// Rounds up to whole Mi.
pub fn ceil_to_mib(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(MIB).unwrap_or(u64::MAX)
}

/// Rounds down to whole Mi.
pub fn floor_to_mib(bytes: u64) -> u64 {
    mib(bytes).saturating_mul(MIB)
}

/// Whole Mi, rounded down.
pub fn mib(bytes: u64) -> u64 {
    bytes.checked_div(MIB).unwrap_or(0)
}

/// Rounds up to whole pages.
pub fn ceil_to_page(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX)
}

fn narrow(value: Option<u128>) -> u64 {
    value.and_then(|value| u64::try_from(value).ok()).unwrap_or(u64::MAX)
}
