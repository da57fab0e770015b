//! Random executors, classes, nodes and namespaces, over everything that is valid.

mod classes;
mod clusters;
mod executors;

use proptest::prelude::*;

use crate::ask::Case;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Any case at all.
pub fn case() -> impl Strategy<Value = Case> {
    let parts = (
        executors::ask(),
        classes::class(),
        clusters::nodes(),
        clusters::ranges(),
        prop::bool::weighted(0.1),
    );
    parts.prop_map(|(mut ask, class, nodes, mut ranges, cpu_limit_quota)| {
        clusters::scale(&mut ranges, &ask, &class);
        if ask.node_name.is_some() && nodes.is_empty() {
            ask.node_name = None;
        }
        Case { ask, class, nodes, ranges, cpu_limit_quota }
    })
}

/// Sizes spread over the orders of magnitude, small ones first.
fn bytes(from: u64, to: u64) -> impl Strategy<Value = u64> {
    let (low, high) = ((from as f64).ln(), (to as f64).ln());
    (0..=1_000_000_u32)
        .prop_map(move |place| ((low + (high - low) * f64::from(place) / 1e6).exp() as u64).clamp(from, to))
}

fn whole_mib(from: u64, to: u64) -> impl Strategy<Value = u64> {
    bytes(from, to).prop_map(|bytes| bytes / MIB * MIB)
}

fn words(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(str::to_owned)
}
