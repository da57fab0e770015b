//! Nodes of a fleet: with and without swap, full of cpu, from autoscaled groups.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::command::{EXAMPLE, list, plan_object, plan_under};
use crate::pods::{class, class_yaml, executor, state};

const DENSITY: &str = "{strategy: Density, workingSetPercent: 50, peakMarginPercent: 0}";
const CONFINED: &str =
    "{strategy: Density, workingSetPercent: 50, peakMarginPercent: 0, nodes: {onlyWithSwap: true}}";
/// Two kinds with swap, of which one has no evidence, and one without.
const MIXED: [&str; 6] = [
    "--node",
    "memory=64Gi,swap=32Gi,name=swap,count=4",
    "--node",
    "memory=128Gi,name=plain,count=2",
    "--node",
    "memory=64Gi,swap=64Gi,name=unproven,label=spark-swap.io/limited-swap-permille=0",
];

#[test]
fn one_node_without_evidence_rules_density_out() {
    assert_snapshot!(plan_under(&class(DENSITY), &[&["--executor-memory", "8g"], &MIXED[..]].concat()));
}

#[test]
fn nodes_without_swap_take_none_of_the_confined_executors() {
    assert_snapshot!(plan_under(&class(CONFINED), &[&["--executor-memory", "8g"], &MIXED[..]].concat()));
}

#[test]
fn safety_net_says_where_swap_is_unproven() {
    assert_snapshot!(plan_under(
        &class("{}"),
        &[&["--executor-memory", "8g", "-o", "wide"], &MIXED[..]].concat()
    ));
}

#[test]
fn cpu_that_fills_a_node_first_is_told() {
    let cores = ["--executor-cores", "4", "--node-cpu", "28", "--node-count", "8"];
    assert_snapshot!(plan_under(&class(DENSITY), &[&EXAMPLE[..], &cores].concat()));
}

#[test]
fn autoscaled_groups_need_the_label_in_their_template() {
    let groups = [
        "--node",
        "memory=64Gi,swap=32Gi,count=3,name=a,label=eks.amazonaws.com/nodegroup=workers,label=alpha.eksctl.io/nodegroup-name=workers",
        "--node",
        "memory=64Gi,swap=32Gi,name=b,label=karpenter.sh/nodepool=spark,label=spark-swap.io/limited-swap-permille=0",
        "--node",
        "memory=64Gi,name=c,label=agentpool=gpu,taint=gpu:NoSchedule",
    ];
    let text = plan_under(&class(CONFINED), &[&["--executor-memory", "8g"], &groups[..]].concat());
    let notes = text.split_once("\nNotes\n").unwrap().1;
    assert_snapshot!(notes);
}

#[test]
fn what_a_node_has_for_pods_is_read_from_its_status() {
    let nodes = "apiVersion: v1\nkind: Node\nmetadata:\n  name: a\n  labels: {spark-swap.io/limited-swap-permille: '500'}\n\
                 status:\n  capacity: {cpu: '16', memory: 64Gi, pods: '110'}\n\
                 \x20 allocatable: {cpu: 15890m, memory: 60Gi, pods: '9'}\n  nodeInfo: {swap: {capacity: 34359738368}}\n";
    let state = state(&format!("{}---\n{nodes}", class_yaml(DENSITY)));
    let report = plan_object(&list(&[executor()]), &state, &[]);
    let node = &report["executors"][0]["nodes"][0];
    assert_eq!(node["allocatableMemory"], json!(60_u64 << 30));
    assert_eq!(node["allocatableCpuMillis"], json!(15_890));
    assert_eq!(node["before"], json!({"executors": 6, "fullBy": "Memory"}));
    assert_eq!(node["after"], json!({"executors": 9, "fullBy": "Pods"}));
    let told: Vec<&str> = report["notes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(
        told,
        [
            "Executors are counted into what a node has for pods (status.allocatable), as if nothing else ran there.",
            "#1: the largest number of pods fills 1 node before memory does: a smaller memory request makes no more room there",
        ]
    );
}

#[test]
fn a_class_that_tolerates_more_opens_nodes() {
    let class = class(
        "{strategy: Density, workingSetPercent: 50, peakMarginPercent: 0, nodes: {selector: {pool: swap}, tolerations: [{key: swap, operator: Exists}]}}",
    );
    let nodes =
        ["--node", "memory=64Gi,swap=32Gi,label=pool=swap,taint=swap:NoSchedule", "--node", "memory=64Gi"];
    let report = plan_object(&list(&[executor()]), &class, &nodes);
    let fits: Vec<(&Value, &Value)> = report["executors"][0]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (&node["before"]["executors"], &node["after"]["executors"]))
        .collect();
    assert_eq!(fits, [(&json!(7), &Value::Null), (&Value::Null, &json!(10))]);
    let density = &report["executors"][0]["density"];
    assert_eq!(density["before"], json!(0), "the plot is of the node that was closed to them");
    assert_eq!(density["after"][0], json!({"swapPermille": 0, "executors": 0}));
}

#[test]
fn a_node_that_was_too_small_before_is_not_taken_away_by_the_class() {
    for spec in ["{}", DENSITY] {
        let nodes = ["--node", "memory=64Gi,swap=32Gi", "--node", "memory=4Gi,swap=2Gi"];
        let report = plan_object(&list(&[executor()]), &class(spec), &nodes);
        let small = &report["executors"][0]["nodes"][0];
        assert_eq!(small["before"], json!({"executors": 0, "fullBy": "Memory"}), "{spec}");
        assert_eq!(small["after"], small["before"], "{spec}");
        assert_eq!((&small["grantedSwap"], &small["writeRate"]), (&json!(0), &json!(0)), "{spec}");
        let told = report["notes"].to_string();
        assert!(!told.contains("take none any more"), "{told}");
    }
}

#[test]
fn a_large_fleet_fits_a_terminal_of_100_columns() {
    let nodes = "memory=1056321548Ki,swap=528160774Ki,allocatable=1041001932Ki,cpu=191450m,count=9999";
    let args = ["--executor-memory", "61g", "--executor-cores", "8", "--node", nodes];
    let text = plan_under(&class(DENSITY), &args);
    assert_eq!(text.lines().filter(|line| line.chars().count() > 100).collect::<Vec<_>>(), [""; 0], "{text}");
}
