//! A webhook that is down costs swap, never an executor.

use serde_json::json;

use crate::control_plane::ControlPlane;
use crate::pods;
use crate::spark::{Application, SPARK_3, SPARK_4};
use crate::webhook::Webhook;

#[test]
fn executors_of_spark_3_start_as_spark_wrote_them_while_the_webhook_is_down() {
    assert_plain_during_outage(SPARK_3);
}

#[test]
fn executors_of_spark_4_start_as_spark_wrote_them_while_the_webhook_is_down() {
    assert_plain_during_outage(SPARK_4);
}

fn assert_plain_during_outage(version: &str) {
    let cluster = ControlPlane::shared();
    let (plain, served) =
        (cluster.namespace("no-webhook", json!({})), cluster.namespace("outage", json!({})));
    let mut webhook = Webhook::start(cluster, &[&served], &[]);
    let executors =
        |namespace: &str| Application::new(cluster, version, namespace).executors(2).executor_pods();

    webhook.go_down();
    let during: Vec<_> = executors(&served).iter().map(pods::comparable).collect();
    let plain: Vec<_> = executors(&plain).iter().map(pods::comparable).collect();
    assert_eq!(during, plain);

    webhook.serve();
    let pod = pods::executor("afterwards", 1024, 384);
    let pod = cluster.try_create(&pod, &["-n", &served]).unwrap();
    assert!(pods::plan(&pod).is_some());
}
