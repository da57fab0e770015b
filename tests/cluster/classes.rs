//! SwapClasses, and the state that the webhook reads them from.

use std::sync::OnceLock;

use serde_json::{Value, json};

use spark_swap::cluster::api::definition::definition;

use crate::control_plane::ControlPlane;
use crate::nodes::{GIB, RESERVED_FOR, evidence, node};
use crate::wait;

/// The conf by which an application names its class.
pub(crate) const CLASS_CONF: &str = "spark.kubernetes.executor.label.spark-swap.io/class";
pub(crate) const CLASS_LABEL: &str = "spark-swap.io/class";

/// Installs the CustomResourceDefinition of SwapClass, once for all tests of the shared cluster.
pub(crate) fn swap_class_crd(cluster: &ControlPlane) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| install(cluster, &definition().unwrap()));
}

/// Installs a CustomResourceDefinition of SwapClass, and waits until classes can be created.
pub(crate) fn install(cluster: &ControlPlane, definition: &Value) {
    cluster.apply(definition);
    cluster.kubectl(&[
        "wait",
        "--for=condition=Established",
        "crd/swapclasses.spark-swap.io",
        "--timeout=60s",
    ]);
    // Established is said a moment before the API server serves them.
    wait::until("served SwapClasses", wait::LIMIT, || cluster.try_kubectl(&["get", "swapclasses"]));
}

/// Waits until a class carries a condition Ready for its newest generation, and returns the class.
pub(crate) fn judged(cluster: &ControlPlane, name: &str) -> Value {
    wait::until("condition Ready", wait::LIMIT, || {
        let class = cluster.get("swapclass", "", name);
        let is_current = class["status"]["observedGeneration"] == class["metadata"]["generation"];
        if is_current { Ok(class) } else { Err(class.to_string()) }
    })
}

pub(crate) fn class(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "spark-swap.io/v1alpha1", "kind": "SwapClass", "metadata": {"name": name}, "spec": spec})
}

/// A class whose executors run on the nodes that joined for a namespace, and nowhere else.
pub(crate) fn class_for(namespace: &str, name: &str, mut spec: Value) -> Value {
    spec["nodes"] = json!({
        "selector": {RESERVED_FOR: namespace},
        "tolerations": [{"key": RESERVED_FOR, "value": namespace, "effect": "NoSchedule"}],
    });
    class(name, spec)
}

/// The class of the design's example.
pub(crate) fn batch() -> Value {
    class("batch", density())
}

/// Its spec.
pub(crate) fn density() -> Value {
    json!({"strategy": "Density", "workingSetPercent": 50, "peakMarginPercent": 0})
}

/// A node with half as much swap as memory.
pub(crate) fn swap_node(name: &str) -> Value {
    node(name, 64 * GIB, 32 * GIB, evidence(500))
}
