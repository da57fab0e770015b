//! Golden texts of plans.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::command::{explain, explain_pod};
use crate::pods::{class, class_yaml, executor, executor_with, state};

const NODE: [&str; 2] = ["--node", "memory=64Gi,swap=32Gi,name=swap-1"];

#[test]
fn density_of_the_design() {
    let class = class("{strategy: Density, workingSetPercent: 50, peakMarginPercent: 0}");
    assert_snapshot!(explain_pod(&executor(), Some(&class), &NODE));
}

#[test]
fn the_conf_of_the_readme() {
    let args = [
        "--conf",
        "spark.executor.memory=8g",
        "--conf",
        "spark.kubernetes.executor.label.spark-swap.io/class=batch",
        "--state",
        "examples/classes",
        "--node",
        "memory=64Gi,swap=32Gi",
    ];
    assert_snapshot!(explain(&args, "").unwrap());
}

#[test]
fn safety_net_without_nodes() {
    assert_snapshot!(explain_pod(&executor(), None, &[]));
}

#[test]
fn safety_net_with_nodes() {
    let more = [
        "--node",
        "memory=8Gi,name=small",
        "--node",
        "memory=64Gi,name=gpu,taint=gpu=yes:NoSchedule,count=2",
    ];
    assert_snapshot!(explain_pod(&executor(), None, &[&NODE[..], &more].concat()));
}

#[test]
fn heap_growth() {
    let class = class("{strategy: HeapGrowth, heap: {growthPercent: 50, youngGenerationPercent: 12}}");
    let smaller = ["--node", "memory=64Gi,swap=16Gi,name=swap-2,count=3"];
    assert_snapshot!(explain_pod(&executor(), Some(&class), &[&NODE[..], &smaller].concat()));
}

#[test]
fn growth_by_labels() {
    let labels = [
        ("/metadata/labels/spark.executor.memory", json!("9g")),
        ("/metadata/labels/spark.executor.memoryOverhead", json!("1g")),
        ("/metadata/labels/spark-swap.io~1working-set-percent", json!("80")),
    ];
    assert_snapshot!(explain_pod(&executor_with(&labels), None, &NODE));
}

#[test]
fn a_gain_too_small_is_a_safety_net() {
    let class = class("{strategy: Density, workingSetPercent: 90}");
    assert_snapshot!(explain_pod(&executor(), Some(&class), &NODE));
}

#[test]
fn limit_ranges_raise_the_request() {
    let limits = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: a, namespace: etl}\n\
                  spec: {limits: [{type: Container, min: {memory: 8Gi}, maxLimitRequestRatio: {memory: '1.5'}},\
                  {type: Pod, max: {cpu: '4'}}]}\n";
    let state = state(&format!("{}---\n{limits}", class_yaml("{strategy: Density, workingSetPercent: 50}")));
    assert_snapshot!(explain_pod(&executor(), Some(&state), &[&NODE[..], &["-n", "etl"]].concat()));
}

#[test]
fn guaranteed_by_an_explicit_backend() {
    let class = class(
        "{strategy: Density, workingSetPercent: 50, qosClass: Guaranteed, swap: {via: CrioAnnotation, maxPerExecutor: 4Gi}}",
    );
    let cores = [("/spec/containers/0/resources/requests/cpu", json!("4"))];
    assert_snapshot!(explain_pod(&executor_with(&cores), Some(&class), &NODE));
}

#[test]
fn audit_changes_nothing_else() {
    let class =
        class("{enforcement: Audit, strategy: Density, workingSetPercent: 50, nodes: {onlyWithSwap: true}}");
    let plain =
        ["--node", "memory=128Gi,swap=64Gi,name=unlabelled,label=spark-swap.io/limited-swap-permille=0"];
    let pod = executor_with(&[("/metadata/labels/spark-swap.io~1working-set-percent", json!("x"))]);
    assert_snapshot!(explain_pod(&pod, Some(&class), &[&NODE[..], &plain].concat()));
}

#[test]
fn unswappable_memory_and_a_heap_that_is_touched_at_start() {
    let class = class("{strategy: Density, workingSetPercent: 50, peakPercent: 85}");
    let changes = [
        ("/spec/containers/0/env/-", json!({"name": "SPARK_JAVA_OPT_0", "value": "-XX:+AlwaysPreTouch"})),
        ("/spec/volumes", json!([{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "512Mi"}}])),
        ("/spec/containers/0/volumeMounts", json!([{"name": "tmp", "mountPath": "/tmp"}])),
    ];
    assert_snapshot!(explain_pod(&executor_with(&changes), Some(&class), &NODE));
}

#[test]
fn unknown_heap() {
    let changes = [("/spec/containers/0/env/0", json!({"name": "_JAVA_OPTIONS", "value": "-Xmx7g"}))];
    assert_snapshot!(explain_pod(&executor_with(&changes), None, &NODE));
}

#[test]
fn a_plan_that_nobody_will_ask_for_is_told() {
    let opted_out = state(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: etl, labels: {spark-swap.io/class: none}}\n",
    );
    let names_a_class = executor_with(&[("/metadata/labels/spark-swap.io~1class", json!("safety-net"))]);
    let told = |pod: &Value, namespace: &str| {
        explain_pod(pod, Some(&opted_out), &["-n", namespace])
            .contains("the webhook is not asked about pods of")
    };
    assert!(told(&names_a_class, "etl"));
    assert!(!told(&executor(), "etl"), "nothing would be done anyway");
    assert!(told(&executor(), "kube-system") && !told(&executor(), "default"));
}
