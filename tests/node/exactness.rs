//! What the kubelet wrote into cgroups, compared with what plan and `explain` said, to the byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use spark_swap::sizing::kubelet::{QosClass, oom_score_adj};
use spark_swap::sizing::quantity::Quantity;

use crate::arm::{Arm, Parameters};

const SPARK: &str = "spark-kubernetes-executor";
/// An init container that goes on running: the kubelet protects it as well as the best of the others.
const NATIVE_SIDECAR: &str = "native";
const PAGE: u64 = 4096;
/// So many containers of each kind the matrix has at least.
const LEAST: usize = 8;

/// A container as `matrix/read_groups.py` found it.
#[derive(Deserialize)]
struct Container {
    pod: String,
    #[serde(rename = "container")]
    name: String,
    #[serde(rename = "qosClass")]
    qos_class: String,
    plan: Value,
    resources: Value,
    #[serde(rename = "memory.max")]
    memory_max: String,
    #[serde(rename = "memory.swap.max")]
    swap_max: String,
    oom_score_adj: i64,
}

/// What `explain` says of a pod.
#[derive(Deserialize)]
struct Explained {
    pod: ExplainedPod,
    #[serde(default)]
    plan: Value,
}

#[derive(Deserialize)]
struct ExplainedPod {
    name: String,
}

/// The node of the matrix: all pods fit it at once.
pub(crate) fn arm(defaults: &Parameters) -> Arm {
    let mut parameters = defaults.clone();
    let own = [
        ("WORKLOAD", "matrix"),
        ("NODE_MEMORY", "8G"),
        ("NODE_SWAP", "4G"),
        ("RESERVED", "200Mi"),
        ("WEBHOOK", "yes"),
        ("EVIDENCE", "yes"),
    ];
    parameters.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let shows = "What the kubelet writes is what plan and explain said".to_owned();
    Arm { name: "exactness-matrix".to_owned(), shows, expects: Vec::new(), parameters }
}

/// Tells what a record of the matrix came to, and whether all of it is exact.
///
/// # Errors
/// The record is not complete.
pub(crate) fn told(record: &Path) -> anyhow::Result<bool> {
    let Exactness { planned, others, mut differences } = compare(record)?;
    let plan: Value = read(record, "plan.json")?;
    let room = &plan["executors"][0]["room"];
    for (namespace, predicted) in [("without", &room["before"]), ("with", &room["after"])] {
        let placed: Value = read(record, &format!("placed-{namespace}"))?;
        println!("placed {namespace} the webhook: {placed} executors, plan says {predicted}");
        if placed != *predicted {
            differences.push(format!("the scheduler placed {placed} executors, plan says {predicted}"));
        }
    }
    for difference in &differences {
        println!("{difference}");
    }
    println!(
        "exactness: {planned} containers with a plan and {others} without one, {} differences",
        differences.len()
    );
    // A matrix that nobody planned would be exact, too.
    Ok(differences.is_empty() && planned >= LEAST && others >= LEAST)
}

/// What came out.
struct Exactness {
    /// Containers with a plan.
    planned: usize,
    /// Containers without: companions, neighbours, and executors left alone.
    others: usize,
    differences: Vec<String>,
}

fn compare(record: &Path) -> anyhow::Result<Exactness> {
    let with: Vec<Container> = read(record, "groups-with.json")?;
    let without: Vec<Container> = read(record, "groups-without.json")?;
    let explained: Vec<Explained> = read(record, "explained.json")?;
    let explained: BTreeMap<_, _> = explained.into_iter().map(|of| (of.pod.name, of.plan)).collect();
    let without: BTreeMap<_, _> = without.iter().map(|of| (of.key(), of)).collect();
    let node: Value = read(record, "node.json")?;
    let memory = bytes(&node["status"]["capacity"]["memory"])?;

    let mut exactness = Exactness { planned: 0, others: 0, differences: Vec::new() };
    for container in &with {
        let key = container.key();
        let mut differ = |what: &str, is: &dyn ToString, should: &dyn ToString| {
            let (is, should) = (is.to_string(), should.to_string());
            if is != should {
                exactness.differences.push(format!("{}/{}: {what} is {is}, not {should}", key.0, key.1));
            }
        };
        if container.name == SPARK {
            differ(
                "the plan of explain",
                explained.get(&container.pod).unwrap_or(&Value::Null),
                &container.plan,
            );
        }
        if container.name == SPARK && container.plan.is_object() {
            exactness.planned += 1;
            let plan = &container.plan;
            // The kernel counts in pages.
            let limit = plan["limit"]["to"].as_u64().context("a plan without a limit")? / PAGE * PAGE;
            differ("memory.max", &container.memory_max, &limit);
            differ("memory.swap.max", &container.swap_max, &plan["expectedSwap"]);
            differ("oom_score_adj", &container.oom_score_adj, &plan["oomScoreAdj"]);
            differ("the QoS class", &Value::from(container.qos_class.clone()), &plan["qosClass"]);
        } else {
            exactness.others += 1;
            let before =
                without.get(&key).with_context(|| format!("{key:?} is missing without the webhook"))?;
            let adjusted = match with.iter().find(|of| of.pod == container.pod && of.name == SPARK) {
                Some(executor) if container.name == NATIVE_SIDECAR => {
                    let request = bytes(&container.resources["requests"]["memory"])?;
                    oom_score_adj(QosClass::Burstable, request, memory).min(executor.oom_score_adj)
                }
                _ => before.oom_score_adj,
            };
            differ("memory.max", &container.memory_max, &before.memory_max);
            differ("memory.swap.max", &container.swap_max, &before.swap_max);
            differ("oom_score_adj", &container.oom_score_adj, &adjusted);
            differ("the resources", &container.resources, &before.resources);
            differ("the QoS class", &container.qos_class, &before.qos_class);
        }
    }
    Ok(exactness)
}

impl Container {
    fn key(&self) -> (String, String) {
        (self.pod.clone(), self.name.clone())
    }
}

fn bytes(quantity: &Value) -> anyhow::Result<u64> {
    let text = quantity.as_str().context("no quantity")?;
    text.parse::<Quantity>().ok().and_then(Quantity::bytes).with_context(|| format!("{text}: no size"))
}

fn read<T: DeserializeOwned>(record: &Path, name: &str) -> anyhow::Result<T> {
    let path = record.join(name);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not as expected", path.display()))
}
