//! The examples load without a problem, and say what their comments say.

use std::path::PathBuf;

use serde_json::{Value, json};
use spark_swap::admission::decision::decide;
use spark_swap::admission::review;
use spark_swap::cluster::state_files::load;
use spark_swap::sizing::class::{Enforcement, Strategy};
use spark_swap::sizing::plan::Plan;
use spark_swap::sizing::state::{Settings, State, StateParts};

use super::repository;

fn examples() -> StateParts {
    let paths: Vec<PathBuf> = ["examples/classes", "examples/state"].map(repository).into();
    load(&paths).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The plan for an executor with an 8g heap and 10 % overhead.
fn plan(namespace: &str, labels: &Value) -> Plan {
    let mut pod = json!({
        "metadata": {"name": "exec-1", "labels": {"spark-role": "executor", "spark-app-selector": "spark-5"}},
        "spec": {"containers": [{
            "name": "spark-kubernetes-executor",
            "args": ["executor"],
            "env": [{"name": "SPARK_EXECUTOR_MEMORY", "value": "8192m"}, {"name": "SPARK_EXECUTOR_ID", "value": "1"}],
            "resources": {"requests": {"cpu": "1", "memory": "9011Mi"}, "limits": {"memory": "9011Mi"}},
        }]},
    });
    pod["metadata"]["labels"].as_object_mut().unwrap().extend(labels.as_object().unwrap().clone());
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {"uid": "1", "namespace": namespace, "operation": "CREATE", "object": pod},
    })
    .to_string();
    let state = State::new(examples(), Settings::default());
    let decision = decide(&review::read(review.as_bytes()).unwrap(), &state);
    decision.plan.clone().unwrap_or_else(|| panic!("{} {:?}", decision.reason, decision.warnings()))
}

#[test]
fn the_examples_do_what_their_comments_say() {
    let batch = plan("etl", &json!({}));
    assert_eq!((batch.request.from >> 20, batch.request.to >> 20), (9011, 6909));
    let streaming = plan("default", &json!({"spark-swap.io/class": "streaming"}));
    assert_eq!(streaming.heap.map(|heap| (heap.from >> 30, heap.to >> 30)), Some((8, 10)));
    let notebooks = plan("default", &json!({}));
    assert_eq!((notebooks.request.to >> 20, notebooks.limit.to >> 20), (9010, 9011));
}

#[test]
fn the_examples_load() {
    let parts = examples();
    let classes: Vec<_> = parts.classes.iter().map(|class| (class.name.as_str(), class.strategy)).collect();
    assert_eq!(
        classes,
        [
            ("batch", Strategy::Density),
            ("canary", Strategy::Density),
            ("notebooks", Strategy::SafetyNet),
            ("streaming", Strategy::HeapGrowth),
        ]
    );
    let defaults: Vec<_> =
        parts.classes.iter().filter(|class| class.is_default).map(|class| &class.name).collect();
    assert_eq!(defaults, ["notebooks"]);
    assert_eq!(parts.classes[1].enforcement, Enforcement::Audit);
    assert_eq!(parts.classes[3].young_generation_percent, 12);

    let nodes: Vec<_> =
        parts.nodes.iter().map(|node| (node.name.as_str(), node.memory >> 30, node.swap >> 30)).collect();
    assert_eq!(nodes, [("plain-1", 64, 0), ("swap-1", 64, 32), ("swap-2", 64, 32)]);
    let label = parts.classes[0].swap.via.evidence_label();
    assert_eq!(parts.nodes[2].labels.get(label), Some("500"));
    assert_eq!(parts.limit_ranges[0].namespace, parts.namespaces[0].name);
    assert_eq!(parts.namespaces[0].labels[spark_swap::sizing::state::CLASS_LABEL], "batch");
}
