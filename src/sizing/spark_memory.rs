//! How Spark and the JVM write memory sizes, and how Spark computes an executor's overhead.
//!
//! Mirrors `common/network-common/.../JavaUtils.java` (`byteStringAs`), `common/utils/.../ByteUnit.java` and
//! `core/src/main/scala/org/apache/spark/resource/ResourceProfile.scala` of Spark.

use num_traits::ToPrimitive;

/// One MiB in bytes.
pub const MIB: u64 = 1 << 20;
/// Spark's smallest overhead, MiB.
pub const MINIMUM_OVERHEAD_MIB: u64 = 384;
/// Spark's `spark.executor.memoryOverheadFactor` when nothing is set.
pub const OVERHEAD_FACTOR: f64 = 0.1;
/// Spark refuses executors with a smaller heap, MiB.
pub const MINIMUM_HEAP_MIB: u64 = 450;

/// The largest number of MiB that Spark can compute with: it uses 32-bit integers.
const LARGEST_MIB: u64 = 2_147_483_647;

/// The unit of a number without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultUnit {
    /// Bytes.
    Byte,
    /// Mebibytes.
    MiB,
}

/// A size as the JVM reads it after `-Xmx`: digits and at most one letter of k, m, g, t; without one, bytes.
///
/// Returns bytes; `None` for what the JVM would refuse, and for 0.
pub fn jvm_size(text: &str) -> Option<u64> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let shift = match unit {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        "t" | "T" => 40,
        _ => return None,
    };
    let bytes = digits.parse::<u64>().ok()?.checked_mul(1_u64.checked_shl(shift)?)?;
    (bytes > 0 && i64::try_from(bytes).is_ok()).then_some(bytes)
}

/// A size as Spark reads it (`8g`, `1500k`, `512`), in whole MiB, truncated as Spark does.
///
/// `None` for what Spark would refuse.
pub fn spark_mib(text: &str, default: DefaultUnit) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let end = lower.find(|character: char| !character.is_ascii_digit()).unwrap_or(lower.len());
    let (digits, unit) = lower.split_at_checked(end)?;
    let shift = match unit {
        "" => match default {
            DefaultUnit::Byte => 0,
            DefaultUnit::MiB => 20,
        },
        "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        "p" | "pb" => 50,
        _ => return None,
    };
    let amount = u128::from(digits.parse::<u64>().ok()?);
    let mib = amount.checked_mul(1_u128.checked_shl(shift)?)?.checked_div(u128::from(MIB))?;
    u64::try_from(mib).ok().filter(|mib| *mib <= LARGEST_MIB)
}

/// `spark.executor.memoryOverheadFactor`: a positive float64.
pub fn overhead_factor(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|factor| factor.is_finite() && *factor > 0.0)
}

/// `max((factor * heap).toInt, minimum)`, all MiB; `None` above Spark's range.
#[allow(clippy::float_arithmetic, reason = "Spark multiplies in float64 and truncates")]
pub fn overhead_mib(heap_mib: u64, factor: f64, minimum_mib: u64) -> Option<u64> {
    let share = (factor * heap_mib.to_f64()?).to_u64()?;
    Some(share.max(minimum_mib)).filter(|mib| *mib <= LARGEST_MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jvm_reads_one_letter_and_plain_bytes() {
        let cases = [
            ("8192m", Some(8192 << 20)),
            ("8g", Some(8 << 30)),
            ("1073741824", Some(1 << 30)),
            ("2T", Some(2 << 40)),
            ("8gb", None),
            ("8Gi", None),
            ("0", None),
            ("", None),
            ("m", None),
            ("-1m", None),
            ("$(X)", None),
            ("99999999999t", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(jvm_size(text), bytes, "{text}");
        }
    }

    #[test]
    fn spark_sizes_truncate_to_whole_mib() {
        use DefaultUnit::{Byte, MiB};
        let cases = [
            ("8g", MiB, Some(8192)),
            ("1500k", MiB, Some(1)),
            ("512", MiB, Some(512)),
            ("1073741824", Byte, Some(1024)),
            ("1048575", Byte, Some(0)),
            (" 1GB ", MiB, Some(1024)),
            ("1p", MiB, Some(1 << 30)),
            ("1.5g", MiB, None),
            ("8Gi", MiB, None),
            ("", MiB, None),
            ("4p", MiB, None),
        ];
        for (text, unit, mib) in cases {
            assert_eq!(spark_mib(text, unit), mib, "{text}");
        }
    }

    #[test]
    fn overhead_is_computed_as_spark_does() {
        assert_eq!(overhead_mib(8192, 0.1, 384), Some(819));
        assert_eq!(overhead_mib(1024, 0.1, 384), Some(384));
        assert_eq!(overhead_mib(2048, 0.25, 384), Some(512));
        assert_eq!(overhead_mib(8192, 0.4, 384), Some(3276));
        // 0.29 * 100 is 28.999... in float64, and Spark truncates it.
        assert_eq!(overhead_mib(100, 0.29, 0), Some(28));
        assert_eq!(overhead_factor("NaN"), None);
        assert_eq!(overhead_factor("-0.1"), None);
    }
}
