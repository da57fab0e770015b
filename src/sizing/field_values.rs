//! What a single JSON value may be: the parsers that [`super::fields::Fields`] is given. Each answers with a problem
//! that names the value it found.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::fields::describe;
use super::quantity::Quantity;

/// A string.
///
/// # Errors
/// What it is instead, and how to write it as a string.
pub fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| match value {
        Value::Number(_) | Value::Bool(_) => {
            format!("expected a string, found {value}; write \"{value}\" in quotes")
        }
        _ => format!("expected a string, found {}", describe(value)),
    })
}

/// A string with a syntax of its own, such as a label value: `check` says what is wrong with it.
pub fn text_with(
    check: impl Fn(&str) -> Result<(), &'static str>,
) -> impl Fn(&Value) -> Result<&str, String> {
    move |value| {
        let text = text(value)?;
        check(text).map(|()| text).map_err(|problem| format!("{} {problem}", describe(value)))
    }
}

/// `true` or `false`.
///
/// # Errors
/// What it is instead.
pub fn flag(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("expected true or false, found {}", describe(value)))
}

/// An integer of any size that fits 64 bits, or within `range`.
pub fn integer(range: RangeInclusive<i64>) -> impl Fn(&Value) -> Result<i64, String> {
    move |value| {
        if value.as_str().is_some_and(|text| text.parse::<i64>().is_ok()) {
            return Err(format!("expected an integer, found {}; write it without quotes", describe(value)));
        }
        let (low, high) = (range.start(), range.end());
        match value {
            Value::Number(number) if !number.is_f64() => number
                .as_i64()
                .filter(|integer| range.contains(integer))
                .ok_or_else(|| format!("{number} is not between {low} and {high}")),
            _ => Err(format!("expected an integer, found {}", describe(value))),
        }
    }
}

/// A share: an integer within `range`, none of it negative.
pub fn percent(range: RangeInclusive<u32>) -> impl Fn(&Value) -> Result<u64, String> {
    let parse = integer(i64::from(*range.start())..=i64::from(*range.end()));
    move |value| parse(value).map(i64::unsigned_abs)
}

/// A Kubernetes quantity: a string such as `512Mi`, or a bare number.
///
/// # Errors
/// Why it is not one.
pub fn quantity(value: &Value) -> Result<Quantity, String> {
    let written = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(format!("expected a quantity such as 512Mi, found {}", describe(value))),
    };
    written.parse().map_err(|error| format!("{} {error}", describe(value)))
}

/// A quantity of bytes, rounded up to whole ones.
///
/// # Errors
/// Why it is not one, or that it is negative.
pub fn bytes(value: &Value) -> Result<u64, String> {
    quantity(value)?.bytes().ok_or_else(|| format!("{} is negative", describe(value)))
}

/// One of the words of a vocabulary.
pub fn word<W: Copy + Display>(words: &'static [W]) -> impl Fn(&Value) -> Result<W, String> {
    move |value| {
        let found = value.as_str();
        words.iter().copied().find(|word| found == Some(word.to_string().as_str())).ok_or_else(|| {
            let allowed: Vec<String> = words.iter().map(W::to_string).collect();
            format!("{} is not one of {}", describe(value), allowed.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_of_the_wrong_type_is_named_with_a_way_out() {
        for (problem, expected) in [
            (text(&json!(500)).unwrap_err(), "expected a string, found 500; write \"500\" in quotes"),
            (text(&json!(true)).unwrap_err(), "expected a string, found true; write \"true\" in quotes"),
            (text(&json!(null)).unwrap_err(), "expected a string, found null"),
            (flag(&json!("yes")).unwrap_err(), "expected true or false, found \"yes\""),
            (
                percent(1..=100)(&json!("70")).unwrap_err(),
                "expected an integer, found \"70\"; write it without quotes",
            ),
            (percent(1..=100)(&json!("70%")).unwrap_err(), "expected an integer, found \"70%\""),
            (percent(1..=100)(&json!(70.0)).unwrap_err(), "expected an integer, found 70.0"),
            (percent(1..=100)(&json!(-1)).unwrap_err(), "-1 is not between 1 and 100"),
            (
                percent(1..=100)(&json!(u64::MAX)).unwrap_err(),
                "18446744073709551615 is not between 1 and 100",
            ),
            (bytes(&json!("-1Gi")).unwrap_err(), "\"-1Gi\" is negative"),
            (bytes(&json!([])).unwrap_err(), "expected a quantity such as 512Mi, found a list"),
        ] {
            assert_eq!(problem, expected);
        }
    }

    #[test]
    fn integers_and_quantities_beyond_float64_stay_exact() {
        let exact = 9_007_199_254_740_993;
        assert_eq!(integer(0..=i64::MAX)(&json!(exact)), Ok(exact));
        assert_eq!(bytes(&json!(exact)), Ok(exact.unsigned_abs()));
        assert_eq!(bytes(&json!("65849008Ki")), Ok(67_429_384_192));
        assert_eq!(bytes(&json!(1.5)), Ok(2));
    }

    #[test]
    fn a_word_outside_the_vocabulary_lists_the_vocabulary() {
        use crate::sizing::class::Strategy;
        assert_eq!(word(Strategy::ALL)(&json!("Density")), Ok(Strategy::Density));
        assert_eq!(
            word(Strategy::ALL)(&json!("density")).unwrap_err(),
            "\"density\" is not one of SafetyNet, Density, HeapGrowth"
        );
        assert_eq!(
            word(Strategy::ALL)(&json!(1)).unwrap_err(),
            "1 is not one of SafetyNet, Density, HeapGrowth"
        );
    }
}
