//! Kubernetes quantities (`1536Mi`, `1.5Gi`, `1e3`, `100m`), exactly.
//!
//! Mirrors `k8s.io/apimachinery/pkg/api/resource/quantity.go` with two deliberate differences: a suffix without digits
//! is refused, and a decimal quantity above 2^63-1 is refused where Go keeps it (binary ones are capped in both).

use std::fmt;
use std::str::FromStr;

/// A quantity in whole nano units, with the notation it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    nanos: i128,
    notation: Notation,
}

/// How a quantity was written, which decides how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Notation {
    Binary,
    Decimal,
    Exponent,
}

/// Why a string is not a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not the grammar: sign, digits with an optional point, suffix.
    #[error(
        "is not a quantity: write digits and one of n u m k M G T P E Ki Mi Gi Ti Pi Ei or an exponent, like 512Mi"
    )]
    Syntax,
    /// Above 2^63-1.
    #[error("is a quantity above 9223372036854775807")]
    TooLarge,
}

const NANOS_PER_UNIT: i128 = 1_000_000_000;
const LARGEST: i128 = 9_223_372_036_854_775_807 * NANOS_PER_UNIT;
const BINARY_SUFFIXES: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL_SUFFIXES: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
/// More fraction digits than this cannot change a binary quantity by more than the final rounding up.
const BINARY_FRACTION_DIGITS: usize = 20;

impl Quantity {
    /// A number of bytes.
    pub fn from_bytes(bytes: u64) -> Self {
        Self { nanos: i128::from(bytes).saturating_mul(NANOS_PER_UNIT), notation: Notation::Binary }
    }

    /// Go's `Value()`: whole units, fractions rounded away from zero.
    pub fn value(self) -> i64 {
        self.scaled(NANOS_PER_UNIT)
    }

    /// Go's `MilliValue()`: thousandths, fractions rounded away from zero, capped at the range of an `i64`.
    pub fn milli_value(self) -> i64 {
        self.scaled(1_000_000)
    }

    /// Whole bytes rounded up; `None` when negative.
    pub fn bytes(self) -> Option<u64> {
        u64::try_from(self.value()).ok()
    }

    /// The quantity is 0.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Compares the amounts, whatever the notation.
    pub fn cmp_amount(self, other: Self) -> std::cmp::Ordering {
        self.nanos.cmp(&other.nanos)
    }

    /// The sum; `None` above the range.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let nanos = self.nanos.checked_add(other.nanos)?;
        Some(Self { nanos, notation: self.notation })
    }

    /// The amount is a whole number of units.
    pub fn is_whole(self) -> bool {
        self.nanos.checked_rem(NANOS_PER_UNIT) == Some(0)
    }

    fn scaled(self, nanos_per_step: i128) -> i64 {
        let whole = self.nanos.checked_div(nanos_per_step).unwrap_or(0);
        let rest = self.nanos.checked_rem(nanos_per_step).unwrap_or(0);
        let rounded = whole.saturating_add(rest.signum());
        i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, rest) = split_digits(unsigned);
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => split_digits(rest),
            None => ("", rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(QuantityError::Syntax);
        }
        let fraction = fraction.trim_end_matches('0');
        let (nanos, notation) = if let Some(place) = BINARY_SUFFIXES.iter().position(|known| *known == suffix)
        {
            let power = u32::try_from(place).unwrap_or(0).saturating_add(1).saturating_mul(10);
            (binary_nanos(whole, fraction, power).unwrap_or(LARGEST).min(LARGEST), Notation::Binary)
        } else if let Some((_, exponent)) = DECIMAL_SUFFIXES.iter().find(|(known, _)| *known == suffix) {
            (decimal_nanos(whole, fraction, i64::from(*exponent))?, Notation::Decimal)
        } else {
            let exponent = suffix.strip_prefix(['e', 'E']).ok_or(QuantityError::Syntax)?;
            (decimal_nanos(whole, fraction, parse_exponent(exponent)?)?, Notation::Exponent)
        };
        if nanos > LARGEST {
            return Err(QuantityError::TooLarge);
        }
        let nanos = if negative { nanos.saturating_neg() } else { nanos };
        Ok(Self { nanos, notation })
    }
}

/// Canonical: the same string that the API server writes.
impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary_limit = NANOS_PER_UNIT.saturating_mul(1024);
        match self.notation {
            Notation::Binary if self.nanos.saturating_abs() >= binary_limit && self.is_whole() => {
                let (amount, suffix) = without_factors_of_1024(self.value());
                write!(formatter, "{amount}{suffix}")
            }
            Notation::Binary | Notation::Decimal => {
                let (amount, exponent) = without_factors_of_1000(self.nanos);
                let suffix = DECIMAL_SUFFIXES.iter().find(|(_, known)| *known == exponent);
                write!(formatter, "{amount}{}", suffix.map_or("", |(suffix, _)| suffix))
            }
            Notation::Exponent => match without_factors_of_1000(self.nanos) {
                (amount, 0) => write!(formatter, "{amount}"),
                (amount, exponent) => write!(formatter, "{amount}e{exponent}"),
            },
        }
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn parse_exponent(text: &str) -> Result<i64, QuantityError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(QuantityError::Syntax);
    }
    let exponent = text.parse::<i64>().map_err(|_| QuantityError::Syntax)?;
    i32::try_from(exponent).map(i64::from).map_err(|_| QuantityError::Syntax)
}

