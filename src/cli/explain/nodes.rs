//! The nodes of a decision: what each shape grants, and why the others are ruled out.

use std::collections::BTreeMap;

use super::Explained;
use crate::admission::decision::Decision;
use crate::admission::pod_placement::placement;
use crate::sizing::kubelet::{QosClass, granted_swap};
use crate::sizing::nodes::{Node, NodeShape};
use crate::sizing::placement::{Placement, Taint};

/// A shape of eligible nodes under a decision.
#[derive(Clone, Copy, Debug)]
pub struct NodeRow<'d> {
    /// The shape.
    pub shape: &'d NodeShape,
    /// The permille that the evidence label of the class's backend promises; 0: no evidence.
    pub promised: u64,
    /// The smaller of that and the swap that is there.
    pub usable: u64,
    /// The label promises at least the class's `minimumSwapPercent`.
    pub has_evidence: bool,
    /// What happens on these nodes; `None` without a plan.
    pub landing: Option<Landing>,
}

/// What happens with a plan on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// The executor may land there and is granted so many bytes of swap.
    Granted(u64),
    /// The node has less memory than the request.
    TooSmall,
    /// The node affinity that is written keeps the executor away.
    KeptOut,
}

/// Nodes that are ruled out for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuledOut {
    /// Why: `nodeSelector node-pool=spark` or `taint dedicated=gpu:NoSchedule`.
    pub because: String,
    /// How many.
    pub count: u64,
    /// The first one's name.
    pub example: String,
}

/// The shapes of the eligible nodes; none before the class was found.
pub fn rows(decision: &Decision) -> Vec<NodeRow<'_>> {
    let Some(class) = &decision.class else { return Vec::new() };
    let via = class.swap.via;
    let row = |shape| NodeRow {
        shape,
        promised: shape.labelled_permille(via),
        usable: shape.usable_permille(via),
        has_evidence: shape.has_evidence(via, class.least_swap_percent()),
        landing: landing(decision, shape),
    };
    decision.shapes.iter().map(row).collect()
}

/// What happens with the plan of a decision on an eligible node; `None` without a plan.
pub fn landing(decision: &Decision, shape: &NodeShape) -> Option<Landing> {
    let (plan, class) = (decision.plan.as_ref()?, decision.class.as_ref()?);
    Some(if shape.memory < plan.request.to {
        Landing::TooSmall
    } else if plan.is_pinned && shape.labelled_permille(class.swap.via) < plan.needed_permille {
        Landing::KeptOut
    } else {
        let computed = match plan.qos_class {
            QosClass::Burstable => granted_swap(plan.request.to, shape.memory, shape.swap),
            QosClass::Guaranteed | QosClass::BestEffort => 0,
        };
        Landing::Granted(plan.written_swap.unwrap_or(computed))
    })
}

/// The known nodes that are not eligible, by reason.
pub fn ruled_out(explained: &Explained<'_>) -> Vec<RuledOut> {
    let spec = explained.pod.and_then(|pod| pod.spec.as_ref());
    let Some((spec, class)) = spec.zip(explained.decision.class.as_ref()) else { return Vec::new() };
    let Ok(placement) = placement(spec, &class.nodes) else { return Vec::new() };
    let mut by_reason: BTreeMap<String, RuledOut> = BTreeMap::new();
    for node in explained.state.nodes().nodes() {
        if placement.allows(&node.name, &node.labels, &node.taints) {
            continue;
        }
        let because = obstacle(&placement, node);
        let entry = by_reason.entry(because.clone());
        let group = entry.or_insert_with(|| RuledOut { because, count: 0, example: node.name.clone() });
        group.count = group.count.saturating_add(1);
    }
    by_reason.into_values().collect()
}

/// The first thing that keeps the pod away from the node.
fn obstacle(placement: &Placement<'_>, node: &Node) -> String {
    if let Some(name) = placement.node_name.as_deref().filter(|name| *name != node.name) {
        return format!("spec.nodeName {name}");
    }
    let selector = &placement.node_selector;
    if let Some((key, value)) = selector
        .iter()
        .find(|(key, value)| node.labels.get(key.as_ref()).is_none_or(|own| own != value.as_ref()))
    {
        return format!("nodeSelector {key}={value}");
    }
    let is_tolerated = |taint: &&Taint| {
        let alone = std::slice::from_ref(*taint);
        let tolerations = placement.tolerations.clone();
        Placement { tolerations, ..Placement::default() }.allows(&node.name, &node.labels, alone)
    };
    match node.taints.iter().find(|taint| !is_tolerated(taint)) {
        Some(Taint { key, value, effect }) if value.is_empty() => format!("taint {key}:{effect}"),
        Some(Taint { key, value, effect }) => format!("taint {key}={value}:{effect}"),
        None => "the required node affinity".to_owned(),
    }
}
