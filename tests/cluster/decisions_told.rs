//! What a decision leaves behind: audit annotations, and warnings for whoever creates the pod.

use serde_json::{Value, json};

use crate::classes::{CLASS_LABEL, batch, swap_node};
use crate::control_plane::ControlPlane;
use crate::pods;
use crate::webhook::Webhook;

#[test]
fn the_audit_log_has_reason_class_and_bound_of_every_decision() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("told", json!({}));
    let _webhook = Webhook::start(cluster, &[&namespace], &[batch(), swap_node("swap-1")]);
    for (name, label, decision) in [
        ("dense", json!("batch"), json!({"reason": "Planned", "class": "batch", "bound": "PeakOverSwap"})),
        ("unknown", json!("bath"), json!({"reason": "UnknownClass", "class": "bath"})),
        ("unnamed", json!(""), json!({"reason": "UnknownClass", "class": ""})),
    ] {
        let mut pod = pods::executor(name, 8192, 819);
        pod["metadata"]["labels"][CLASS_LABEL] = label;
        cluster.try_create(&pod, &["-n", &namespace]).unwrap();
        let audit = cluster.creation_audit(&namespace, name);
        let ours = audit.as_object().unwrap().iter().filter_map(|(key, value)| {
            Some((key.strip_prefix("executors.spark-swap.io/")?.to_owned(), value.clone()))
        });
        assert_eq!(Value::Object(ours.collect()), decision, "{audit}");
    }
}

#[test]
fn warnings_reach_whoever_creates_the_pod_whole_and_short() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("warned", json!({}));
    let _webhook = Webhook::start(cluster, &[&namespace], &[]);
    let mut pod = pods::executor("warned", 8192, 819);
    let labels = &mut pod["metadata"]["labels"];
    labels["spark-swap.io/working-set-percent"] = json!("lots");
    labels["spark.executor.memoryOverhead"] = json!("x".repeat(63));
    let warnings = cluster.warnings_on_create(&pod, &["-n", &namespace]);
    let [one, other] = &*warnings else { panic!("{warnings:?}") };
    for warning in [one, other] {
        assert!(warning.starts_with("spark-swap LabelIgnored: label spark"), "{warning}");
        assert!(warning.chars().count() <= 120, "{warning}");
    }
}
