//! Which class an executor gets, and what only a class or a label can do.

use serde_json::{Value, json};

use crate::classes::{CLASS_CONF, CLASS_LABEL, batch, class, swap_node};
use crate::control_plane::ControlPlane;
use crate::nodes::{GIB, evidence, node};
use crate::pods;
use crate::spark::{Application, SPARK_3, SPARK_4};
use crate::webhook::{Verdict, Webhook};

#[test]
fn a_spark_conf_names_the_class() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("class-by-conf", json!({}));
    let _webhook = Webhook::start(cluster, &[&namespace], &[batch(), swap_node("swap-1")]);
    let executors = Application::new(cluster, SPARK_3, &namespace).conf(CLASS_CONF, "batch").executor_pods();
    assert_eq!(pods::plan(&executors[0]).unwrap()["class"], "batch");
}

#[test]
fn a_namespace_names_the_class_of_pods_that_name_none() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("class-by-namespace", json!({CLASS_LABEL: "batch"}));
    let state = [batch(), swap_node("swap-1"), cluster.get("namespace", "", &namespace)];
    let _webhook = Webhook::start(cluster, &[&namespace], &state);
    let class_of = |pod: &Value| pods::plan(&create_in(cluster, &namespace, pod)).unwrap()["class"].clone();

    assert_eq!(class_of(&pods::executor("silent", 8192, 819)), "batch");
    assert_eq!(class_of(&with_class("outspoken", "safety-net")), "safety-net");
}

#[test]
fn an_unknown_class_leaves_the_pod_alone() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("unknown-class", json!({}));
    let webhook = Webhook::start(cluster, &[&namespace], &[]);
    let pod = create_in(cluster, &namespace, &with_class("confused", "no-such-class"));
    assert_eq!(pods::plan(&pod), None);
    assert_eq!(pods::request(&pod), pods::limit(&pod));
    let verdict = webhook.verdict_on(&namespace, "confused");
    assert_eq!(verdict, Some(Verdict { mutated: false, reason: "UnknownClass".to_owned() }));
}

#[test]
fn a_pod_that_opts_out_is_not_even_shown_to_the_webhook() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("opt-out-by-pod", json!({}));
    let webhook = Webhook::start(cluster, &[&namespace], &[]);
    create_in(cluster, &namespace, &pods::executor("in", 1024, 384));
    create_in(cluster, &namespace, &with_class("out", "none"));
    let planned = Verdict { mutated: true, reason: "Planned".to_owned() };
    assert_eq!(webhook.verdict_on(&namespace, "in"), Some(planned));
    assert_eq!(webhook.verdict_on(&namespace, "out"), None);
}

#[test]
fn a_namespace_that_opts_out_is_not_even_shown_to_the_webhook() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("opt-out-by-namespace", json!({CLASS_LABEL: "none"}));
    let webhook = Webhook::start(cluster, &[&namespace], &[]);
    let pod = create_in(cluster, &namespace, &pods::executor("out", 1024, 384));
    assert_eq!(pods::plan(&pod), None);
    assert_eq!(webhook.verdict_on(&namespace, "out"), None);
}

#[test]
fn a_heap_growth_class_grows_the_heap_into_swap() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("heap-growth", json!({}));
    let growing = class("growing", json!({"strategy": "HeapGrowth", "heap": {"growthPercent": 50}}));
    let _webhook = Webhook::start(cluster, &[&namespace], &[growing, as_much_swap_as_memory()]);
    let executors = two_gigabytes(cluster, &namespace).conf(CLASS_CONF, "growing").executor_pods();
    assert_grown_to_three_gigabytes(&executors[0]);
}

#[test]
fn a_spark_conf_asks_for_a_larger_heap_than_the_pod_pays_for() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("heap-by-conf", json!({}));
    let _webhook = Webhook::start(cluster, &[&namespace], &[as_much_swap_as_memory()]);
    let executors = two_gigabytes(cluster, &namespace)
        .conf("spark.kubernetes.executor.label.spark.executor.memory", "3g")
        .executor_pods();
    assert_grown_to_three_gigabytes(&executors[0]);
}

fn assert_grown_to_three_gigabytes(executor: &Value) {
    let declared = (2048 + 384) * pods::MIB;
    assert_eq!(pods::env(executor, "SPARK_EXECUTOR_MEMORY"), Some("3072m"));
    assert_eq!((pods::request(executor), pods::limit(executor)), (declared - pods::MIB, declared));
    let plan = pods::plan(executor).unwrap();
    assert_eq!(plan["heap"], json!({"from": 2 * GIB, "to": 3 * GIB}));
    assert_eq!(plan["bound"], "Growth");
}

fn two_gigabytes<'a>(cluster: &'a ControlPlane, namespace: &'a str) -> Application<'a> {
    Application::new(cluster, SPARK_4, namespace).conf("spark.executor.memory", "2g")
}

fn as_much_swap_as_memory() -> Value {
    node("swap-1", 64 * GIB, 64 * GIB, evidence(1000))
}

fn with_class(name: &str, class: &str) -> Value {
    let mut pod = pods::executor(name, 1024, 384);
    pod["metadata"]["labels"][CLASS_LABEL] = json!(class);
    pod
}

fn create_in(cluster: &ControlPlane, namespace: &str, pod: &Value) -> Value {
    cluster.try_create(pod, &["-n", namespace]).unwrap()
}
