//! What `-f` takes, and what it says about the rest.

use rstest::rstest;
use serde_json::{Value, json};

use crate::command::{explain, explain_pod};
use crate::pods::{executor, executor_with};

fn objects(input: &str, args: &[&str]) -> Value {
    let shown = explain(&[&["-f", "-", "-o", "json"], args].concat(), input).unwrap();
    serde_json::from_str(&shown).unwrap()
}

fn review(pod: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "operation": "CREATE", "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "namespace": "etl", "object": pod
        }
    })
}

#[rstest]
#[case("StatefulSet", "/spec/template")]
#[case("Deployment", "/spec/template")]
#[case("ReplicaSet", "/spec/template")]
#[case("Job", "/spec/template")]
#[case("CronJob", "/spec/jobTemplate/spec/template")]
#[case("PodTemplate", "/template")]
fn templates_are_pods(#[case] kind: &str, #[case] path: &str) {
    let pod = executor();
    let mut object =
        json!({"metadata": {"metadata": pod["metadata"], "spec": pod["spec"]}})["metadata"].take();
    for name in path.trim_start_matches('/').rsplit('/') {
        object = json!({ name: object });
    }
    object["kind"] = json!(kind);
    object["metadata"] = json!({"name": "a", "namespace": "etl"});
    let explained = objects(&object.to_string(), &[]);
    assert_eq!((&explained["reason"], &explained["pod"]["namespace"]), (&json!("Planned"), &json!("etl")));
}

#[test]
fn the_namespace_is_the_flag_else_the_review_else_the_pod() {
    let pod = executor_with(&[("/metadata/namespace", json!("of-pod"))]);
    let of = |input: &Value, args: &[&str]| objects(&input.to_string(), args)["pod"]["namespace"].clone();
    assert_eq!(of(&executor(), &[]), "default");
    assert_eq!(of(&pod, &[]), "of-pod");
    assert_eq!(of(&review(&pod), &[]), "etl");
    assert_eq!(of(&review(&pod), &["-n", "flag"]), "flag");
    assert_eq!(of(&pod, &["--namespace", "flag"]), "flag");
}

#[test]
fn lists_and_documents_are_lists_and_single_pods_are_objects() {
    let pod = executor();
    assert!(objects(&pod.to_string(), &[]).is_object());
    assert_eq!(
        objects(&json!({"kind": "List", "items": [pod]}).to_string(), &[]).as_array().unwrap().len(),
        1
    );
    assert_eq!(objects(&json!({"kind": "PodList", "items": []}).to_string(), &[]), json!([]));
    let mut untyped = pod.clone();
    untyped.as_object_mut().unwrap().remove("kind");
    let list = json!({"apiVersion": "v1", "kind": "PodList", "items": [untyped, untyped]});
    let both = objects(&format!("{list}\n---\n{pod}"), &[]);
    let from: Vec<&str> =
        both.as_array().unwrap().iter().map(|one| one["pod"]["from"].as_str().unwrap()).collect();
    assert_eq!(from, ["stdin, document 1, items[0]", "stdin, document 1, items[1]", "stdin, document 2"]);
}

#[test]
fn several_pods_are_counted_and_other_kinds_are_named() {
    let list = json!({"kind": "List", "items": [
        executor(), {"kind": "Service"}, executor_with(&[("/metadata/labels", json!({}))]), executor(), {"kind": "Service"}
    ]});
    let shown = explain_pod(&list, None, &[]);
    let tail: Vec<&str> = shown.lines().rev().take(5).collect();
    assert_eq!(tail[0], "Passed over, as they hold no pod: Service 2");
    assert_eq!(tail[4], "3 pods: NotExecutor 1, Planned 2");
}

#[test]
fn yaml_is_read_and_written() {
    let pod = executor();
    let yaml = serde_saphyr::to_string(&pod).unwrap();
    assert_eq!(objects(&yaml, &[]), objects(&pod.to_string(), &[]));
    for input in
        [pod.clone(), json!({"kind": "List", "items": [pod, pod]}), json!({"kind": "List", "items": []})]
    {
        let nodes = ["--node", "memory=64Gi,swap=32Gi,name=500"];
        let args = [&["-f", "-", "-o", "yaml"], &nodes[..]].concat();
        let shown = explain(&args, &input.to_string()).unwrap();
        let parsed: Value = serde_saphyr::from_str(&shown).unwrap();
        assert_eq!(parsed, objects(&input.to_string(), &nodes), "{shown}");
    }
}

#[test]
fn the_patch_of_one_pod_is_what_the_webhook_sends() {
    let shown = explain(&["-f", "-", "-o", "patch"], &executor().to_string()).unwrap();
    let patch: json_patch::Patch = serde_json::from_str(&shown).unwrap();
    let mut pod = executor();
    json_patch::patch(&mut pod, &patch).unwrap();
    assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"]["memory"], "9010Mi");
    let unchanged = executor_with(&[("/metadata/labels", json!({}))]);
    assert_eq!(explain(&["-f", "-", "-o", "patch"], &unchanged.to_string()).unwrap(), "[]\n");
    let list = json!({"kind": "List", "items": [executor(), executor()]});
    let error = explain(&["-f", "-", "-o", "patch"], &list.to_string()).unwrap_err();
    assert_eq!(error, "-o patch: wants one pod, and the input holds 2; -o json has the patch of each");
}

