//! Durations as people write them: `10s`, `2m`, `500ms`, `1m30s`, `60d`.

use std::time::Duration;

/// Reads a duration.
pub fn parse(text: &str) -> Result<Duration, String> {
    let expected = || "expected a number with a unit, such as 10s, 2m, 500ms, 1m30s or 60d".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    loop {
        let (digits, after) = split(rest, |letter| letter.is_ascii_digit());
        let (unit, after) = split(after, |letter| letter.is_ascii_alphabetic());
        let number: u64 = digits.parse().map_err(|_| expected())?;
        let seconds_per_unit = match unit {
            "ms" => 0,
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(expected()),
        };
        let part = match seconds_per_unit {
            0 => Duration::from_millis(number),
            factor => Duration::from_secs(number.checked_mul(factor).ok_or("too long")?),
        };
        total = total.checked_add(part).ok_or("too long")?;
        if after.is_empty() {
            return Ok(total);
        }
        rest = after;
    }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|letter| !belongs(letter)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0", 0)]
    #[case("0s", 0)]
    #[case("500ms", 500)]
    #[case("10s", 10_000)]
    #[case("2m", 120_000)]
    #[case("1h", 3_600_000)]
    #[case("1m30s", 90_000)]
    #[case("60d", 5_184_000_000)]
    fn durations_as_people_write_them(#[case] text: &str, #[case] milliseconds: u64) {
        assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)));
    }

    #[rstest]
    #[case("")]
    #[case("10")]
    #[case("s")]
    #[case("-1s")]
    #[case("1.5s")]
    #[case("10 s")]
    #[case("10w")]
    #[case("1m30")]
    #[case("10µs")]
    #[case("99999999999999999999s")]
    #[case("18446744073709551615h")]
    #[case("18446744073709551615s1s")]
    fn everything_else_is_refused(#[case] text: &str) {
        assert!(parse(text).is_err(), "{text}");
    }
}
