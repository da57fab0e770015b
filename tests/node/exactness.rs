//! What the kubelet wrote into cgroups, compared with what plan and `explain` said, to the byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const SPARK: &str = "spark-kubernetes-executor";
/// The one that starts before the others: the kubelet never protects it less than them.
const NATIVE_SIDECAR: &str = "native";
const PAGE: u64 = 4096;

/// A container as `matrix/read_groups.py` found it.
#[derive(Deserialize)]
struct Container {
    pod: String,
    container: String,
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

/// What came out.
pub(crate) struct Exactness {
    /// Containers with a plan.
    pub(crate) planned: usize,
    /// Containers without: companions, neighbours, and executors left alone.
    pub(crate) others: usize,
    pub(crate) differences: Vec<String>,
}

/// Reads a record of the matrix and compares.
///
/// # Errors
/// The record is not complete.
pub(crate) fn compare(record: &Path) -> anyhow::Result<Exactness> {
    let with: Vec<Container> = read(record, "groups-with.json")?;
    let without: Vec<Container> = read(record, "groups-without.json")?;
    let explained: Vec<Explained> = read(record, "explained.json")?;
    let explained: BTreeMap<_, _> = explained.into_iter().map(|of| (of.pod.name, of.plan)).collect();
    let without: BTreeMap<_, _> = without.iter().map(|of| (of.name(), of)).collect();

    let mut exactness = Exactness { planned: 0, others: 0, differences: Vec::new() };
    for container in &with {
        let name = container.name();
        let mut differ = |what: &str, is: &dyn ToString, should: &dyn ToString| {
            let (is, should) = (is.to_string(), should.to_string());
            if is != should {
                exactness.differences.push(format!("{}/{}: {what} is {is}, not {should}", name.0, name.1));
            }
        };
        if container.container == SPARK {
            differ("the plan of explain", explained.get(&container.pod).unwrap_or(&Value::Null), &container.plan);
        }
        if container.container == SPARK && container.plan.is_object() {
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
            let before = without.get(&name).with_context(|| format!("{name:?} is missing without the webhook"))?;
            let adjusted = if container.container == NATIVE_SIDECAR {
                let executor = with.iter().find(|of| of.pod == container.pod && of.container == SPARK);
                executor.map_or(before.oom_score_adj, |of| of.oom_score_adj).min(before.own_adjustment())
            } else {
                before.oom_score_adj
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
    fn name(&self) -> (String, String) {
        (self.pod.clone(), self.container.clone())
    }
}

fn read<T: DeserializeOwned>(record: &Path, name: &str) -> anyhow::Result<T> {
    let path = record.join(name);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not as expected", path.display()))
}
