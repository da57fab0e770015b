//! Unchanged Spark on a cluster that is watched: what an admin applies decides how many executors a node holds.

use serde_json::json;

use crate::classes::{CLASS_LABEL, class_for, density, judged, swap_class_crd, swap_node};
use crate::control_plane::ControlPlane;
use crate::nodes;
use crate::pods::{self, MIB};
use crate::spark::{Application, SPARK_4};
use crate::wait;
use crate::webhook::Webhook;

const EXECUTORS: usize = 12;

#[test]
fn a_labelled_namespace_packs_more_executors_of_the_same_application() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let namespace = cluster.namespace("live-spark", json!({}));
    let node = nodes::join(cluster, &swap_node(&namespace), &namespace);
    let _webhook = Webhook::start_live(cluster, &[&namespace]);
    let bound = || {
        let application = Application::new(cluster, SPARK_4, &namespace).conf("spark.executor.memory", "8g");
        let driver = application.executors(EXECUTORS).on_reserved_nodes().submit();
        let bound = pods::bound(EXECUTORS, || driver.executors());
        driver.stop();
        // There is no kubelet to end them.
        cluster.kubectl(&["delete", "pods", "--all", "-n", &namespace, "--force", "--grace-period=0"]);
        bound
    };
    let node_memory = pods::bytes(&node["status"]["allocatable"]["memory"]);

    let before = bound();
    assert!(before.iter().all(|pod| pods::plan(pod).unwrap()["class"] == "safety-net"));

    cluster.apply(&class_for(&namespace, &namespace, density()));
    judged(cluster, &namespace);
    cluster.kubectl(&["label", "namespace", &namespace, &format!("{CLASS_LABEL}={namespace}")]);
    wait::until("class of the namespace", wait::LIMIT, || {
        let next = pods::executor("next", 8192, 819);
        let shown = cluster.try_create(&next, &["-n", &namespace, "--dry-run=server"])?;
        let plan = pods::plan(&shown);
        if plan.as_ref().is_some_and(|plan| plan["class"] == namespace) {
            Ok(())
        } else {
            Err(format!("{plan:?}"))
        }
    });
    let after = bound();
    for pod in &after {
        let plan = pods::plan(pod).unwrap();
        assert_eq!((&plan["class"], &plan["bound"]), (&json!(namespace), &json!("PeakOverSwap")));
        assert_eq!(pods::request(pod), 6008 * MIB);
        assert_eq!(pod["spec"]["nodeName"], node["metadata"]["name"]);
    }
    assert!(after.iter().map(pods::request).sum::<u64>() <= node_memory);
    // 64Gi divided by 9010Mi and by 6008Mi.
    assert_eq!((before.len(), after.len()), (7, 10));
}
