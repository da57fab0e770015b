//! What nodes have for pods: `status.allocatable`. The scheduler counts it; no decision reads it, so it is no part of the
//! state.

use std::collections::HashMap;

use serde_json::Value;

use crate::sizing::field_values::quantity;
use crate::sizing::quantity::Quantity;

/// What a node has for pods; `None` where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allocatable {
    /// Memory, bytes.
    pub memory: Option<u64>,
    /// cpu, thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// The most pods.
    pub pods: Option<u64>,
}

/// By the node's name.
pub type AllocatableByNode = HashMap<String, Allocatable>;

/// Notes the nodes of a document that holds an object or a list of objects. What cannot be read is not known.
pub fn note_document(document: &Value, nodes: &mut AllocatableByNode) {
    note(document, None, nodes);
}

fn note(object: &Value, kind_of_items: Option<&str>, nodes: &mut AllocatableByNode) {
    let kind = object.get("kind").and_then(Value::as_str).or(kind_of_items);
    if kind == Some("Node") {
        if let Some(name) = object.pointer("/metadata/name").and_then(Value::as_str) {
            nodes.insert(name.to_owned(), Allocatable::read(object));
        }
    } else if let (Some(Value::Array(items)), Some(kind)) =
        (object.get("items"), kind.and_then(|kind| kind.strip_suffix("List")))
    {
        for item in items {
            note(item, Some(kind), nodes);
        }
    }
}

impl Allocatable {
    /// Of a Node as the API server has it.
    pub fn read(node: &Value) -> Self {
        let of = |path| node.pointer(path).unwrap_or(&Value::Null);
        Self::of(of("/status/allocatable"), of("/status/capacity"))
    }

    /// Capacity stands in for cpu and pods that are missing: it is no less.
    pub fn of(allocatable: &Value, capacity: &Value) -> Self {
        let amount = |list: &Value, name| list.get(name).and_then(|value| quantity(value).ok());
        let or_capacity = |name| amount(allocatable, name).or_else(|| amount(capacity, name));
        Self {
            memory: amount(allocatable, "memory").and_then(Quantity::bytes),
            cpu_millis: or_capacity("cpu").and_then(millis),
            pods: or_capacity("pods").and_then(Quantity::bytes),
        }
    }
}

/// Thousandths of a core; `None` when negative.
pub fn millis(quantity: Quantity) -> Option<u64> {
    u64::try_from(quantity.milli_value()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nodes_are_found_in_lists_and_what_is_odd_is_not_known() {
        let document = json!({"kind": "List", "items": [
            {"kind": "Node", "metadata": {"name": "a"}, "status": {
                "capacity": {"cpu": "16", "memory": "64Gi", "pods": "250"},
                "allocatable": {"cpu": "15890m", "memory": "60Gi", "pods": "110"}}},
            {"kind": "Pod", "metadata": {"name": "b"}},
            {"kind": "NodeList", "items": [
                {"metadata": {"name": "c"}, "status": {"capacity": {"cpu": "8", "memory": "64Gi"}}},
                {"metadata": {"name": "d"}, "status": {"allocatable": {"cpu": [], "memory": "many", "pods": -1}}},
            ]},
        ]});
        let mut nodes = AllocatableByNode::new();
        note_document(&document, &mut nodes);
        assert_eq!(nodes.len(), 3);
        let a = Allocatable { memory: Some(60 << 30), cpu_millis: Some(15_890), pods: Some(110) };
        assert_eq!(nodes["a"], a);
        assert_eq!(nodes["c"], Allocatable { cpu_millis: Some(8000), ..Allocatable::default() });
        assert_eq!(nodes["d"], Allocatable::default());
    }
}
