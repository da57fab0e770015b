//! Where a pod is not shaped like a pod. The webhook leaves such pods to the API server; a person wants to know.

use serde_json::{Value, json};

use super::pod_input::found;
use crate::admission::pod::Pod;

/// The deepest field that is not of the type that a pod has there, with what was found; never its content.
pub fn problem(pod: &Value) -> Option<(String, String)> {
    if is_pod(pod) {
        return None;
    }
    let (path, value) = deepest(pod, &|candidate| candidate);
    Some((path, format!("is not what a pod has there: found {}", found(value))))
}

fn is_pod(pod: &Value) -> bool {
    serde_json::from_str::<Pod<'_>>(&pod.to_string()).is_ok()
}

/// Follows the member or item that by itself makes the pod unreadable. `within` puts a value at its place in an
/// otherwise empty pod.
fn deepest<'v>(value: &'v Value, within: &dyn Fn(Value) -> Value) -> (String, &'v Value) {
    let is_bad = |candidate: Value| !is_pod(&within(candidate));
    let is_wrong_type = match value {
        Value::Object(_) => is_bad(json!({})),
        Value::Array(_) => is_bad(json!([])),
        _ => true,
    };
    if is_wrong_type {
        return (String::new(), value);
    }
    let (step, child, path) = match value {
        Value::Object(members) => {
            let Some((name, member)) = members.iter().find(|(name, member)| is_bad(json!({ *name: member })))
            else {
                return (String::new(), value);
            };
            (Step::Member(name), member, name.clone())
        }
        Value::Array(items) => {
            let Some((index, item)) = items.iter().enumerate().find(|(_, item)| is_bad(json!([item]))) else {
                return (String::new(), value);
            };
            (Step::Item, item, format!("[{index}]"))
        }
        _ => return (String::new(), value),
    };
    let (rest, found) = deepest(child, &|candidate| within(step.wrap(&candidate)));
    let separator = if rest.is_empty() || rest.starts_with('[') { "" } else { "." };
    (format!("{path}{separator}{rest}"), found)
}

#[derive(Clone, Copy)]
enum Step<'n> {
    Member(&'n str),
    Item,
}

impl Step<'_> {
    fn wrap(self, value: &Value) -> Value {
        match self {
            Self::Member(name) => json!({ name: value }),
            Self::Item => json!([value]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_named_and_its_content_is_not() {
        for (pod, path, found) in [
            (json!({"spec": "SECRET"}), "spec", "a string"),
            (json!({"metadata": {"name": "a", "labels": ["a"]}}), "metadata.labels", "a list"),
            (
                json!({"spec": {"containers": [{"name": "a"}, {"env": "SECRET"}]}}),
                "spec.containers[1].env",
                "a string",
            ),
            (
                json!({"spec": {"containers": [{"env": [{"name": "A"}, {"name": "B", "value": 5}]}]}}),
                "spec.containers[0].env[1].value",
                "a number",
            ),
            (json!({"spec": {"priority": "high"}}), "spec.priority", "a string"),
            (json!({"spec": {"containers": {"name": "a"}}}), "spec.containers", "an object"),
        ] {
            let expected = format!("is not what a pod has there: found {found}");
            assert_eq!(problem(&pod), Some((path.to_owned(), expected)), "{pod}");
        }
        assert_eq!(problem(&json!({"spec": {"containers": [{"name": null, "unknown": 5}]}})), None);
    }
}
