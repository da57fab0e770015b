//! A webhook that watches its cluster: what is applied there changes the next executor, without a restart.

use serde_json::{Value, json};

use crate::classes::{CLASS_LABEL, class_for, density, judged, swap_class_crd};
use crate::control_plane::ControlPlane;
use crate::nodes::{self, GIB};
use crate::pods::{self, MIB};
use crate::wait;
use crate::webhook::Webhook;

/// The plan of an executor that is created now; `None` when it is left alone.
fn plan(cluster: &ControlPlane, namespace: &str, class: &str) -> Option<Value> {
    let mut pod = pods::executor("next", 8192, 819);
    pod["metadata"]["labels"][CLASS_LABEL] = json!(class);
    let created = cluster.try_create(&pod, &["-n", namespace, "--dry-run=server"]).unwrap();
    pods::plan(&created)
}

#[test]
fn what_is_applied_to_the_cluster_changes_the_next_executor() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let namespace = cluster.namespace("live", json!({}));
    let class_name = format!("live-{namespace}");
    let webhook = Webhook::start_live(cluster, &[&namespace]);
    let next = || plan(cluster, &namespace, &class_name);
    let becomes = |what: &str, is_so: &dyn Fn(Option<&Value>) -> bool| {
        wait::until(what, wait::LIMIT, || {
            let plan = next();
            if is_so(plan.as_ref()) { Ok(()) } else { Err(format!("{plan:?}\n{}", webhook.log())) }
        });
    };
    assert_eq!(next(), None, "a class that is not there");

    let node = |name: &str, swap: u64| {
        let node = nodes::node(&format!("{name}-{namespace}"), 64 * GIB, swap, json!({}));
        nodes::join(cluster, &node, &namespace)
    };
    node("with", 32 * GIB);
    cluster.apply(&class_for(&namespace, &class_name, density()));
    assert_eq!(judged(cluster, &class_name)["status"]["conditions"][0]["status"], "True");
    // Swap without evidence: nothing is proven.
    assert_eq!(next(), None);

    cluster.kubectl(&[
        "label",
        "node",
        &format!("with-{namespace}"),
        "spark-swap.io/limited-swap-permille=500",
    ]);
    becomes("plan after the node was labelled", &|plan| {
        plan.is_some_and(|plan| plan["request"]["to"] == 6_299_844_608_u64 && plan["bound"] == "PeakOverSwap")
    });

    node("without", 0);
    becomes("end of plans after a node without swap joined", &|plan| plan.is_none());
    cluster.kubectl(&["delete", "node", &format!("without-{namespace}")]);
    becomes("plan after the node left", &|plan| plan.is_some());

    cluster.create(&json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "floor", "namespace": namespace},
        "spec": {"limits": [{"type": "Container", "min": {"memory": "7Gi"}}]},
    }));
    becomes("bound of the LimitRange", &|plan| {
        plan.is_some_and(|plan| plan["request"]["to"] == 7 * GIB && plan["bound"] == "LimitRange")
    });
    cluster.kubectl(&["delete", "limitrange", "floor", "-n", &namespace]);

    let mut audit = class_for(&namespace, &class_name, density());
    audit["spec"]["enforcement"] = json!("Audit");
    cluster.apply(&audit);
    becomes("audit", &|plan| plan.is_some_and(|plan| plan["enforcement"] == "Audit"));
    assert!(next().is_some_and(|plan| plan["request"]["to"].as_u64() < Some(7000 * MIB)));
}
