//! Pods that were captured in a cluster: what was decided about them, how they fare, and what would be decided now.

use insta::assert_snapshot;
use rstest::rstest;
use serde_json::{Value, json};

use crate::command::{explain, explain_pod};
use crate::pods::{class, class_yaml, executor, executor_with, state};

const NODE: [&str; 2] = ["--node", "memory=64Gi,swap=32Gi,name=swap-1"];
const DENSITY: &str = "{strategy: Density, workingSetPercent: 50, peakMarginPercent: 0}";

/// What the API server and the scheduler make of the pod once it is created.
fn stored(mut pod: Value, qos_class: &str) -> Value {
    pod["metadata"]["uid"] = json!("705ab4f5-0000-4000-8000-000000000001");
    pod["metadata"]["namespace"] = json!("etl");
    pod["metadata"]["creationTimestamp"] = json!("2026-11-24T12:00:00Z");
    pod["spec"]["nodeName"] = json!("swap-1");
    pod["status"] = json!({"phase": "Running", "qosClass": qos_class});
    pod
}

/// The pod as the webhook made it under these classes and nodes.
fn planned(pod: &Value, class_spec: &str, nodes: &[&str]) -> Value {
    let args = [nodes, &["-o", "patch"]].concat();
    let patch = explain_pod(pod, Some(&class(class_spec)), &args);
    let patch: json_patch::Patch = serde_json::from_str(&patch).unwrap();
    assert!(!patch.is_empty(), "the webhook leaves it alone");
    let mut pod = pod.clone();
    json_patch::patch(&mut pod, &patch).unwrap();
    stored(pod, "Burstable")
}

fn now(pod: &Value, class_spec: &str, nodes: &[&str]) -> Value {
    let shown = explain_pod(pod, Some(&class(class_spec)), &[nodes, &["-o", "json"]].concat());
    serde_json::from_str::<Value>(&shown).unwrap()["now"].take()
}

#[test]
fn the_same_would_be_decided() {
    let pod = planned(&executor(), DENSITY, &NODE);
    assert_snapshot!(explain_pod(&pod, Some(&class(DENSITY)), &NODE));
}

#[test]
fn the_class_and_the_nodes_have_changed() {
    let pod = planned(&executor(), DENSITY, &NODE);
    let changed = class("{strategy: Density, workingSetPercent: 70, enforcement: Audit}");
    assert_snapshot!(explain_pod(&pod, Some(&changed), &["--node", "memory=64Gi,swap=16Gi,name=swap-1"]));
}

#[test]
fn it_would_be_left_alone() {
    let pod = planned(&executor(), DENSITY, &NODE);
    assert_snapshot!(explain_pod(&pod, Some(&class(DENSITY)), &["--node", "memory=64Gi,name=plain-1"]));
}

#[test]
fn an_option_of_the_users_own_is_not_taken_for_ours() {
    let spec = "{strategy: HeapGrowth, heap: {growthPercent: 30, youngGenerationPercent: 10}}";
    let own = json!({"name": "SPARK_JAVA_OPT_7", "value": "-Xmn512m"});
    let pod = planned(&executor_with(&[("/spec/containers/0/env/-", own)]), spec, &NODE);
    let now = now(&pod, spec, &NODE);
    assert_eq!(now["verdict"], "Same");
    let patch = now["decision"]["patch"].to_string();
    assert!(!patch.contains("-Xmn"), "{patch}");
}

#[test]
fn a_pod_without_a_plan() {
    let pod = stored(executor(), "Burstable");
    assert_snapshot!(explain_pod(&pod, Some(&class(DENSITY)), &NODE));
}

#[test]
fn the_object_for_programs() {
    let pod = planned(&executor(), DENSITY, &NODE);
    let smaller = ["--node", "memory=64Gi,swap=24Gi,name=swap-1"];
    assert_snapshot!(explain_pod(&pod, Some(&class(DENSITY)), &[&smaller[..], &["-o", "json"]].concat()));
}

/// Whatever a plan writes is taken back, or does not matter to the next decision.
#[rstest]
#[case::safety_net("{}")]
#[case::audit("{strategy: Density, workingSetPercent: 50, enforcement: Audit}")]
#[case::density(DENSITY)]
#[case::heap_growth("{strategy: HeapGrowth, heap: {growthPercent: 25, youngGenerationPercent: 25}}")]
#[case::placement(
    "{strategy: Density, workingSetPercent: 50, nodes: {selector: {kubernetes.io/os: linux}, \
      tolerations: [{key: dedicated, operator: Exists}], onlyWithSwap: true}}"
)]
#[case::crio("{strategy: Density, workingSetPercent: 50, swap: {via: CrioAnnotation}}")]
#[case::nri("{strategy: Density, workingSetPercent: 50, swap: {via: NriMemoryQos, maxPerExecutor: 8Gi}}")]
#[case::guaranteed(
    "{strategy: Density, workingSetPercent: 50, swap: {via: NriMemoryQos}, qosClass: Guaranteed}"
)]
fn a_plan_that_nothing_changed_about_is_made_again(#[case] class_spec: &str) {
    for changes in [
        &[][..],
        &[("/spec/nodeSelector", json!({"kubernetes.io/hostname": "swap-1"}))],
        &[(
            "/spec/affinity",
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]},
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["swap-1"]}]},
            ]}}}),
        )],
        &[("/metadata/annotations", json!({"example.com/owner": "etl"}))],
    ] {
        let mut pod = executor_with(changes);
        pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("2");
        let pod = planned(&pod, class_spec, &NODE);
        let now = now(&pod, class_spec, &NODE);
        assert_eq!(now["verdict"], "Same", "{now:#}");
        assert_eq!((&now["causes"], &now["differences"]), (&json!([]), &json!([])));
    }
}

