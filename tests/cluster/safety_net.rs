//! Unchanged Spark under the built-in class: the kubelet may grant swap, and nothing else changes.

use serde_json::json;

use crate::control_plane::ControlPlane;
use crate::pods::{self, MIB};
use crate::spark::{Application, SPARK_3, SPARK_4};
use crate::webhook::Webhook;

#[test]
fn executors_of_spark_3_differ_from_plain_ones_in_the_request_and_the_plan_alone() {
    assert_only_request_and_plan_differ(SPARK_3);
}

#[test]
fn executors_of_spark_4_differ_from_plain_ones_in_the_request_and_the_plan_alone() {
    assert_only_request_and_plan_differ(SPARK_4);
}

fn assert_only_request_and_plan_differ(version: &str) {
    let cluster = ControlPlane::shared();
    let (plain, planned) = (cluster.namespace("plain", json!({})), cluster.namespace("planned", json!({})));
    let _webhook = Webhook::start(cluster, &[&planned], &[]);
    let executors = |namespace: &str| {
        Application::new(cluster, version, namespace)
            .executors(2)
            .conf("spark.executor.memory", "2g")
            .conf("spark.executor.extraJavaOptions", "-XX:+UseG1GC -Dmy.option=1")
            .conf("spark.kubernetes.executor.annotation.example.com/owner", "somebody")
            .executor_pods()
    };

    for (before, after) in executors(&plain).iter().zip(&executors(&planned)) {
        let decision = pods::plan(after).expect("a plan annotation");
        assert_eq!(decision["class"], "safety-net");
        assert_eq!(decision["bound"], "SafetyNet");
        assert_eq!(decision["qosClass"], after["status"]["qosClass"]);
        assert_eq!(decision["request"], json!({"from": pods::request(before), "to": pods::request(after)}));
        assert_eq!(decision["limit"], json!({"from": pods::limit(before), "to": pods::limit(after)}));

        assert_eq!(pods::request(before), pods::limit(before));
        let mut expected = pods::comparable(before);
        pods::spark_container_mut(&mut expected)["resources"]["requests"]["memory"] =
            json!(pods::limit(before) - MIB);
        expected["metadata"]["annotations"][pods::PLAN] =
            after["metadata"]["annotations"][pods::PLAN].clone();
        assert_eq!(pods::comparable(after), expected);
    }
}
