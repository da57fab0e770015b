//! Nodes without a kubelet: the scheduler sees their labels, taints and sizes.

use serde_json::{Value, json};

use crate::control_plane::ControlPlane;

pub(crate) const GIB: u64 = 1 << 30;

/// The taint that keeps a test's nodes to its own pods, and the label that finds them; the value is the test's namespace.
pub(crate) const RESERVED_FOR: &str = "test.spark-swap.io/reserved-for";

/// A node as kubectl prints it, for the cluster or for a state file.
pub(crate) fn node(name: &str, memory: u64, swap: u64, labels: Value) -> Value {
    let resources = json!({"cpu": "64", "memory": memory.to_string(), "pods": "250"});
    // As a kubelet reports it: nothing where there is none.
    let node_info = if swap == 0 { json!({}) } else { json!({"swap": {"capacity": swap}}) };
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {
            "capacity": resources, "allocatable": resources,
            "nodeInfo": node_info,
            "conditions": [{"type": "Ready", "status": "True", "reason": "Test", "message": ""}],
        },
    })
}

/// The evidence label with the promised permille.
pub(crate) fn evidence(permille: u64) -> Value {
    json!({"spark-swap.io/limited-swap-permille": permille.to_string()})
}

/// Lets a node join the cluster, for the pods of `namespace` only. Returns it as it is stored.
pub(crate) fn join(cluster: &ControlPlane, node: &Value, namespace: &str) -> Value {
    let name = node["metadata"]["name"].as_str().unwrap();
    let mut created = node.clone();
    created["metadata"]["labels"][RESERVED_FOR] = json!(namespace);
    cluster.create(&created);
    // A created node has no status yet, and a not-ready taint that the absent node
    // lifecycle controller would remove.
    let status = json!({"status": node["status"]}).to_string();
    cluster.kubectl(&["patch", "node", name, "--subresource=status", "--type=merge", "-p", &status]);
    let taints = json!([{"key": RESERVED_FOR, "value": namespace, "effect": "NoSchedule"}]);
    let spec = json!({"spec": {"taints": taints}}).to_string();
    cluster.kubectl(&["patch", "node", name, "--type=merge", "-p", &spec]);
    cluster.get("node", "", name)
}

/// What a pod of `namespace` needs to run on the nodes that joined for it.
pub(crate) fn toleration(namespace: &str) -> Value {
    json!({"key": RESERVED_FOR, "operator": "Equal", "value": namespace, "effect": "NoSchedule"})
}
