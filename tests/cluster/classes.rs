//! SwapClasses, and the state that the webhook reads them from.

use serde_json::{Value, json};

use crate::nodes::{GIB, evidence, node};

/// The conf by which an application names its class.
pub(crate) const CLASS_CONF: &str = "spark.kubernetes.executor.label.spark-swap.io/class";
pub(crate) const CLASS_LABEL: &str = "spark-swap.io/class";

pub(crate) fn class(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "spark-swap.io/v1alpha1", "kind": "SwapClass", "metadata": {"name": name}, "spec": spec})
}

/// The class of the design's example.
pub(crate) fn batch() -> Value {
    class("batch", json!({"strategy": "Density", "workingSetPercent": 50, "peakMarginPercent": 0}))
}

/// A node with half as much swap as memory.
pub(crate) fn swap_node(name: &str) -> Value {
    node(name, 64 * GIB, 32 * GIB, evidence(500))
}
