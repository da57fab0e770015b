//! Golden texts of executors that are left alone: one for each reason, and for each cause of the reasons with several.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::command::explain_pod;
use crate::pods::{class, class_yaml, executor, executor_with, state};

const NODE: [&str; 2] = ["--node", "memory=64Gi,swap=32Gi,name=swap-1"];
const PLAIN: [&str; 2] = ["--node", "memory=64Gi,name=plain-1"];
const DENSITY: &str = "{strategy: Density, workingSetPercent: 50}";

/// A pod under the built-in class on the swap node.
fn under_built_in(changes: &[(&str, Value)]) -> String {
    explain_pod(&executor_with(changes), None, &NODE)
}

fn under(spec: &str, changes: &[(&str, Value)], nodes: &[&str]) -> String {
    explain_pod(&executor_with(changes), Some(&class(spec)), nodes)
}

#[test]
fn not_executor() {
    assert_snapshot!("not_executor", under_built_in(&[("/metadata/labels", json!(null))]));
    let no_args = under_built_in(&[("/spec/containers/0/args", json!(["driver"]))]);
    assert_snapshot!("not_executor_without_container", no_args);
}

#[test]
fn ambiguous_container() {
    let second = executor()["spec"]["containers"][0].clone();
    assert_snapshot!(under_built_in(&[("/spec/containers/-", second)]));
}

#[test]
fn opted_out() {
    let namespace =
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: etl, labels: {spark-swap.io/class: none}}\n";
    assert_snapshot!(explain_pod(&executor(), Some(&state(namespace)), &["-n", "etl"]));
}

#[test]
fn unknown_class() {
    assert_snapshot!(under(DENSITY, &[("/metadata/labels/spark-swap.io~1class", json!("nightly"))], &NODE));
}

#[test]
fn outside_rollout() {
    assert_snapshot!("outside_rollout", under("{rolloutPercent: 1}", &[], &NODE));
    let no_id = under("{rolloutPercent: 99}", &[("/metadata/labels/spark-app-selector", json!(null))], &NODE);
    assert_snapshot!("outside_rollout_without_id", no_id);
}

#[test]
fn no_memory() {
    assert_snapshot!(under_built_in(&[("/spec/containers/0/resources", json!({}))]));
}

#[test]
fn no_limit() {
    assert_snapshot!(under_built_in(&[("/spec/containers/0/resources/limits/memory", json!("9GB"))]));
}

#[test]
fn heap_exceeds_limit() {
    let heap = json!({"name": "SPARK_EXECUTOR_MEMORY", "value": "9g"});
    assert_snapshot!(under_built_in(&[("/spec/containers/0/env/-", heap)]));
}

#[test]
fn already_below_limit() {
    assert_snapshot!(under_built_in(&[("/spec/containers/0/resources/requests/memory", json!("8Gi"))]));
}

const PLAN: &str = r#"{"v":1,"class":"batch","strategy":"Density","enforcement":"Enforce",
    "heap":{"from":8589934592,"to":8589934592},"request":{"from":9448718336,"to":6299844608},
    "limit":{"from":9448718336,"to":6426722304},"expectedSwap":3149922304,"qosClass":"Burstable",
    "oomScoreAdj":909,"bound":"PeakOverSwap"}"#;

#[test]
fn already_planned() {
    assert_snapshot!(under_built_in(&[
        ("/metadata/annotations", json!({"spark-swap.io/plan": PLAN})),
        ("/spec/containers/0/resources/requests/memory", json!("6008Mi")),
        ("/spec/containers/0/resources/limits/memory", json!("6129Mi")),
    ]));
}

#[test]
fn changed_since() {
    let changes = [
        ("/metadata/annotations", json!({"spark-swap.io/plan": PLAN})),
        ("/spec/containers/0/resources/requests/memory", json!("7000Mi")),
    ];
    assert_snapshot!(under_built_in(&changes));
}

#[test]
fn would_lose_guaranteed() {
    assert_snapshot!(under_built_in(&[("/spec/containers/0/resources/limits/cpu", json!("1"))]));
}

#[test]
fn not_guaranteed() {
    let spec = "{strategy: Density, workingSetPercent: 50, qosClass: Guaranteed, swap: {via: NriMemoryQos}}";
    assert_snapshot!(under(spec, &[], &NODE));
}

#[test]
fn critical_pod() {
    assert_snapshot!(under_built_in(&[("/spec/priorityClassName", json!("system-node-critical"))]));
}

#[test]
fn pod_level_resources() {
    assert_snapshot!(under_built_in(&[("/spec/resources", json!({"limits": {"memory": "10Gi"}}))]));
}

#[test]
fn runtime_class() {
    assert_snapshot!(under_built_in(&[("/spec/runtimeClassName", json!("gvisor"))]));
}

#[test]
fn nodes_unknown() {
    assert_snapshot!("nodes_unknown", under(DENSITY, &[], &[]));
    assert_snapshot!("nodes_unknown_selector", under("{nodes: {selector: {pool: a}}}", &[], &[]));
}

#[test]
fn no_swap_node() {
    assert_snapshot!("no_swap_node_without_swap", under("{}", &[], &PLAIN));
    let unlabelled = ["--node", "memory=64Gi,swap=32Gi,label=spark-swap.io/limited-swap-permille=50"];
    assert_snapshot!("no_swap_node_without_evidence", under(DENSITY, &[], &unlabelled));
    assert_snapshot!("no_swap_node_beside_another", under(DENSITY, &[], &[NODE, PLAIN].concat()));
    let small = ["--node", "memory=4Gi,swap=2Gi"];
    assert_snapshot!("no_swap_node_too_small", under(DENSITY, &[], &small));
    let elsewhere = [
        ("/spec/nodeSelector", json!({"pool": "gpu"})),
        ("/spec/tolerations", json!([{"key": "a", "operator": "Exists"}])),
    ];
    let nodes = [
        &NODE[..],
        &["--node", "memory=64Gi,swap=32Gi,name=other,label=pool=cpu,count=3"],
        &[
            "--node",
            "memory=64Gi,swap=32Gi,name=tainted,label=pool=gpu,taint=a:NoExecute,taint=b=c:NoSchedule",
        ],
    ];
    assert_snapshot!("no_swap_node_matches", under(DENSITY, &elsewhere, &nodes.concat()));
}

#[test]
fn pin_conflict() {
    let selector = [("/spec/nodeSelector", json!({"pool": "a"}))];
    assert_snapshot!("pin_conflict_selector", under("{nodes: {selector: {pool: b}}}", &selector, &NODE));
    let bound = [("/spec/nodeName", json!("plain-1"))];
    assert_snapshot!("pin_conflict_node", under(DENSITY, &bound, &[NODE, PLAIN].concat()));
    let annotated = [(
        "/metadata/annotations",
        json!({"memory.swap.max.memory-qos.nri.io/spark-kubernetes-executor": "1"}),
    )];
    assert_snapshot!("pin_conflict_annotation", under("{swap: {via: NriMemoryQos}}", &annotated, &NODE));
}

#[test]
fn limit_range() {
    let limits = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: a, namespace: default}\n\
                  spec: {limits: [{type: Container, maxLimitRequestRatio: {memory: '1'}}]}\n";
    let state = state(&format!("{}---\n{limits}", class_yaml("{}")));
    assert_snapshot!(explain_pod(&executor(), Some(&state), &NODE));
}
