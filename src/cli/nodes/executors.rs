//! The executors that run on a node, and the swap they were granted.

use serde::Deserialize;
use serde_json::Value;

use crate::admission::executor::{is_critical, pod_resources, recognise};
use crate::admission::pod::Pod;
use crate::admission::swap_annotation;
use crate::admission::text::Text;
use crate::cli::live_pod::has_ended;
use crate::sizing::class::Backend;
use crate::sizing::kubelet::{QosClass, floor_to_page, granted_swap, is_swap_eligible, qos_class};
use crate::sizing::nodes::Node;
use crate::sizing::quantity::Quantity;
use crate::sizing::resources::{ContainerKind, ContainerResources};

/// An executor that is on a node and has not ended: what decides about its swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningExecutor {
    /// `spec.nodeName`.
    pub node: String,
    /// The request of the Spark container, where the kubelet's rules entitle it to swap.
    spark: Option<u64>,
    /// The same of the containers beside it.
    others: Vec<u64>,
    /// What the annotations of explicit backends give the Spark container.
    written: Vec<(Backend, u64)>,
}

impl RunningExecutor {
    /// Reads a pod; `None` where it is no executor, has ended, or is on no node yet.
    pub fn read(pod: &Value) -> Option<Self> {
        let status = |field: &str| pod.get("status")?.get(field)?.as_str();
        if has_ended(status("phase")) {
            return None;
        }
        let qos = QosClass::ALL.iter().copied().find(|class| status("qosClass") == Some(class.as_str()));
        let pod = Pod::deserialize(pod).ok()?;
        let spark = recognise(&pod).ok()?;
        let node = spark.spec.node_name.as_ref().map(Text::as_str).filter(|name| !name.is_empty())?;
        let resources = pod_resources(&spark);
        let qos = qos.unwrap_or_else(|| qos_class(&resources));
        let is_critical = is_critical(&pod, spark.spec);
        let entitled = |container: &ContainerResources| {
            let request = container.memory_request.filter(|_| is_swap_eligible(is_critical, qos, container));
            request.and_then(Quantity::bytes)
        };
        let container = spark.container.name.as_ref().map_or("", Text::as_str);
        // Init containers have come to their end.
        let beside = resources.others.iter().filter(|(kind, _)| *kind != ContainerKind::Init);
        Some(Self {
            node: node.to_owned(),
            spark: entitled(&resources.spark),
            others: beside.filter_map(|(_, resources)| entitled(resources)).collect(),
            written: Backend::ALL
                .iter()
                .filter_map(|via| Some((*via, swap_annotation::read(*via, &pod, container)?)))
                .collect(),
        })
    }

    /// The swap it was granted on its node, bytes; `None` where that depends on the kubelet and `kubelet_hands_out` is
    /// not known. An explicit backend has the last word on nodes that say it is there.
    pub fn granted(&self, node: &Node, kubelet_hands_out: Option<bool>) -> Option<u64> {
        let by_kubelet =
            |request: &u64| match (granted_swap(*request, node.memory, node.swap), kubelet_hands_out) {
                (0, _) | (_, Some(false)) => Some(0),
                (swap, Some(true)) => Some(swap),
                (_, None) => None,
            };
        let written = self.written.iter().find(|(backend, _)| node.promised_permille(*backend) > 0);
        let spark = match written {
            Some((_, swap)) => floor_to_page(*swap),
            None => self.spark.as_ref().map_or(Some(0), by_kubelet)?,
        };
        let mut others = self.others.iter().map(by_kubelet);
        others.try_fold(spark, |sum, swap| Some(sum.saturating_add(swap?)))
    }
}
