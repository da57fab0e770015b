//! Where a pod may land, read from its JSON.

use std::collections::BTreeMap;

use serde_json::Value;
use spark_swap::sizing::nodes::Node;
use spark_swap::sizing::placement::{NodeSelectorTerm, Requirement, Toleration};

use crate::reference::kubernetes::Wanted;

/// The scheduler may bind the pod to the node, and the node can hold the request.
pub fn may_land(pod: &Value, node: &Node, request: u64) -> bool {
    let spec = &pod["spec"];
    let selector: BTreeMap<String, String> =
        serde_json::from_value(spec["nodeSelector"].clone()).unwrap_or_default();
    let required = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let terms: Option<Vec<_>> =
        required["nodeSelectorTerms"].as_array().map(|terms| terms.iter().map(term).collect());
    let tolerations: Vec<_> = spec["tolerations"].as_array().into_iter().flatten().map(toleration).collect();
    let wanted = Wanted {
        node_name: spec["nodeName"].as_str(),
        node_selector: &selector,
        terms: terms.as_deref(),
        tolerations: &tolerations,
    };
    wanted.allows(node) && node.memory >= request
}

fn text(value: &Value) -> std::borrow::Cow<'static, str> {
    value.as_str().unwrap_or_default().to_owned().into()
}

fn requirements(list: &Value) -> Vec<Requirement<'static>> {
    let requirement = |entry: &Value| Requirement {
        key: text(&entry["key"]),
        operator: text(&entry["operator"]),
        values: entry["values"].as_array().into_iter().flatten().map(text).collect(),
    };
    list.as_array().into_iter().flatten().map(requirement).collect()
}

fn term(term: &Value) -> NodeSelectorTerm<'static> {
    NodeSelectorTerm {
        expressions: requirements(&term["matchExpressions"]),
        fields: requirements(&term["matchFields"]),
    }
}

fn toleration(entry: &Value) -> Toleration<'static> {
    Toleration {
        key: text(&entry["key"]),
        operator: text(&entry["operator"]),
        value: text(&entry["value"]),
        effect: text(&entry["effect"]),
        seconds: None,
    }
}
