//! Executors that arrive with a memory request below the limit: somebody else was there before.

use serde_json::json;

use crate::classes::{CLASS_LABEL, class_for, density, judged, swap_class_crd, swap_node};
use crate::control_plane::ControlPlane;
use crate::nodes;
use crate::pods::{self, MIB};
use crate::webhook::Webhook;

/// What the kubeflow spark-operator makes of `spec.executor.memoryLimit: 12g`: Spark's request and heap stay.
const MEMORY_LIMIT: (u64, u64) = (9011, 12 << 10);
/// Spark's own bursty overhead (SPARK-54596) with a factor of 1.05: request H + F, limit H + O, where
/// F = O - min((H + O) * 0.05, O).
const BURSTY_OVERHEAD: (u64, u64) = (8192 + 819 - 450, 9011);

struct Expected {
    class: &'static str,
    reason: &'static str,
    /// Request, limit and heap in MiB.
    sizes: (u64, u64, u64),
    bound: Option<&'static str>,
}

#[test]
fn an_executor_with_a_memory_limit_of_the_spark_operator() {
    check(
        MEMORY_LIMIT,
        &[
            Expected {
                class: "safety-net",
                reason: "AlreadyBelowLimit",
                sizes: (9011, 12288, 8192),
                bound: None,
            },
            Expected {
                class: "density",
                reason: "Planned",
                sizes: (8193, 8357, 8192),
                bound: Some("PeakOverSwap"),
            },
            Expected {
                class: "heap-growth",
                reason: "Planned",
                sizes: (9011, 12288, 9420),
                bound: Some("Received"),
            },
        ],
    );
}

#[test]
fn an_executor_with_sparks_bursty_overhead() {
    check(
        BURSTY_OVERHEAD,
        &[
            Expected {
                class: "safety-net",
                reason: "AlreadyBelowLimit",
                sizes: (8561, 9011, 8192),
                bound: None,
            },
            Expected {
                class: "density",
                reason: "Planned",
                sizes: (6008, 6129, 8192),
                bound: Some("PeakOverSwap"),
            },
            Expected {
                class: "heap-growth",
                reason: "Planned",
                sizes: (8561, 9011, 12022),
                bound: Some("Received"),
            },
        ],
    );
}

fn check((request, limit): (u64, u64), expected: &[Expected]) {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let namespace = cluster.namespace("below", json!({}));
    nodes::join(cluster, &swap_node(&namespace), &namespace);
    let class_name = |class: &str| format!("{class}-{namespace}");
    for (class, spec) in [
        ("safety-net", json!({"strategy": "SafetyNet"})),
        ("density", density()),
        (
            "heap-growth",
            json!({"strategy": "HeapGrowth", "peakMarginPercent": 0, "heap": {"growthPercent": 100}}),
        ),
    ] {
        cluster.apply(&class_for(&namespace, &class_name(class), spec));
    }
    let webhook = Webhook::start_live(cluster, &[&namespace]);
    judged(cluster, &class_name("safety-net"));
    for Expected { class, reason, sizes, bound } in expected {
        let mut pod = pods::executor(class, 8192, 819);
        pod["metadata"]["labels"][CLASS_LABEL] = json!(class_name(class));
        let resources = &mut pods::spark_container_mut(&mut pod)["resources"];
        resources["requests"]["memory"] = json!(format!("{request}Mi"));
        resources["limits"]["memory"] = json!(format!("{limit}Mi"));
        let stored = cluster.try_create(&pod, &["-n", &namespace]).unwrap();
        let heap =
            pods::env(&stored, "SPARK_EXECUTOR_MEMORY").unwrap().trim_end_matches('m').parse().unwrap();
        assert_eq!((pods::request(&stored) / MIB, pods::limit(&stored) / MIB, heap), *sizes, "{class}");
        assert_eq!(webhook.verdict_on(&namespace, class).unwrap().reason, *reason, "{class}");
        let plan = pods::plan(&stored);
        assert_eq!(plan.as_ref().and_then(|plan| plan["bound"].as_str()), *bound, "{class}");
    }
}
