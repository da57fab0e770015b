//! The object for programs.

use insta::assert_snapshot;
use serde_json::json;

use crate::command::explain_pod;
use crate::pods::{class, executor, executor_with};

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
