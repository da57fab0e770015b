//! Executors that carry a plan count with what they were received with.

use json_patch::Patch;
use rstest::rstest;
use serde_json::{Value, json};

use super::command::{list, plan_object};
use crate::command::explain_pod;
use crate::pods::{class, executor, executor_with};

const NODE: [&str; 2] = ["--node", "memory=64Gi,swap=32Gi,label=pool=swap,taint=swap:NoSchedule,name=a"];

/// The executor after the webhook.
fn patched(pod: &Value, spec: &str) -> Value {
    let patch = explain_pod(pod, Some(&class(spec)), &[&NODE[..], &["-o", "patch"]].concat());
    let patch: Patch = serde_json::from_str(&patch).unwrap();
    assert!(!patch.is_empty());
    let mut pod = pod.clone();
    json_patch::patch(&mut pod, &patch).unwrap();
    pod
}

const TOLERANT: &str = "tolerations: [{key: swap, operator: Exists, effect: NoSchedule}]";

#[rstest]
#[case::density(format!("{{strategy: Density, workingSetPercent: 50, nodes: {{{TOLERANT}}}}}"))]
#[case::selector(format!("{{strategy: Density, workingSetPercent: 50, nodes: {{selector: {{pool: swap}}, {TOLERANT}}}}}"))]
#[case::heap_growth(format!(
    "{{strategy: HeapGrowth, heap: {{growthPercent: 30, youngGenerationPercent: 10}}, nodes: {{{TOLERANT}}}}}"
))]
#[case::safety_net(format!("{{nodes: {{{TOLERANT}}}}}"))]
#[case::explicit(format!("{{strategy: Density, workingSetPercent: 60, swap: {{via: CrioAnnotation}}, nodes: {{{TOLERANT}}}}}"))]
#[case::nri(format!("{{strategy: Density, workingSetPercent: 60, swap: {{via: NriMemoryQos}}, nodes: {{{TOLERANT}}}}}"))]
#[case::audit(format!("{{enforcement: Audit, strategy: Density, workingSetPercent: 50, nodes: {{{TOLERANT}}}}}"))]
fn planned_again_it_is_the_same_plan(#[case] spec: String) {
    let own_affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [{"key": "pool", "operator": "Exists"}]}]}}});
    let option = json!({"name": "SPARK_JAVA_OPT_0", "value": "-XX:+UseG1GC"});
    let changes = [("/spec/affinity", own_affinity), ("/spec/containers/0/env/-", option)];
    for pod in [executor(), executor_with(&changes)] {
        let before = plan_object(&list(std::slice::from_ref(&pod)), &class(&spec), &NODE);
        let mut again = plan_object(&list(&[patched(&pod, &spec)]), &class(&spec), &NODE);
        assert_eq!(
            before["executors"][0]["reason"],
            if spec.contains("Audit") { "Audited" } else { "Planned" }
        );
        let notes = again["notes"].as_array_mut().unwrap();
        let told = notes
            .iter()
            .position(|note| note == "1 executor carries a plan already; before is as they were received.");
        notes.remove(told.unwrap());
        assert_eq!(before, again);
    }
}

#[test]
fn what_is_not_a_plan_leaves_the_pod_as_it_is() {
    let changes = [("/metadata/annotations", json!({"spark-swap.io/plan": "x"}))];
    let spec = format!("{{nodes: {{{TOLERANT}}}}}");
    let plan = |pod| plan_object(&list(&[pod]), &class(&spec), &NODE)["executors"].clone();
    assert_eq!(plan(executor_with(&changes)), plan(executor()));
}
