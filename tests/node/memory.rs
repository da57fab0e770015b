//! The memory of a node over time.

use std::fmt::Write as _;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::tenths::Tenths;
use crate::watch_log::{Happening, What};

/// One line of a record's `node.csv`, bytes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reading {
    seconds: Tenths,
    available: u64,
    swap_used: u64,
    kubepods: u64,
    kubepods_swap: u64,
    system: u64,
    executors: u64,
    executors_swap: u64,
}

impl Reading {
    pub(crate) fn read_all(text: &str) -> anyhow::Result<Vec<Self>> {
        rows(text)
    }
}

/// What is kept of it, and of what went wrong meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory(pub(crate) Vec<Sample>);

/// One moment, MiB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sample {
    pub(crate) seconds: Tenths,
    pub(crate) available: u64,
    pub(crate) swap_used: u64,
    pub(crate) kubepods: u64,
    pub(crate) kubepods_swap: u64,
    pub(crate) system: u64,
    pub(crate) executors: u64,
    pub(crate) executors_swap: u64,
    /// Since the moment before: `OOMKilled spark-exec-3; NotReady`.
    pub(crate) happened: String,
}

impl Memory {
    /// Puts each happening to the first moment that is not before it, or to the last there is.
    pub(crate) fn new(readings: &[Reading], happenings: &[Happening]) -> Self {
        let mut samples: Vec<Sample> = readings.iter().map(Sample::from).collect();
        for Happening { at, what, pod } in happenings {
            let place = samples.iter().position(|sample| sample.seconds >= *at);
            let place = place.unwrap_or_else(|| samples.len().saturating_sub(1));
            let Some(sample) = samples.get_mut(place) else { break };
            let separator = if sample.happened.is_empty() { "" } else { "; " };
            let _written = write!(sample.happened, "{separator}{}", format!("{what} {pod}").trim_end());
        }
        Self(samples)
    }

    pub(crate) fn to_csv(&self) -> anyhow::Result<String> {
        csv_text(&self.0)
    }

    pub(crate) fn from_csv(text: &str) -> anyhow::Result<Self> {
        Ok(Self(rows(text)?))
    }

    /// When this happened, once for each time.
    pub(crate) fn times_of(&self, what: What) -> impl Iterator<Item = Tenths> {
        self.0.iter().flat_map(move |sample| {
            let words = sample.happened.split("; ").filter_map(|happening| happening.split(' ').next());
            words.filter(move |word| *word == what.name()).map(|_| sample.seconds)
        })
    }
}

impl From<&Reading> for Sample {
    fn from(reading: &Reading) -> Self {
        Self {
            seconds: reading.seconds,
            available: reading.available >> 20,
            swap_used: reading.swap_used >> 20,
            kubepods: reading.kubepods >> 20,
            kubepods_swap: reading.kubepods_swap >> 20,
            system: reading.system >> 20,
            executors: reading.executors >> 20,
            executors_swap: reading.executors_swap >> 20,
            happened: String::new(),
        }
    }
}

/// Rows of a CSV with a header.
pub(crate) fn rows<T: for<'de> Deserialize<'de>>(text: &str) -> anyhow::Result<Vec<T>> {
    let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize().collect::<Result<_, _>>();
    rows.context("not the CSV that was expected")
}

/// A CSV with a header.
pub(crate) fn csv_text<T: Serialize>(rows: &[T]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row))?;
    Ok(String::from_utf8(writer.into_inner()?)?)
}