/// `whole.fraction * 2^power` in nanos, rounded up; `None` when it overflows and is far above the cap.
fn binary_nanos(whole: &str, fraction: &str, power: u32) -> Option<i128> {
    let factor = 1_i128.checked_shl(power)?;
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let (kept, dropped) = fraction.split_at_checked(BINARY_FRACTION_DIGITS).unwrap_or((fraction, ""));
    let denominator = 10_i128.checked_pow(u32::try_from(kept.len()).ok()?)?;
    let numerator: i128 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    let scaled = numerator.checked_mul(factor)?;
    let units = whole.checked_mul(factor)?.checked_add(scaled.checked_div(denominator)?)?;
    let rest = scaled.checked_rem(denominator)?.checked_mul(NANOS_PER_UNIT)?;
    let inexact = !dropped.is_empty() || rest.checked_rem(denominator)? != 0;
    units
        .checked_mul(NANOS_PER_UNIT)?
        .checked_add(rest.checked_div(denominator)?)?
        .checked_add(i128::from(inexact))
}

/// `whole.fraction * 10^exponent` in nanos, rounded up.
fn decimal_nanos(whole: &str, fraction: &str, exponent: i64) -> Result<i128, QuantityError> {
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    // The value in nanos is digits * 10^shift.
    let shift = exponent.saturating_sub(length(fraction)).saturating_add(9);
    // How many digits the whole nanos have.
    let width = length(digits).saturating_add(shift);
    if width > 28 {
        return Err(QuantityError::TooLarge);
    }
    let (kept, dropped) = if shift < 0 {
        digits.split_at_checked(usize::try_from(width).unwrap_or(0)).unwrap_or((digits, ""))
    } else {
        (digits, "")
    };
    let amount: i128 = if kept.is_empty() { 0 } else { kept.parse().map_err(|_| QuantityError::TooLarge)? };
    let factor = 10_i128.checked_pow(u32::try_from(shift).unwrap_or(0)).ok_or(QuantityError::TooLarge)?;
    let inexact = dropped.bytes().any(|digit| digit != b'0');
    amount
        .checked_mul(factor)
        .and_then(|nanos| nanos.checked_add(i128::from(inexact)))
        .ok_or(QuantityError::TooLarge)
}

fn without_factors_of_1024(value: i64) -> (i64, &'static str) {
    let mut amount = value;
    let mut suffix = "";
    for next in BINARY_SUFFIXES {
        if amount == 0 || amount.checked_rem(1024) != Some(0) {
            break;
        }
        amount = amount.checked_div(1024).unwrap_or(amount);
        suffix = next;
    }
    (amount, suffix)
}

fn without_factors_of_1000(nanos: i128) -> (i128, i32) {
    let mut amount = nanos;
    let mut exponent: i32 = if nanos == 0 { 0 } else { -9 };
    while amount != 0 && amount.checked_rem(1000) == Some(0) && exponent < 18 {
        amount = amount.checked_div(1000).unwrap_or(amount);
        exponent = exponent.saturating_add(3);
    }
    (amount, exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Quantity {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn quantities_are_exact_where_floats_are_not() {
        for (text, value) in [
            ("0.5Gi", 536_870_912),
            ("1.5Gi", 1_610_612_736),
            ("3.3Gi", 3_543_348_020),
            ("1Ei", 1 << 60),
            ("8Ei", i64::MAX),
            ("9223372036854775807", i64::MAX),
            ("128974848000m", 128_974_848),
            ("1.000000001", 2),
            (".5", 1),
            ("5.", 5),
            ("-0.5Gi", -536_870_912),
            ("1e3", 1000),
            ("1E", 1_000_000_000_000_000_000),
            ("1E-2", 1),
            ("0.0000000001", 1),
            ("12345678901234567890n", 12_345_678_902),
        ] {
            assert_eq!(parse(text).value(), value, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_quantity_is_refused() {
        for text in [
            "",
            "Gi",
            " 1",
            "1 ",
            "1.1.M",
            "1+1.0M",
            "0.1mi",
            "0.1am",
            "aoeu",
            ".5i",
            "1i",
            "-3.01e-",
            "1E2Gi",
            "0x10",
            "1_0",
            "--1",
            "9223372036854775808",
        ] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_canonical_form_is_the_largest_exact_suffix() {
        for (text, canonical) in [
            ("1408Mi", "1408Mi"),
            ("8192Mi", "8Gi"),
            ("0.5Gi", "512Mi"),
            ("1536Mi", "1536Mi"),
            ("1000000", "1M"),
            ("1500M", "1500M"),
            ("0.1", "100m"),
            ("1.5e3", "1500"),
            ("1e6", "1e6"),
            ("0", "0"),
            ("1023", "1023"),
            ("1Ki", "1Ki"),
            ("0.5Ki", "512"),
        ] {
            assert_eq!(parse(text).to_string(), canonical, "{text}");
        }
        assert_eq!(Quantity::from_bytes(6_299_844_608).to_string(), "6008Mi");
    }
}
