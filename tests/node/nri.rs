//! What the NRI plugin memory-qos makes of annotations, as `guest/nri.py` saw it: the cases of NRI.md.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

use crate::arm::{Arm, Parameters};

/// So many cases each node has at least.
const LEAST: usize = 40;

/// `nri.json`.
#[derive(Deserialize)]
struct Seen {
    #[serde(rename = "swapBehavior")]
    swap_behavior: String,
    #[serde(rename = "kubeletGrants")]
    kubelet_grants: u64,
    cases: Vec<Case>,
}

/// Pods that were created alike.
#[derive(Deserialize)]
struct Case {
    group: String,
    #[serde(rename = "case")]
    name: String,
    expected: BTreeMap<String, String>,
    seen: Value,
    #[serde(rename = "as stated")]
    is_as_stated: bool,
}

/// A node whose kubelet grants swap, and one whose kubelet grants none.
pub(crate) fn arms(defaults: &Parameters) -> [Arm; 2] {
    [("limited", "LimitedSwap"), ("none", "NoSwap")].map(|(name, behavior)| {
        let mut parameters = defaults.clone();
        let own = [("WORKLOAD", "nri"), ("SWAP_BEHAVIOR", behavior)];
        parameters.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let shows = format!("What an NRI plugin makes of annotations under {behavior}");
        Arm { name: format!("nri-{name}"), shows, expects: Vec::new(), parameters }
    })
}

/// Tells what a record of the cases came to, and whether all are as stated.
///
/// # Errors
/// The record is not complete.
pub(crate) fn told(record: &Path) -> anyhow::Result<bool> {
    let path = record.join("nri.json");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let seen: Seen =
        serde_json::from_str(&text).with_context(|| format!("{} is not as expected", path.display()))?;
    let otherwise: Vec<&Case> = seen.cases.iter().filter(|case| !case.is_as_stated).collect();
    for Case { group, name, expected, seen, .. } in &otherwise {
        println!("{group}: {name}: {seen}, not {expected:?}");
    }
    println!(
        "NRI under {}, where the kubelet grants {}: {} cases, {} not as stated",
        seen.swap_behavior,
        seen.kubelet_grants,
        seen.cases.len(),
        otherwise.len()
    );
    Ok(otherwise.is_empty() && seen.cases.len() >= LEAST)
}
