//! Density: more executors on the same nodes, with swap behind what no longer fits.

use serde_json::{Value, json};

use crate::classes::{CLASS_CONF, batch, swap_node};
use crate::control_plane::ControlPlane;
use crate::nodes::{self, GIB};
use crate::pods;
use crate::spark::{Application, SPARK_4};
use crate::webhook::Webhook;

#[test]
fn an_executor_gets_the_numbers_and_the_plan_of_the_designs_example() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("density", json!({}));
    let _webhook =
        Webhook::start(cluster, &[&namespace], &[batch(), swap_node("swap-1"), swap_node("swap-2")]);
    let executors = eight_gigabytes(cluster, &namespace).conf(CLASS_CONF, "batch").executor_pods();

    let executor = &executors[0];
    assert_eq!(pods::request(executor), 6_299_844_608);
    assert_eq!(pods::limit(executor), 6_426_722_304);
    assert_eq!(pods::env(executor, "SPARK_EXECUTOR_MEMORY"), Some("8192m"));
    assert_eq!(executor["status"]["qosClass"], "Burstable");
    assert_eq!(
        executor["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"],
        json!({"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "spark-swap.io/limited-swap-permille", "operator": "Gt", "values": ["499"]},
        ]}]})
    );
    let mut plan = pods::plan(executor).expect("a plan annotation");
    assert!(["swap-1", "swap-2"].contains(&plan["node"]["name"].as_str().unwrap()));
    plan["node"]["name"] = json!("swap-1");
    assert_eq!(plan, plan_of_the_design());
}

#[test]
fn more_executors_fit_on_a_node_and_their_requests_never_exceed_it() {
    const EXECUTORS: usize = 12;
    let cluster = ControlPlane::shared();
    let (plain, dense) =
        (cluster.namespace("plain-fleet", json!({})), cluster.namespace("dense-fleet", json!({})));
    let bound_on = |node: &Value, namespace: &str| {
        let application = eight_gigabytes(cluster, namespace).executors(EXECUTORS).on_reserved_nodes();
        let driver = application.conf(CLASS_CONF, "batch").submit();
        let bound = pods::bound(EXECUTORS, || driver.executors());
        driver.stop();
        assert!(bound.iter().all(|pod| pod["spec"]["nodeName"] == node["metadata"]["name"]));
        let requested: u64 = bound.iter().map(pods::request).sum();
        assert!(requested <= pods::bytes(&node["status"]["allocatable"]["memory"]));
        bound.len()
    };

    let node = nodes::join(cluster, &swap_node("plain-fleet"), &plain);
    let before = bound_on(&node, &plain);
    let node = nodes::join(cluster, &swap_node("dense-fleet"), &dense);
    let _webhook = Webhook::start(cluster, &[&dense], &[batch(), node.clone()]);
    let after = bound_on(&node, &dense);

    // 64Gi divided by 9448718336 and by 6299844608.
    assert_eq!((before, after), (7, 10));
}

fn eight_gigabytes<'a>(cluster: &'a ControlPlane, namespace: &'a str) -> Application<'a> {
    Application::new(cluster, SPARK_4, namespace).conf("spark.executor.memory", "8g")
}

/// Section 7 of the design.
fn plan_of_the_design() -> Value {
    json!({
        "v": 1, "class": "batch", "strategy": "Density", "enforcement": "Enforce",
        "heap": {"from": 8_589_934_592_u64, "to": 8_589_934_592_u64}, "nonHeap": 858_783_744,
        "request": {"from": 9_448_718_336_u64, "to": 6_299_844_608_u64},
        "limit": {"from": 9_448_718_336_u64, "to": 6_426_722_304_u64},
        "workingSet": 4_724_359_168_u64, "peak": 9_448_718_336_u64, "unswappable": 0,
        "expectedSwap": 3_149_922_304_u64, "possibleSwap": 3_149_922_304_u64, "neededPermille": 500,
        "qosClass": "Burstable", "oomScoreAdj": 909, "bound": "PeakOverSwap",
        "node": {"name": "swap-1", "memory": 64 * GIB, "swap": 32 * GIB},
    })
}
