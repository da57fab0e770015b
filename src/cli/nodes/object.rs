//! `nodes -o json` and `-o yaml`: a node as an object for programs. Its members are only ever added to.

use serde::Serialize;

use super::readiness::{Kubelet, NodeStatus};
use super::table::Row;
use crate::cluster::node_group::NodeGroup;
use crate::sizing::class::Backend;

/// A node. All sizes are bytes; what is not known is null.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeObject<'r> {
    name: &'r str,
    memory: u64,
    swap: u64,
    permille: u64,
    evidence: Evidence,
    kubelet: Option<KubeletObject<'r>>,
    /// Why the kubelet did not answer.
    kubelet_problem: Option<&'r str>,
    executors: Option<usize>,
    granted_swap: Option<u64>,
    ready: bool,
    statuses: &'r [NodeStatus],
    group: Option<GroupObject<'r>>,
}

/// The permille that labels promise; null where there is no label, 0 where it is not understood.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Evidence {
    kubelet: Option<u64>,
    crio_annotation: Option<u64>,
    nri_memory_qos: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct KubeletObject<'r> {
    swap_behavior: &'r str,
    fail_swap_on: bool,
}

#[derive(Debug, Serialize)]
struct GroupObject<'r> {
    label: &'r str,
    name: &'r str,
}

impl<'r> NodeObject<'r> {
    /// The object of a row.
    pub fn new(row: &Row<'r>) -> Self {
        let (facts, readiness) = (row.facts, row.readiness);
        let node = &facts.node;
        let promised = |backend: Backend| {
            node.labels.get(backend.evidence_label()).map(|_| node.promised_permille(backend))
        };
        let (kubelet, kubelet_problem) = match &facts.kubelet {
            Kubelet::NotAsked => (None, None),
            Kubelet::Unreachable(cause) => (None, Some(cause.as_str())),
            Kubelet::Config(config) => {
                let swap_behavior = config.swap_behavior();
                (Some(KubeletObject { swap_behavior, fail_swap_on: config.fail_swap_on }), None)
            }
        };
        Self {
            name: &node.name,
            memory: node.memory,
            swap: node.swap,
            permille: node.actual_permille(),
            evidence: Evidence {
                kubelet: promised(Backend::Kubelet),
                crio_annotation: promised(Backend::CrioAnnotation),
                nri_memory_qos: promised(Backend::NriMemoryQos),
            },
            kubelet,
            kubelet_problem,
            executors: row.executors(),
            granted_swap: row.granted(),
            ready: readiness.is_ready(),
            statuses: &readiness.statuses,
            group: NodeGroup::of(&node.labels)
                .map(|group| GroupObject { label: group.label, name: group.name }),
        }
    }
}
