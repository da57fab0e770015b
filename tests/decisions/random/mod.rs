//! Random executors, classes, nodes and namespaces, over everything that is valid.

mod classes;
mod clusters;
mod executors;

use proptest::prelude::*;

use spark_swap::sizing::nodes::Node;

use crate::ask::Case;

pub use classes::class;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Any case at all.
pub fn case() -> impl Strategy<Value = Case> {
    let parts = (executors::ask(), class(), clusters::nodes(), clusters::ranges(), prop::bool::weighted(0.1));
    parts.prop_map(|(mut ask, class, nodes, mut ranges, cpu_limit_quota)| {
        clusters::scale(&mut ranges, &ask);
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

/// A node that joins the cluster later and keeps its label's promise.
pub fn joining_node(case: &Case) -> impl Strategy<Value = Node> + use<> {
    let pool = case.class.nodes.selector.get("pool").or_else(|| case.ask.node_selector.get("pool")).cloned();
    let needed = 1_u64..=2000;
    (clusters::node(), needed, 0..=4096_u64).prop_map(move |(mut node, permille, more)| {
        "node-joining".clone_into(&mut node.name);
        node.taints.clear();
        if let Some(pool) = &pool {
            node.labels.insert("pool", pool);
        }
        let swap = u128::div_ceil(u128::from(node.memory) * u128::from(permille), 1000);
        node.swap = u64::try_from(swap).unwrap() + more;
        for key in ["limited", "crio", "nri"] {
            node.labels.insert(&format!("spark-swap.io/{key}-swap-permille"), &permille.to_string());
        }
        node
    })
}
