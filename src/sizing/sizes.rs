//! Sizes for humans, exact where they are whole and rounded to hundredths where they are not.

use super::spark_memory::MIB;

const GIB: u64 = 1 << 30;

/// `6008Mi`, `4505.50Mi` or `0`.
pub fn mi(bytes: u64) -> String {
    scaled(bytes, MIB, "Mi")
}

/// `64Gi`, `5.87Gi` or `0`.
pub fn gi(bytes: u64) -> String {
    scaled(bytes, GIB, "Gi")
}

/// In the largest unit that it is a whole number of: `64Gi`, `6008Mi` or `4724359168`, which is bytes.
pub fn exact(bytes: u64) -> String {
    let is_whole = |unit: u64| bytes.checked_rem(unit) == Some(0);
    if is_whole(GIB) {
        gi(bytes)
    } else if is_whole(MIB) {
        mi(bytes)
    } else {
        bytes.to_string()
    }
}

/// `58.7Gi`, `64Gi`, below a Gi `7Mi`: for tables, rounded to tenths and whole Mi.
pub fn short(bytes: u64) -> String {
    let (unit, suffix, scale) = if bytes < GIB { (MIB, "Mi", 1) } else { (GIB, "Gi", 10) };
    let scaled = u128::from(bytes).saturating_mul(scale).saturating_add(u128::from(unit >> 1));
    let scaled = scaled.checked_div(u128::from(unit)).unwrap_or(0);
    let whole = scaled.checked_div(scale).unwrap_or(0);
    match (bytes, scaled.checked_rem(scale)) {
        (0, _) => "0".to_owned(),
        (_, None | Some(0)) => format!("{whole}{suffix}"),
        (_, Some(tenths)) => format!("{whole}.{tenths}{suffix}"),
    }
}

/// `6008Mi (5.87Gi)`; below a Gi only `819Mi`.
pub fn both(bytes: u64) -> String {
    if bytes < GIB { mi(bytes) } else { format!("{} ({})", mi(bytes), gi(bytes)) }
}

/// The way from one size to another: `-3003Mi`, `+819Mi`, empty where there is none.
pub fn difference(from: u64, to: u64) -> String {
    match from.cmp(&to) {
        std::cmp::Ordering::Less => format!("+{}", mi(to.abs_diff(from))),
        std::cmp::Ordering::Equal => String::new(),
        std::cmp::Ordering::Greater => format!("-{}", mi(from.abs_diff(to))),
    }
}

/// One size by another, rounded down to five decimals: `1.02013`.
pub fn ratio(size: u64, by: u64) -> String {
    let scaled = u128::from(size).saturating_mul(100_000).checked_div(u128::from(by)).unwrap_or(0);
    let whole = scaled.checked_div(100_000).unwrap_or(0);
    let rest = scaled.checked_rem(100_000).unwrap_or(0);
    format!("{whole}.{rest:05}")
}

fn scaled(bytes: u64, unit: u64, suffix: &str) -> String {
    let unit = u128::from(unit);
    let hundredths = u128::from(bytes).saturating_mul(100).saturating_add(unit >> 1).checked_div(unit);
    let hundredths = hundredths.unwrap_or(0);
    let whole = hundredths.checked_div(100).unwrap_or(0);
    let rest = hundredths.checked_rem(100).unwrap_or(0);
    let is_exact = u128::from(bytes).checked_rem(unit) == Some(0);
    match (bytes, is_exact) {
        (0, _) => "0".to_owned(),
        (_, true) => format!("{whole}{suffix}"),
        (_, false) => format!("{whole}.{rest:02}{suffix}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact_or_rounded_to_hundredths() {
        assert_eq!(mi(6_299_844_608), "6008Mi");
        assert_eq!(mi(4_724_359_168), "4505.50Mi");
        assert_eq!(mi(1), "0.00Mi");
        assert_eq!(mi(0), "0");
        assert_eq!(gi(6_299_844_608), "5.87Gi");
        assert_eq!(exact(64 << 30), "64Gi");
        assert_eq!(exact(6_299_844_608), "6008Mi");
        assert_eq!(exact(4_724_359_168 + 1), "4724359169");
        assert_eq!(["0", "0Mi", "7Mi", "5.9Gi", "64Gi"], [0, 1, 7 << 20, 6_299_844_608, 64 << 30].map(short));
        assert_eq!(both(819 << 20), "819Mi");
        assert_eq!(both(6_299_844_608), "6008Mi (5.87Gi)");
        assert_eq!(both(u64::MAX), "17592186044416.00Mi (17179869184.00Gi)");
        assert_eq!(difference(9011 << 20, 6008 << 20), "-3003Mi");
        assert_eq!(difference(1, 1), "");
        assert_eq!(ratio(9011, 9010), "1.00011");
        assert_eq!(ratio(1, 0), "0.00000");
    }
}
