//! Quantities mean what they mean to the API server: the facts of `TestQuantityParse`, `TestQuantityParseEmit` and
//! `TestQuantityString` of k8s.io/apimachinery 0.36, as data of our own.

use std::cmp::Ordering;

use proptest::prelude::*;
use rstest::rstest;
use spark_swap::sizing::quantity::{Quantity, QuantityError};

/// A quantity and its amount in nano units, a line each.
const PARSED: &str = include_str!("quantity.tsv");

fn parse(text: &str) -> Quantity {
    text.parse().unwrap_or_else(|error| panic!("{text:?} {error}"))
}

fn away_from_zero(nanos: i128, step: i128) -> i64 {
    let rounded = nanos / step + (nanos % step).signum();
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

#[rstest]
#[case::plain("", 1)]
#[case::negative("-", -1)]
#[case::with_a_plus("+", 1)]
fn every_notation_of_the_api_server_is_exact(#[case] sign: &str, #[case] factor: i128) {
    for line in PARSED.lines() {
        let (text, nanos) = line.split_once('\t').unwrap();
        let nanos = factor * nanos.parse::<i128>().unwrap();
        let quantity = parse(&format!("{sign}{text}"));
        assert_eq!(quantity.cmp_amount(parse(&format!("{nanos}n"))), Ordering::Equal, "{line}");
        assert_eq!(quantity.value(), away_from_zero(nanos, 1_000_000_000), "{line}");
        assert_eq!(quantity.milli_value(), away_from_zero(nanos, 1_000_000), "{line}");
        assert_eq!(quantity.is_zero(), nanos == 0, "{line}");
        assert_eq!(quantity.is_whole(), nanos % 1_000_000_000 == 0, "{line}");
        assert_eq!(quantity.bytes().is_some(), nanos >= 0 || quantity.value() == 0, "{line}");
    }
}

#[rstest]
#[case("")]
#[case("+")]
#[case("-")]
#[case(".")]
#[case("Mi")]
#[case("1.1.M")]
#[case("1+1.0M")]
#[case("0.1mi")]
#[case("0.1am")]
#[case("aoeu")]
#[case(".5i")]
#[case("1i")]
#[case("-3.01i")]
#[case("-3.01e-")]
#[case(" 1")]
#[case("1 ")]
#[case("1 Mi")]
#[case("1mi")]
#[case("1KI")]
#[case("1K")]
#[case("1g")]
#[case("1MiB")]
#[case("0x10")]
#[case("1_000")]
#[case("--1")]
#[case("+-1")]
#[case("1e")]
#[case("1e1.5")]
#[case("1e3Mi")]
#[case("1\u{0661}")]
#[case("\u{ff11}")]
#[case("NaN")]
#[case("inf")]
fn what_the_api_server_refuses_is_refused(#[case] text: &str) {
    assert_eq!(text.parse::<Quantity>(), Err(QuantityError::Syntax), "{text:?}");
}

/// Go keeps `12E`; nothing that a pod can ask for is that large.
#[rstest]
#[case("12E")]
#[case("10E")]
#[case("9223372036854775808")]
#[case("1e19")]
#[case("1e400")]
#[case("1e99999999999999999999")]
fn decimal_amounts_beyond_64_bits_are_refused(#[case] text: &str) {
    assert!(text.parse::<Quantity>().is_err(), "{text:?}");
}

#[rstest]
#[case("1e-400", 1)]
#[case("0e400", 0)]
#[case("0.0000000000000000000000000000000000000001", 1)]
#[case("00000000000000000000000000000000000000000001", 1)]
fn extreme_notations_round_up_and_never_overflow(#[case] text: &str, #[case] value: i64) {
    assert_eq!(parse(text).value(), value);
}

#[rstest]
#[case("1Ki", "1Ki")]
#[case("1024Mi", "1Gi")]
#[case("307200Ki", "300Mi")]
#[case("1025024Mi", "1001Gi")]
#[case("1024Gi", "1Ti")]
#[case("5000m", "5")]
#[case("0.5", "500m")]
#[case("1000M", "1G")]
#[case("0.001T", "1G")]
#[case("1000u", "1m")]
#[case("1.08", "1080m")]
#[case("1080000000n", "1080m")]
#[case("1234567M", "1234567M")]
#[case("1025", "1025")]
#[case("3000", "3k")]
#[case("0Mi", "0")]
#[case("00", "0")]
#[case(".001e12", "1e9")]
#[case("0.001e0", "1e-3")]
#[case("1000e-12", "1e-9")]
#[case("80e-3", "80e-3")]
#[case("300e6", "300e6")]
#[case("3e3", "3e3")]
#[case(".001Ki", "1024m")]
#[case(".000001Ki", "1024u")]
#[case(".000000001Ki", "1024n")]
#[case(".000000000001Ki", "2n")]
#[case("-1024Mi", "-1Gi")]
#[case("-.001Ki", "-1024m")]
fn quantities_are_shown_as_the_api_server_shows_them(#[case] text: &str, #[case] shown: &str) {
    assert_eq!(parse(text).to_string(), shown);
    assert_eq!(parse(shown).to_string(), shown, "shown again");
}

proptest! {
    #[test]
    fn what_is_shown_is_read_as_the_same(
        digits in "[+-]?[0-9]{1,12}(\\.[0-9]{0,12})?",
        suffix in prop::sample::select(vec!["n", "u", "m", "", "k", "M", "Ki", "Mi", "Gi", "e0", "e-7", "E5"]),
    ) {
        let quantity = parse(&format!("{digits}{suffix}"));
        let shown = parse(&quantity.to_string());
        prop_assert_eq!(quantity.cmp_amount(shown), Ordering::Equal);
        prop_assert_eq!(quantity.to_string(), shown.to_string());
    }

    #[test]
    fn bytes_are_kept(bytes in 0..=i64::MAX.unsigned_abs()) {
        prop_assert_eq!(Quantity::from_bytes(bytes).bytes(), Some(bytes));
        prop_assert_eq!(parse(&Quantity::from_bytes(bytes).to_string()).bytes(), Some(bytes));
    }

    #[test]
    fn any_text_is_an_amount_or_an_error(text in "\\PC{0,40}") {
        prop_assert!(text.parse::<Quantity>().map_or(true, |quantity| !quantity.to_string().is_empty()));
    }
}
