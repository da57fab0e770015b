//! Which Spark application an executor belongs to, and a hash that is the same everywhere and for ever.

use super::pod::{Container, Pod};

/// The application's id as Spark labels it, else from the container's environment; `None` where neither says it.
pub(super) fn application_id<'p>(pod: &'p Pod<'_>, container: Option<&'p Container<'_>>) -> Option<&'p str> {
    let of_label = pod.label("spark-app-selector").filter(|id| !id.is_empty());
    of_label.or_else(|| container?.last_env("SPARK_APPLICATION_ID")?.1.literal().filter(|id| !id.is_empty()))
}

/// FNV-1a 64.
pub(super) fn fnv1a_64(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a_64(*b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a_64(*b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a_64(*b"foobar"), 0x8594_4171_f739_67e8);
    }
}