#[test]
fn a_running_pod_is_explained_as_it_was_before_the_scheduler() {
    let running = executor_with(&[("/metadata/uid", json!("705ab4f5")), ("/spec/nodeName", json!("gone"))]);
    let explained = objects(&running.to_string(), &["--node", "memory=64Gi,swap=32Gi"]);
    assert_eq!(explained["reason"], "Planned");
    assert_eq!(
        explained["notes"],
        json!(["spec.nodeName gone is left out: the scheduler sets it after admission"])
    );
}

#[test]
fn a_review_that_is_not_of_a_pods_creation_is_no_executor() {
    let mut deletion = review(&executor());
    deletion["request"]["operation"] = json!("DELETE");
    let shown = explain_pod(&deletion, None, &[]);
    assert!(shown.contains("The request does not create the pod: another operation"), "{shown}");
    let mut deployment = review(&json!({"spec": {"replicas": 1, "containers": "none"}}));
    deployment["request"]["kind"]["kind"] = json!("Deployment");
    assert_eq!(objects(&deployment.to_string(), &[])["reason"], "NotExecutor");
}

#[rstest]
#[case("", "stdin: is empty")]
#[case("a: b: c", "stdin: line 1, column 5: mapping values are not allowed in this context")]
#[case("[]", "stdin: expected an object, found a list")]
#[case("{\"a\": 1}", "stdin: kind: is missing: every object needs a kind and an apiVersion")]
#[case(
    "kind: SparkApplication",
    "stdin: holds no pod, but SparkApplication; give a Pod, an AdmissionReview, a list of pods, an object with a pod template, or Spark conf with --conf"
)]
#[case("kind: Deployment\nspec: {}", "stdin: spec.template: is missing or not an object")]
#[case(
    "kind: Pod\nspec: {containers: [{env: SECRET}]}",
    "stdin: spec.containers[0].env: is not what a pod has there: found a string"
)]
#[case(
    "kind: Pod\nmetadata: {}\n---\nkind: List\nitems:\n- kind: Pod\n  spec: none\n",
    "stdin, document 2, items[0]: spec: is not what a pod has there: found a string"
)]
#[case(
    "kind: AdmissionReview",
    "stdin: expected apiVersion admission.k8s.io/v1 and kind AdmissionReview, got \"\" and \"AdmissionReview\""
)]
#[case(
    "{kind: AdmissionReview, apiVersion: admission.k8s.io/v1, request: {}}",
    "stdin: request.uid is missing"
)]
#[case(
    "{kind: AdmissionReview, apiVersion: admission.k8s.io/v1, request: {uid: a, object: {spec: {priority: high}}}}",
    "stdin: request.object.spec.priority: is not what a pod has there: found a string"
)]
fn bad_input_says_what_and_where(#[case] input: &str, #[case] problem: &str) {
    assert_eq!(explain(&["-f", "-"], input).unwrap_err(), problem);
}

#[test]
fn every_problem_is_named() {
    let error = explain(&["-f", "-"], "kind: Pod\nspec: 1\n---\n- a\n---\nb: 1\n").unwrap_err();
    assert_eq!(error.lines().count(), 3, "{error}");
}

#[rstest]
#[case(&[], "the following required arguments were not provided")]
#[case(&["-f", "-", "--conf", "spark.a=b"], "cannot be used with")]
#[case(&["--conf", "spark.a"], "write KEY=VALUE")]
#[case(&["-f", "-", "--node", "memory=64GB"], "memory=64GB: is not a quantity")]
#[case(&["-f", "-", "--transient-taint", "a*b"], "write a taint key, PREFIX* or *SUFFIX")]
#[case(&["-f", "-", "--state", "no-such-directory"], "no-such-directory: cannot be read")]
#[case(&["-f", "no-such-file"], "no-such-file: No such file")]
#[case(&["-f", "tests"], "tests: Is a directory")]
fn bad_flags_say_what_and_how(#[case] args: &[&str], #[case] problem: &str) {
    let error = explain(args, &executor().to_string()).unwrap_err();
    assert!(error.contains(problem), "{error}");
}

#[test]
fn settings_are_those_of_serve() {
    let pod = executor_with(&[("/spec/runtimeClassName", json!("kata"))]);
    let node = ["--node", "memory=64Gi,swap=32Gi,taint=example.com/starting:NoSchedule"];
    let reason = |args: &[&str]| {
        objects(&pod.to_string(), &[&node[..], args].concat())["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason(&[]), "RuntimeClass");
    assert_eq!(reason(&["--allow-runtime-class", "kata"]), "NoSwapNode");
    assert_eq!(reason(&["--allow-runtime-class", "a,kata", "--transient-taint", "example.com/*"]), "Planned");
}
