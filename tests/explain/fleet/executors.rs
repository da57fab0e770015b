//! Which executors are planned for, and how they are grouped.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::command::{EXAMPLE, list, plan_object, plan_pods, plan_under};
use crate::pods::{class, class_yaml, executor_with, state};

const NODES: [&str; 2] = ["--node", "memory=64Gi,swap=32Gi,allocatable=60Gi,cpu=16,count=4"];
const DENSITY: &str = "{strategy: Density, workingSetPercent: 50, peakMarginPercent: 0}";

/// An executor of a running application.
fn running(number: u64, changes: &[(&str, Value)]) -> Value {
    let mut pod = executor_with(changes);
    pod["metadata"]["name"] = json!(format!("job-exec-{number}"));
    pod["metadata"]["namespace"] = json!("etl");
    pod["metadata"]["uid"] = json!(format!("uid-{number}"));
    pod["metadata"]["labels"]["spark-exec-id"] = json!(number.to_string());
    pod["spec"]["containers"][0]["env"][1]["value"] = json!(number.to_string());
    pod["spec"]["nodeName"] = json!(format!("node-{}", number % 3));
    pod
}

#[test]
fn the_example_of_the_design() {
    assert_snapshot!(plan_under(&class(DENSITY), &EXAMPLE));
}

#[test]
fn executors_that_are_decided_about_alike_are_one_group() {
    let sidecar = json!({"name": "proxy", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}});
    let with_sidecar = [("/spec/containers/-", sidecar)];
    let below = [("/spec/containers/0/resources/requests/memory", json!("8Gi"))];
    let opted_out = [("/metadata/labels/spark-swap.io~1class", json!("none"))];
    let driver =
        json!({"kind": "Pod", "metadata": {"name": "job-driver", "labels": {"spark-role": "driver"}}});
    let mut pods: Vec<Value> = (1..=40).map(|number| running(number, &[])).collect();
    pods.extend((41..=43).map(|number| running(number, &with_sidecar)));
    pods.extend((44..=45).map(|number| running(number, &below)));
    pods.extend([running(46, &opted_out), driver]);
    assert_snapshot!(plan_pods(&list(&pods), &class(DENSITY), &NODES));
}

#[test]
fn executors_of_other_placement_are_another_group() {
    let selector = [("/spec/nodeSelector", json!({"node-pool": "spark"}))];
    let pods = list(&[running(1, &[]), running(2, &selector)]);
    let pool = ["--node", "memory=64Gi,swap=32Gi,name=pool,label=node-pool=spark"];
    let report = plan_object(&pods, &class(DENSITY), &[NODES, pool].concat());
    let rooms: Vec<&Value> =
        report["executors"].as_array().unwrap().iter().map(|group| &group["room"]).collect();
    assert_eq!(rooms, [&json!({"before": 31, "after": 50}), &json!({"before": 7, "after": 10})]);
}

#[test]
fn classes_are_tried_as_if_the_label_named_them() {
    let classes = state(&format!(
        "{}---\n{}",
        class_yaml(DENSITY),
        class_yaml(
            "{enforcement: Audit, rolloutPercent: 5, strategy: HeapGrowth, heap: {growthPercent: 20}}"
        )
        .replace("name: batch", "name: growth")
        .replace("\"true\"", "\"false\"")
    ));
    let pods = list(&[running(1, &[("/metadata/labels/spark-swap.io~1class", json!("none"))])]);
    let tried =
        plan_pods(&pods, &classes, &[&NODES[..], &["--class", "growth,batch", "-o", "wide"]].concat());
    assert_snapshot!(tried);
    let all = plan_object(&pods, &classes, &[&NODES[..], &["--all-classes"]].concat());
    let names: Vec<&Value> =
        all["executors"].as_array().unwrap().iter().map(|group| &group["class"]).collect();
    assert_eq!(names, ["batch", "growth", "safety-net"]);
}

