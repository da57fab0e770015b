//! Random nodes and LimitRanges.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use spark_swap::sizing::labels::Labels;
use spark_swap::sizing::nodes::Node;
use spark_swap::sizing::placement::Taint;

use super::{GIB, bytes, words};
use crate::ask::{Ask, Limits, Range};

pub fn nodes() -> impl Strategy<Value = Vec<Node>> {
    prop_oneof![1 => Just(Vec::new()), 4 => vec(node(), 1..=2), 4 => vec(node(), 3..=6)].prop_map(
        |mut nodes| {
            for (place, node) in nodes.iter_mut().enumerate() {
                node.name = format!("node-{place}");
            }
            nodes
        },
    )
}

/// The swap of a node in thousandths of its memory, and what its label says.
pub fn node() -> impl Strategy<Value = Node> {
    let memory = prop_oneof![
        4 => prop::sample::select(vec![16 * GIB, 64 * GIB, 128 * GIB, 512 * GIB]),
        3 => bytes(2 * GIB, 1024 * GIB),
    ];
    let permille = prop_oneof![1 => Just(0_u64), 15 => prop::sample::select(vec![250_u64, 500, 1000]), 10 => 1_u64..=2000];
    let label = prop_oneof![
        20 => Just(None),
        2 => (1_u64..=2000).prop_map(|permille| Some(permille.to_string())),
        1 => words(&["", "0", "yes", "-500", "500.5", "007", "99999999999999999999", "5e2"]).prop_map(Some),
    ];
    let labels = (
        option::weighted(0.6, words(&["a", "b", "c"])),
        option::weighted(0.3, words(&["1", "5", "12", "x"])),
        prop::bool::weighted(0.1),
    );
    let taint = prop::sample::select(vec![
        ("spark-swap.io/swap", "", "NoSchedule"),
        ("dedicated", "spark", "NoExecute"),
        ("dedicated", "other", "PreferNoSchedule"),
        ("node.kubernetes.io/unschedulable", "", "NoSchedule"),
        ("cilium.io/agent-not-ready", "", "NoExecute"),
    ]);
    let taints = prop_oneof![9 => Just(Vec::new()), 1 => vec(taint, 1..=2)];
    (memory, permille, label, prop::bool::weighted(0.95), labels, taints).prop_map(
        |(memory, permille, label, is_labelled, (pool, generation, gpu), taints)| {
            let swap = (u128::from(memory) * u128::from(permille) / 1000) as u64 / 1024 * 1024;
            let actual = (u128::from(swap) * 1000 / u128::from(memory)).to_string();
            let mut labels = BTreeMap::new();
            if is_labelled {
                for key in ["limited", "crio", "nri"] {
                    let value = label.clone().unwrap_or_else(|| actual.clone());
                    labels.insert(format!("spark-swap.io/{key}-swap-permille"), value);
                }
            }
            let others =
                [("pool", pool), ("generation", generation), ("gpu", gpu.then(|| "true".to_owned()))];
            labels.extend(others.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
            let taint = |(key, value, effect): (&str, &str, &str)| Taint {
                key: key.to_owned(),
                value: value.to_owned(),
                effect: effect.to_owned(),
            };
            Node {
                name: String::new(),
                memory,
                swap,
                labels: Labels::from_iter(labels),
                taints: taints.into_iter().map(taint).collect(),
            }
        },
    )
}

/// LimitRanges; memory in percent of the executor's limit until [`scale`] makes it bytes.
pub fn ranges() -> impl Strategy<Value = Vec<Range>> {
    let memory = (
        option::weighted(0.5, 1_u64..=100),
        option::weighted(0.3, 0_u64..=200),
        option::weighted(
            0.5,
            prop::sample::select(vec![1000_u64, 1001, 1010, 1020, 1021, 1050, 1100, 1500, 2000]),
        ),
    );
    let cpu = (
        option::weighted(0.3, 100_u64..=2000),
        option::weighted(0.3, 1000_u64..=9000),
        option::weighted(0.3, prop::sample::select(vec![1000_u64, 1500, 4000])),
    );
    let limits = |(min, max, ratio)| Limits { min, max, ratio };
    let range = (prop::bool::weighted(0.3), memory, cpu).prop_map(move |(pod, memory, cpu)| Range {
        pod,
        memory: limits(memory),
        cpu: limits(cpu),
    });
    prop_oneof![3 => Just(Vec::new()), 1 => vec(range, 1..=3)]
}

/// Makes bytes of the percents. Every range admits the maxima of the executor as received, or nothing would.
pub fn scale(ranges: &mut [Range], ask: &Ask) {
    let beside: u64 = ask.beside.iter().filter_map(|other| other.memory.0.max(other.memory.1)).sum();
    let bytes = |percent: u64| ask.limit / 100 * percent;
    for range in ranges {
        let all = ask.limit + if range.pod { beside } else { 0 };
        let memory = &mut range.memory;
        memory.min = memory.min.map(bytes);
        memory.max = memory.max.map(|percent| all + bytes(percent));
    }
}
