//! Our matching of pods to nodes against the scheduler's filters.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use spark_swap::sizing::labels::Labels;
use spark_swap::sizing::placement::{NodeSelectorTerm, Placement, Requirement, Taint, Toleration};

use crate::oracle::{Random, assert_no_difference};

#[test]
fn pods_may_land_on_the_nodes_that_the_scheduler_allows() {
    assert_no_difference(100_000, question, |question, answer| {
        let (pod, node) = (&question["pod"]["spec"], &question["node"]);
        let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
        let labels: Labels = labels.map(|(key, value)| (key, text(value))).collect();
        let taints: Vec<_> = list(&node["spec"]["taints"]).map(taint).collect();
        let ours = placement(pod).allows(&text(&node["metadata"]["name"]), &labels, &taints);
        let theirs = answer["affinity"].as_bool().ok_or("no answer")? && answer["taints"] == true;
        if ours == theirs { Ok(()) } else { Err(format!("we say {ours}")) }
    });
}

const KEYS: [&str; 3] = ["zone", "pool", "spark-swap.io/limited-swap-permille"];
const VALUES: [&str; 7] = ["a", "b", "1", "499", "500", "00501", ""];

fn question(random: &mut Random) -> Value {
    let labels: BTreeMap<_, _> =
        random.several(4, |random| (random.pick(&KEYS), random.pick(&VALUES))).into_iter().collect();
    let selector: BTreeMap<_, _> =
        random.several(2, |random| (random.pick(&KEYS), random.pick(&VALUES))).into_iter().collect();
    let mut pod = json!({"nodeSelector": selector, "tolerations": random.several(4, random_toleration)});
    if random.percent(70) {
        // The API server refuses a list without terms.
        let mut terms = vec![random_term(random)];
        terms.extend(random.several(3, random_term));
        pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
            json!({"nodeSelectorTerms": terms});
    }
    let taints = random.several(3, |random| {
        json!({"key": random.pick(&KEYS), "value": random.pick(&VALUES),
            "effect": random.pick(&["NoSchedule", "NoExecute", "PreferNoSchedule"])})
    });
    json!({"op": "nodeMatch", "pod": {"spec": pod},
        "node": {"metadata": {"name": random.pick(&["node-1", "node-2"]), "labels": labels}, "spec": {"taints": taints}}})
}

fn random_term(random: &mut Random) -> Value {
    let fields = if random.percent(20) {
        json!([{"key": "metadata.name", "operator": random.pick(&["In", "NotIn"]), "values": [random.pick(&["node-1", "node-2"])]}])
    } else {
        json!([])
    };
    json!({"matchExpressions": random.several(3, random_requirement), "matchFields": fields})
}

fn random_requirement(random: &mut Random) -> Value {
    let operator = random.pick(&["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]);
    let values = match operator {
        "In" | "NotIn" => {
            let mut values = vec![random.pick(&VALUES)];
            values.extend(random.several(3, |random| random.pick(&VALUES)));
            values
        }
        "Gt" | "Lt" => vec![random.pick(&[
            "0",
            "499",
            "500",
            "0500",
            "9223372036854775807",
            "9223372036854775808",
            "many",
        ])],
        _ => Vec::new(),
    };
    json!({"key": random.pick(&KEYS), "operator": operator, "values": values})
}

/// Without the operators Lt and Gt, which are behind a gate that is off: there we expect more nodes than the scheduler.
fn random_toleration(random: &mut Random) -> Value {
    let operator = random.pick(&["Exists", "Equal", ""]);
    let key = if operator == "Exists" && random.percent(30) { "" } else { random.pick(&KEYS) };
    let value = if operator == "Exists" { "" } else { random.pick(&VALUES) };
    json!({"key": key, "operator": operator, "value": value, "effect": random.pick(&["", "NoSchedule", "NoExecute"])})
}

fn placement(spec: &Value) -> Placement<'_> {
    let required = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let terms = required["nodeSelectorTerms"].as_array();
    let selector = spec["nodeSelector"].as_object().into_iter().flatten();
    Placement {
        node_name: None,
        node_selector: selector.map(|(key, value)| (key.into(), text(value))).collect(),
        required_terms: terms.map(|terms| terms.iter().map(term).collect()),
        tolerations: list(&spec["tolerations"]).map(toleration).collect(),
    }
}

fn term(term: &Value) -> NodeSelectorTerm<'_> {
    NodeSelectorTerm {
        expressions: list(&term["matchExpressions"]).map(requirement).collect(),
        fields: list(&term["matchFields"]).map(requirement).collect(),
    }
}

fn requirement(requirement: &Value) -> Requirement<'_> {
    Requirement {
        key: text(&requirement["key"]),
        operator: text(&requirement["operator"]),
        values: list(&requirement["values"]).map(text).collect(),
    }
}

fn toleration(toleration: &Value) -> Toleration<'_> {
    Toleration {
        key: text(&toleration["key"]),
        operator: text(&toleration["operator"]),
        value: text(&toleration["value"]),
        effect: text(&toleration["effect"]),
        seconds: None,
    }
}

fn taint(taint: &Value) -> Taint {
    let own = |field: &str| text(&taint[field]).into_owned();
    Taint { key: own("key"), value: own("value"), effect: own("effect") }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Cow<'_, str> {
    value.as_str().unwrap_or_default().into()
}
