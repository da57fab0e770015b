//! Executors and states to explain.

use serde_json::{Value, json};
use tempfile::TempDir;

/// The 8g executor of the design's example.
pub(crate) fn executor() -> Value {
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
                {"name": "SPARK_EXECUTOR_MEMORY", "value": "8192m"},
                {"name": "SPARK_EXECUTOR_ID", "value": "1"}
            ],
            "resources": {
                "requests": {"cpu": "1", "memory": "9011Mi"},
                "limits": {"memory": "9011Mi"}
            }
        }]}
    })
}

/// The executor with values at these JSON pointers; null removes what is there.
pub(crate) fn executor_with(changes: &[(&str, Value)]) -> Value {
    let mut pod = executor();
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let name = name.replace("~1", "/");
        match pod.pointer_mut(parent).unwrap_or_else(|| panic!("{parent} is missing")) {
            Value::Object(members) if value.is_null() => _ = members.remove(&name),
            Value::Object(members) => _ = members.insert(name, value.clone()),
            Value::Array(items) if name == "-" => items.push(value.clone()),
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
            other => panic!("{other} has no members"),
        }
    }
    pod
}

/// A directory with a state file.
pub(crate) fn state(yaml: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("state.yaml"), yaml).unwrap();
    directory
}

/// A SwapClass that is the default; `spec` is YAML in flow style.
pub(crate) fn class(spec: &str) -> TempDir {
    state(&class_yaml(spec))
}

/// The same as text, for states with more in them.
pub(crate) fn class_yaml(spec: &str) -> String {
    format!(
        "apiVersion: spark-swap.io/v1alpha1\nkind: SwapClass\n\
         metadata: {{name: batch, annotations: {{spark-swap.io/is-default-class: \"true\"}}}}\nspec: {spec}\n"
    )
}
