//! Numbers with one decimal, as integers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Tenths: of seconds, of a factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tenths(pub(crate) u64);

impl FromStr for Tenths {
    type Err = String;

    /// Reads `12`, `12.3`; further decimals are cut off.
    fn from_str(text: &str) -> Result<Self, String> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let tenth = decimals.get(..1).and_then(|digit| digit.parse::<u64>().ok());
        let is_number = decimals.bytes().all(|byte| byte.is_ascii_digit());
        match (whole.parse::<u64>(), tenth) {
            (Ok(whole), Some(tenth)) if is_number => Ok(Self(whole * 10 + tenth)),
            _ => Err(format!("{text:?} is not a number")),
        }
    }
}

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{}", self.0 / 10, self.0 % 10);
        f.pad(&text)
    }
}

impl Serialize for Tenths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Tenths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
