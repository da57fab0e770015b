//! States and pods to decide on, and the patched pod afterwards.

use serde_json::{Value, json};
use spark_swap::admission::decision::{Decision, decide};
use spark_swap::admission::review;
use spark_swap::sizing::class::{Strategy, SwapClass};
use spark_swap::sizing::limit_range::{LimitRange, LimitRangeItem};
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

/// The document with another value at a JSON pointer; missing objects on the way are made, `null` removes a member.
pub fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    let mut place = &mut document;
    let mut keys = pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~")).peekable();
    while let Some(key) = keys.next() {
        if keys.peek().is_none() && value.is_null() {
            place.as_object_mut().unwrap().remove(&key);
            return document;
        }
        place = match key.parse::<usize>() {
            Ok(index) if place.is_array() => &mut place[index],
            _ => &mut place[key],
        };
    }
    *place = value;
    document
}

/// The Spark container's field of the minimal executor.
pub fn with_container(pod: Value, pointer: &str, value: Value) -> Value {
    with(pod, &format!("/spec/containers/0{pointer}"), value)
}

pub fn with_label(pod: Value, key: &str, value: &str) -> Value {
    with(pod, &format!("/metadata/labels/{}", key.replace('/', "~1")), json!(value))
}

/// One more variable at the end of the Spark container's env.
pub fn with_env(mut pod: Value, name: &str, value: &str) -> Value {
    let env = pod["spec"]["containers"][0]["env"].as_array_mut().unwrap();
    env.push(json!({"name": name, "value": value}));
    pod
}

/// A state with one class, the node of the design's example, and more.
pub fn example_state(class: SwapClass, more: StateParts) -> State {
    State::new(
        StateParts { classes: vec![class], nodes: vec![swap_node("swap-1")], ..more },
        Settings::default(),
    )
}

/// A LimitRange of the namespace `default`, with its one item as the API shows it.
pub fn limit_range(item: &Value) -> LimitRange {
    let quantities = |key: &str| {
        let list = item[key].as_object().into_iter().flatten();
        list.map(|(name, value)| (name.clone(), value.as_str().unwrap().parse().unwrap())).collect()
    };
    LimitRange {
        namespace: "default".to_owned(),
        name: "limits".to_owned(),
        items: vec![LimitRangeItem {
            kind: item["type"].as_str().unwrap().to_owned(),
            min: quantities("min"),
            max: quantities("max"),
            max_limit_request_ratio: quantities("maxLimitRequestRatio"),
        }],
    }
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