#[test]
fn a_fallback_and_warnings_are_told() {
    let changes = [("/metadata/labels/spark-swap.io~1working-set-percent", json!("x"))];
    let class = class("{strategy: Density, workingSetPercent: 90}");
    assert_snapshot!(plan_pods(&list(&[running(1, &changes)]), &class, &NODES));
}

#[test]
fn guaranteed_by_an_explicit_backend() {
    let class = class(
        "{strategy: Density, workingSetPercent: 50, qosClass: Guaranteed, swap: {via: CrioAnnotation, maxPerExecutor: 2Gi}}",
    );
    let cores = [("/spec/containers/0/resources/requests/cpu", json!("4"))];
    assert_snapshot!(plan_pods(
        &list(&[running(1, &cores)]),
        &class,
        &[&NODES[..], &["-o", "wide"]].concat()
    ));
}

#[test]
fn the_object_has_everything_in_bytes() {
    let report = plan_object(&list(&[running(1, &[])]), &class(DENSITY), &NODES);
    insta::assert_json_snapshot!(report);
}

#[test]
fn what_a_pod_asks_for_as_a_whole_counts() {
    let overhead = [("/spec/overhead", json!({"memory": "2Gi", "cpu": "250m"}))];
    let whole = [("/spec/resources", json!({"requests": {"memory": "20Gi"}}))];
    let gpu = [("/spec/containers/0/resources/limits/nvidia.com~1gpu", json!(1))];
    let pods = list(&[running(1, &overhead), running(2, &whole), running(3, &gpu)]);
    let report = plan_object(&pods, &class(DENSITY), &["--node", "memory=64Gi,swap=32Gi"]);
    let rooms: Vec<&Value> =
        report["executors"].as_array().unwrap().iter().map(|group| &group["room"]).collect();
    // 64Gi of 9011Mi + 2Gi, of 6008Mi + 2Gi; of 20Gi; of 9011Mi and 6008Mi.
    let expected = [(5, 8), (3, 3), (7, 10)].map(|(before, after)| json!({"before": before, "after": after}));
    assert_eq!(rooms, expected.iter().collect::<Vec<_>>());
    assert_eq!(report["executors"][0]["podCpuMillis"], 1250);
    assert!(
        report["notes"].to_string().contains("#3: not counted, so that fewer may fit: nvidia.com/gpu"),
        "{report}"
    );
}

#[test]
fn executors_that_have_ended_do_not_count() {
    let ended = |phase: &str| running(1, &[("/status", json!({"phase": phase}))]);
    let pods = list(&[ended("Succeeded"), ended("Failed"), ended("Running")]);
    let report = plan_object(&pods, &class(DENSITY), &NODES);
    assert_eq!(report["executors"][0]["pods"], 1);
    assert!(report["notes"].to_string().contains("Passed over: 2 pods that have ended."), "{report}");
}

#[test]
fn no_executors_are_no_plan() {
    assert_eq!(plan_pods(&list(&[]), &class(DENSITY), &NODES), "Notes\n  The input holds no pods.\n");
}

#[test]
fn one_that_is_no_executor_is_passed_over() {
    let text = plan_pods(&executor_with(&[("/spec/containers/0/args", json!([]))]), &class(DENSITY), &NODES);
    assert!(text.starts_with("Notes\n  Passed over, as they are no executors: NotExecutor 1.\n"), "{text}");
}

#[test]
fn several_classes_count_a_pod_once() {
    let pods = list(&[executor_with(&[("/spec/containers/0/args", json!([]))]), running(1, &[])]);
    let args = [&NODES[..], &["--class", "batch,safety-net,batch"]].concat();
    let report = plan_object(&pods, &class(DENSITY), &args);
    let pods: Vec<&Value> =
        report["executors"].as_array().unwrap().iter().map(|group| &group["pods"]).collect();
    assert_eq!(pods, [1, 1]);
    assert!(report["notes"].to_string().contains("NotExecutor 1."), "{report}");
}
