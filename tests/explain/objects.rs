//! The object for programs.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::command::explain_pod;
use crate::pods::{class, class_yaml, executor, executor_with, state};

const NODES: [&str; 4] =
    ["--node", "memory=64Gi,swap=32Gi,name=swap-1,count=2", "--node", "memory=2Gi,swap=1Gi"];

#[test]
fn a_plan() {
    let class = class("{strategy: HeapGrowth, heap: {growthPercent: 25}, nodes: {onlyWithSwap: true}}");
    assert_snapshot!(explain_pod(&executor(), Some(&class), &[&NODES[..], &["-o", "json"]].concat()));
}

#[test]
fn an_unchanged_pod() {
    let pod = executor_with(&[("/metadata/labels/spark-swap.io~1class", json!("nightly"))]);
    assert_snapshot!(explain_pod(&pod, None, &[&NODES[..], &["-o", "yaml"]].concat()));
}

#[test]
fn what_is_wrong_with_the_state_is_among_the_notes() {
    let first = class_yaml("{}");
    let second = first.replace("batch", "late");
    let state = state(&format!("{first}---\n{second}"));
    let object = explain_pod(&executor(), Some(&state), &["-o", "json"]);
    let object: Value = serde_json::from_str(&object).unwrap();
    let notes = object["notes"].as_array().unwrap();
    assert!(
        notes.iter().any(|note| note.as_str().unwrap().contains("batch is the default class already")),
        "{notes:?}"
    );
}
