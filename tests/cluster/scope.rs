//! What the webhook touches: new executors, once, and nothing else.

use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::pods;
use crate::wait;
use crate::webhook::Webhook;

#[test]
fn a_server_side_dry_run_shows_the_pod_that_would_be_stored() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("dry-run", json!({}));
    let _webhook = Webhook::start(cluster, &[&namespace], &[]);
    let pod = pods::executor("executor", 1024, 384);
    let shown = cluster.try_create(&pod, &["-n", &namespace, "--dry-run=server"]).unwrap();
    let stored = cluster.try_create(&pod, &["-n", &namespace]).unwrap();
    assert!(pods::plan(&shown).is_some());
    assert_eq!(pods::comparable(&shown), pods::comparable(&stored));
}

#[test]
fn a_planned_pod_that_is_created_again_stays_as_it_is() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("created-again", json!({}));
    let webhook = Webhook::start(cluster, &[&namespace], &[]);
    let first = cluster.try_create(&pods::executor("first", 1024, 384), &["-n", &namespace]).unwrap();

    let mut copy = first.clone();
    copy["metadata"] = json!({
        "name": "second", "labels": first["metadata"]["labels"], "annotations": first["metadata"]["annotations"],
    });
    let second = cluster.try_create(&copy, &["-n", &namespace]).unwrap();
    assert_eq!(pods::comparable(&second), pods::comparable(&first));
    // The registration spares the API server the call, as long as it knows match conditions.
    let verdict = webhook.verdict_on(&namespace, "second");
    assert!(verdict.is_none_or(|verdict| !verdict.mutated && verdict.reason == "AlreadyPlanned"));
}

#[test]
fn the_same_executor_gets_the_same_plan_every_time() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("twice", json!({}));
    let _webhook = Webhook::start(cluster, &[&namespace], &[]);
    let [first, second] = ["first", "second"]
        .map(|name| cluster.try_create(&pods::executor(name, 1024, 384), &["-n", &namespace]).unwrap());
    assert!(pods::plan(&first).is_some());
    assert_eq!(pods::comparable(&first), pods::comparable(&second));
}

#[test]
fn drivers_and_other_pods_are_not_touched() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("not-executors", json!({}));
    let webhook = Webhook::start(cluster, &[&namespace], &[]);

    let mut driver = pods::executor("driver", 1024, 384);
    driver["metadata"]["labels"]["spark-role"] = json!("driver");
    driver["spec"]["containers"][0]["args"] = json!(["driver"]);
    let mut unlabelled = pods::executor("unlabelled", 1024, 384);
    unlabelled["metadata"]["labels"] = json!({"app": "something"});
    let mut impostor = pods::executor("impostor", 1024, 384);
    impostor["spec"]["containers"][0]["args"] = json!(["sleep"]);

    for pod in [driver, unlabelled, impostor] {
        let stored = cluster.try_create(&pod, &["-n", &namespace]).unwrap();
        assert_untouched(&pod, &stored);
        let verdict = webhook.verdict_on(&namespace, pods::name(&pod));
        assert!(verdict.is_none_or(|verdict| !verdict.mutated && verdict.reason == "NotExecutor"));
    }
}

#[test]
fn kube_system_is_not_even_shown_to_the_webhook() {
    let cluster = ControlPlane::shared();
    let webhook = Webhook::start(cluster, &["kube-system"], &[]);
    let pod = pods::executor("executor-in-kube-system", 1024, 384);
    // Its service account may not be there yet.
    let stored =
        wait::until("pod in kube-system", wait::LIMIT, || cluster.try_create(&pod, &["-n", "kube-system"]));
    assert_untouched(&pod, &stored);
    assert_eq!(webhook.verdict_on("kube-system", "executor-in-kube-system"), None);
}

fn assert_untouched(pod: &Value, stored: &Value) {
    assert_eq!(pods::plan(stored), None);
    let [before, after] = [pod, stored].map(|pod| &pod["spec"]["containers"][0]["resources"]);
    assert_eq!(after, before);
}
