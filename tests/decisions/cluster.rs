//! States and pods to decide on, and the patched pod afterwards.

use serde_json::{Value, json};
use spark_swap::admission::decision::{Decision, decide};
use spark_swap::admission::review;
use spark_swap::sizing::class::{Strategy, SwapClass};
use spark_swap::sizing::nodes::Node;
use spark_swap::sizing::placement::Taint;
use spark_swap::sizing::state::{Settings, State, StateParts};

pub const GIB: u64 = 1 << 30;
pub const EVIDENCE: &str = "spark-swap.io/limited-swap-permille";

/// A class with a strategy, everything else by default, that is the default class.
pub fn class(strategy: Strategy) -> SwapClass {
    SwapClass { name: "batch".to_owned(), is_default: true, strategy, ..SwapClass::built_in() }
}

/// A node with labels `key=value`.
pub fn node(name: &str, memory: u64, swap: u64, labels: &[(&str, &str)]) -> Node {
    Node {
        name: name.to_owned(),
        memory,
        swap,
        labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        taints: Vec::<Taint>::new(),
    }
}

/// The node of the design's example: 64Gi with 32Gi of swap and evidence.
pub fn swap_node(name: &str) -> Node {
    node(name, 64 * GIB, 32 * GIB, &[(EVIDENCE, "500")])
}

/// A state with one class and these nodes.
pub fn state(class: SwapClass, nodes: Vec<Node>) -> State {
    State::new(StateParts { classes: vec![class], nodes, ..StateParts::default() }, Settings::default())
}

/// A minimal executor pod: heap in MiB and memory in Mi.
pub fn executor(heap_mib: u64, memory_mib: u64) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "job-exec-1",
            "labels": {"spark-role": "executor", "spark-app-selector": "spark-0123456789abcdef"}
        },
        "spec": {"containers": [{
            "name": "spark-kubernetes-executor",
            "args": ["executor"],
            "env": [
                {"name": "SPARK_EXECUTOR_MEMORY", "value": format!("{heap_mib}m")},
                {"name": "SPARK_EXECUTOR_ID", "value": "1"}
            ],
            "resources": {
                "requests": {"cpu": "1", "memory": format!("{memory_mib}Mi")},
                "limits": {"memory": format!("{memory_mib}Mi")}
            }
        }]}
    })
}

/// The 8g executor of the design's example.
pub fn example() -> Value {
    executor(8192, 9011)
}

pub fn review_of(pod: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "default",
            "operation": "CREATE",
            "object": pod
        }
    })
}

/// Decides for a pod and applies the patch with an independent RFC 6902 implementation.
pub fn admit(pod: &Value, state: &State) -> (Decision, Value) {
    let body = serde_json::to_vec(&review_of(pod)).unwrap();
    let request = review::read(&body).unwrap();
    let decision = decide(&request, state);
    let operations = serde_json::to_value(&decision.operations).unwrap();
    let patch: json_patch::Patch = serde_json::from_value(operations).unwrap();
    let mut patched = pod.clone();
    json_patch::patch(&mut patched, &patch).expect("every patch applies");
    (decision, patched)
}

/// The plan annotation of a pod.
pub fn plan_of(pod: &Value) -> Value {
    let annotation = pod.pointer("/metadata/annotations/spark-swap.io~1plan").and_then(Value::as_str);
    serde_json::from_str(annotation.expect("a plan annotation")).unwrap()
}
