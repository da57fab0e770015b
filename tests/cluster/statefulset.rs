//! Executors that the controller manager creates for Spark's StatefulSet allocator.

use serde_json::json;

use crate::control_plane::ControlPlane;
use crate::pods;
use crate::spark::{Application, SPARK_4};
use crate::webhook::Webhook;

#[test]
fn executors_of_a_statefulset_are_planned_and_its_template_stays_sparks() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("statefulset", json!({}));
    let _webhook = Webhook::start(cluster, &[&namespace], &[]);
    // The allocator makes the driver's pod the owner of the set. Ours runs outside of the
    // cluster, so any pod has to stand for it.
    let mut owner = pods::executor("driver", 1024, 384);
    owner["metadata"]["labels"] = json!({"spark-role": "driver"});
    cluster.try_create(&owner, &["-n", &namespace]).unwrap();
    let driver = Application::new(cluster, SPARK_4, &namespace)
        .conf("spark.kubernetes.driver.pod.name", "driver")
        .executors(2)
        .conf("spark.kubernetes.allocation.pods.allocator", "statefulset")
        .submit();
    let sets = cluster.list("statefulsets", &namespace, "");
    for executor in driver.stop() {
        assert_eq!(executor["metadata"]["ownerReferences"][0]["kind"], "StatefulSet");
        assert_eq!(pods::request(&executor), pods::limit(&executor) - pods::MIB);
        assert_eq!(pods::plan(&executor).unwrap()["class"], "safety-net");
    }
    let template = &sets[0]["spec"]["template"];
    assert_eq!(pods::plan(template), None);
    assert_eq!(pods::request(template), pods::limit(template));
}
