//! `summary.json` of a record: what the node looked like at the end.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The parts of it that count; there is more.
#[derive(Debug, Deserialize)]
pub(crate) struct Summary {
    pub(crate) node: NodeFacts,
    pub(crate) pods: BTreeMap<String, Pod>,
    /// By `<pod>/<the begin of the container's id>`.
    pub(crate) containers: BTreeMap<String, Container>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct NodeFacts {
    #[serde(rename = "MemTotal")]
    pub(crate) memory: u64,
    #[serde(rename = "SwapTotal")]
    pub(crate) swap: u64,
    #[serde(rename = "lowestMemAvailable")]
    pub(crate) lowest_available: u64,
    /// Pages; absent where the kernel has no swap.
    pub(crate) pswpin: Option<u64>,
    pub(crate) pswpout: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Pod {
    #[serde(default)]
    pub(crate) states: Vec<String>,
    /// Of its first container.
    #[serde(default)]
    pub(crate) resources: Resources,
    #[serde(rename = "sparkRole")]
    spark_role: Option<String>,
    pub(crate) plan: Option<PlanNote>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Resources {
    #[serde(default)]
    pub(crate) requests: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) limits: BTreeMap<String, String>,
}

/// The plan annotation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanNote {
    pub(crate) strategy: String,
    pub(crate) bound: String,
    pub(crate) enforcement: String,
    pub(crate) possible_swap: u64,
}

/// Its cgroup, as it was seen last. Values are texts, empty where the cgroup was gone.
#[derive(Debug, Deserialize)]
pub(crate) struct Container {
    pub(crate) max: String,
    pub(crate) peak: String,
    #[serde(rename = "swap.max")]
    pub(crate) swap_max: String,
    #[serde(rename = "swap.peak")]
    pub(crate) swap_peak: String,
}

impl Summary {
    /// Whether the pod of this name is an executor.
    pub(crate) fn is_executor(&self, name: &str) -> bool {
        match self.pods.get(name).and_then(|pod| pod.spark_role.as_deref()) {
            Some(role) => role == "executor",
            None => name.starts_with("spark-exec-"),
        }
    }

    /// The executors, by name.
    pub(crate) fn executors(&self) -> impl Iterator<Item = (&str, &Pod)> {
        self.pods.iter().filter(|(name, _)| self.is_executor(name)).map(|(name, pod)| (name.as_str(), pod))
    }

    /// The cgroups of executors, each with its pod.
    pub(crate) fn executor_containers(&self) -> impl Iterator<Item = (&Pod, &Container)> {
        self.containers.iter().filter_map(|(name, container)| {
            let (pod, _) = name.split_once('/')?;
            Some((self.pods.get(pod).filter(|_| self.is_executor(pod))?, container))
        })
    }
}

/// The id in the name of an executor's pod, as Spark makes it: `<prefix>-exec-<id>`.
pub(crate) fn executor_id(pod: &str) -> Option<u64> {
    pod.rsplit_once("-exec-")?.1.parse().ok()
}
