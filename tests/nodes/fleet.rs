//! The table of a live cluster, with kubelets and executors.

use insta::assert_snapshot;
use serde_json::{Value, json};
use spark_swap::cli::nodes::executors::RunningExecutor;
use spark_swap::cli::nodes::fleet::NodeFacts;
use spark_swap::cli::nodes::object::NodeObject;
use spark_swap::cli::nodes::readiness::{Kubelet, Readiness};
use spark_swap::cli::nodes::table::{Row, legend, table};
use spark_swap::cluster::kubelet_config::KubeletConfig;
use spark_swap::sizing::nodes::Node;

use crate::executors::{executor, node};

const EVIDENCE: &str = "spark-swap.io/limited-swap-permille";
const CRIO: &str = "spark-swap.io/crio-swap-permille";

/// A node of 64Gi with what its kubelet says and how many executors of the design's example run on it.
fn facts(
    name: &str,
    swap_gib: u64,
    labels: &[(&str, &str)],
    kubelet: Option<Value>,
    executors: usize,
) -> NodeFacts {
    let node = Node { name: name.to_owned(), swap: swap_gib << 30, ..node(labels) };
    let config =
        |value: Value| KubeletConfig::from_configz(&json!({"kubeletconfig": value}).to_string()).unwrap();
    let kubelet = kubelet.map_or_else(
        || Kubelet::Unreachable("error trying to reach service: connection refused".to_owned()),
        |value| Kubelet::Config(config(value)),
    );
    let running = RunningExecutor::read(&executor(&[])).unwrap();
    NodeFacts { node, kubelet, executors: Some(vec![running; executors]) }
}

fn fleet() -> Vec<NodeFacts> {
    let limited = || Some(json!({"memorySwap": {"swapBehavior": "LimitedSwap"}, "failSwapOn": false}));
    let no_swap = || Some(json!({"memorySwap": {}, "failSwapOn": false}));
    let late = json!({"memorySwap": {"swapBehavior": "LimitedSwap"}});
    vec![
        facts("crio-1", 32, &[(CRIO, "400")], no_swap(), 0),
        facts("default-1", 32, &[(EVIDENCE, "500")], Some(json!({})), 2),
        facts("late-1", 0, &[], Some(late), 1),
        facts("new-1", 32, &[("eks.amazonaws.com/nodegroup", "spark")], limited(), 3),
        facts("noswap-1", 32, &[], no_swap(), 3),
        facts("plain-1", 0, &[], Some(json!({})), 7),
        facts("silent-1", 32, &[(EVIDENCE, "500")], None, 1),
        facts("silent-2", 32, &[], None, 1),
        facts("swap-1", 32, &[(EVIDENCE, "500"), ("eks.amazonaws.com/nodegroup", "spark")], limited(), 10),
        facts("swap-2", 32, &[(EVIDENCE, "500")], limited(), 0),
    ]
}

#[test]
fn a_mixed_fleet() {
    let fleet = fleet();
    let judged: Vec<Readiness> =
        fleet.iter().map(|facts| Readiness::of(&facts.node, &facts.kubelet)).collect();
    let rows: Vec<Row<'_>> =
        fleet.iter().zip(&judged).map(|(facts, readiness)| Row { facts, readiness }).collect();
    let legend = legend(&rows).join("\n");
    assert_snapshot!(format!("{}\n{}\n{legend}\n", table(&rows, false), table(&rows, true)));

    let objects: Vec<NodeObject<'_>> = rows.iter().map(NodeObject::new).collect();
    let objects = serde_json::to_value(objects).unwrap();
    assert_snapshot!(serde_json::to_string_pretty(&[&objects[6], &objects[8]]).unwrap());
}