#[test]
fn what_has_changed_is_told() {
    let pod = planned(&executor(), DENSITY, &NODE);
    let told = |class_spec: &str, node: &str| {
        let now = now(&pod, class_spec, &["--node", node]);
        let causes: Vec<&str> =
            now["causes"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
        format!("{}: {}", now["verdict"].as_str().unwrap(), causes.join(" "))
    };
    let swap_1 = "memory=64Gi,swap=32Gi,name=swap-1";
    assert_eq!(told(DENSITY, swap_1), "Same: ");
    assert_eq!(
        told("{strategy: SafetyNet}", swap_1),
        "Different: The class batch has changed: strategy SafetyNet instead of Density, another workingSetPercent."
    );
    assert_eq!(
        told(DENSITY, "memory=64Gi,swap=32Gi,name=swap-2"),
        "Same: The node swap-1 with 64Gi of memory and 32Gi of swap, on which the plan rests, is not there any more."
    );
    assert_eq!(
        told(DENSITY, "memory=128Gi,swap=64Gi,name=swap-1"),
        "SameSizes: The node swap-1, on which the plan rests, has 128Gi of memory and 64Gi of swap now, not 64Gi of \
         memory and 32Gi of swap."
    );
    assert_eq!(
        told(DENSITY, "memory=64Gi,swap=32Gi,name=swap-1,label=spark-swap.io/limited-swap-permille=400"),
        "Different: Neither the class nor the node on which the plan rests tells why: see the bounds and the nodes below."
    );
}

#[test]
fn another_class_is_named() {
    let pod = planned(&executor(), DENSITY, &NODE);
    let other = state(&class_yaml("{}").replace("name: batch", "name: nightly"));
    let shown = explain_pod(&pod, Some(&other), &NODE);
    assert!(
        shown.contains("The class is another one: batch when the pod was created, nightly now."),
        "{shown}"
    );
}

#[test]
fn an_annotation_that_is_no_plan_is_no_obstacle() {
    let changes = [("/metadata/annotations", json!({"spark-swap.io/plan": "mine"}))];
    let pod = stored(executor_with(&changes), "Burstable");
    let shown = explain_pod(&pod, None, &NODE);
    assert!(shown.contains("The annotation is not a plan."), "{shown}");
    assert!(shown.contains("  plan          unknown: the annotation is not one"), "{shown}");
    let now = now(&pod, DENSITY, &NODE);
    assert_eq!((&now["verdict"], &now["causes"]), (&json!("Different"), &json!([])));
}

#[rstest]
#[case(&[], "Burstable", "0: the request equals the limit")]
#[case(&[("/spec/containers/0/resources/limits/cpu", json!("1"))], "Guaranteed", "0: only the QoS class Burstable is granted swap")]
#[case(&[("/spec/priority", json!(2_000_001_000))], "Burstable", "0: the pod is critical")]
#[case(
    &[("/spec/containers/0/resources/requests/memory", json!("4Gi"))],
    "Burstable",
    "2048Mi (2Gi) = floor4096(4294967296 / M * S); the node's label promises 500 permille"
)]
#[case(
    &[("/metadata/annotations", json!({"memory.swap.max.memory-qos.nri.io/spark-kubernetes-executor": "1073741824"}))],
    "Burstable",
    "1024Mi (1Gi), written for NriMemoryQos"
)]
fn the_granted_swap_is_the_kubelets(
    #[case] changes: &[(&str, Value)],
    #[case] qos: &str,
    #[case] granted: &str,
) {
    let pod = stored(executor_with(changes), qos);
    let shown = explain_pod(&pod, None, &NODE);
    let row = shown.lines().find_map(|line| line.trim().strip_prefix("granted swap")).unwrap().trim();
    assert_eq!(row, granted);
}

#[test]
fn a_node_without_evidence_or_of_which_nothing_is_known() {
    let changes = [("/spec/containers/0/resources/requests/memory", json!("4Gi"))];
    let pod = stored(executor_with(&changes), "Burstable");
    let row = |args: &[&str]| {
        let shown = explain_pod(&pod, None, args);
        shown.lines().find_map(|line| line.trim().strip_prefix("granted swap")).unwrap().trim().to_owned()
    };
    assert_eq!(row(&[]), "unknown: the node is not known here");
    assert_eq!(row(&["--node", "memory=64Gi,name=swap-1"]), "0: the node has no swap");
    let unlabelled = "memory=64Gi,swap=32Gi,name=swap-1,label=spark-swap.io/limited-swap-permille=0";
    assert_eq!(
        row(&["--node", unlabelled]),
        "2048Mi (2Gi) = floor4096(4294967296 / M * S); if its kubelet hands swap out, which no label of the node says"
    );
}

#[test]
fn a_pod_of_the_cluster_wants_a_cluster() {
    let error = explain(&["job-exec-1"], "").unwrap_err();
    assert_eq!(error, "--offline: what is asked for is in a cluster");
    let error = explain(&["job-exec-1", "-f", "-"], "").unwrap_err();
    assert!(error.contains("cannot be used with"), "{error}");
    let error = explain(&["deployment/etl"], "").unwrap_err();
    assert!(error.contains("\"deployment\" is no pod; write NAME or pod/NAME"), "{error}");
}
