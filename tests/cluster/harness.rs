//! The parts themselves, without the webhook: what the other tests take for granted.

use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::nodes::{self, GIB};
use crate::pods;
use crate::spark::{Application, SPARK_3, SPARK_4};

#[test]
fn spark_3_asks_for_a_request_equal_to_the_limit() {
    assert_request_equals_limit(SPARK_3);
}

#[test]
fn spark_4_asks_for_a_request_equal_to_the_limit() {
    assert_request_equals_limit(SPARK_4);
}

/// The problem that the project solves: such an executor gets no swap from any kubelet.
fn assert_request_equals_limit(version: &str) {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("plain-spark", json!({}));
    let executors = Application::new(cluster, version, &namespace)
        .executors(2)
        .conf("spark.executor.memory", "2g")
        .executor_pods();
    assert_eq!(executors.len(), 2);
    for executor in &executors {
        assert_eq!(pods::limit(executor), (2048 + 384) * pods::MIB);
        assert_eq!(pods::request(executor), pods::limit(executor));
        assert_eq!(pods::env(executor, "SPARK_EXECUTOR_MEMORY"), Some("2048m"));
        assert_eq!(executor["metadata"]["labels"]["spark-version"], version);
        assert_eq!(executor["status"]["qosClass"], "Burstable");
        assert_eq!(pods::plan(executor), None);
    }
    assert_eq!(pods::comparable(&executors[0])["metadata"]["name"], "POD");
}

#[test]
fn the_scheduler_binds_pods_to_nodes_without_a_kubelet_until_their_memory_is_spent() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("scheduling", json!({}));
    let node =
        nodes::join(cluster, &nodes::node("plain-node", 4 * GIB, 2 * GIB, nodes::evidence(500)), &namespace);
    assert_eq!(node["status"]["nodeInfo"]["swap"]["capacity"], 2 * GIB);
    for index in 0..5 {
        let mut pod = pods::executor(&format!("executor-{index}"), 1024, 0);
        pod["metadata"]["namespace"] = json!(namespace);
        pod["spec"]["tolerations"] = json!([nodes::toleration(&namespace)]);
        cluster.create(&pod);
    }
    let bound = pods::bound(5, || cluster.list("pods", &namespace, "spark-role=executor"));
    assert_eq!(bound.len(), 4);
    assert!(bound.iter().all(|pod| pod["spec"]["nodeName"] == "plain-node"));
}

#[test]
fn the_audit_log_tells_of_a_creation_that_no_webhook_saw() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("audit", json!({}));
    cluster.try_create(&pods::executor("seen-by-nobody", 1024, 384), &["-n", &namespace]).unwrap();
    let annotations = cluster.creation_audit(&namespace, "seen-by-nobody");
    assert_eq!(annotations["authorization.k8s.io/decision"], "allow");
    let of_webhooks: Vec<&Value> =
        Vec::from_iter(annotations.get("mutation.webhook.admission.k8s.io/round_0_index_0"));
    assert!(of_webhooks.is_empty(), "{annotations}");
}
