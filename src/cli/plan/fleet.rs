//! The nodes as one group of executors sees them: by shape, with how many executors fit before and after, and what the
//! node carries when it is full of them.

use std::collections::BTreeMap;

use super::fit::{Fit, Room};
use super::groups::{Group, no_class};
use crate::admission::pod_placement::placement;
use crate::admission::review;
use crate::cli::explain::nodes::{Landing, landing};
use crate::cluster::allocatable::{Allocatable, AllocatableByNode};
use crate::cluster::node_group::NodeGroup;
use crate::sizing::class::Backend;
use crate::sizing::nodes::NodeShape;
use crate::sizing::placement::Placement;
use crate::sizing::plan::Plan;
use crate::sizing::state::State;

/// Executors write what does not fit memory within this time, or miss heartbeats: half of Spark's network timeout.
pub const ABSORB_SECONDS: u64 = 60;

/// Nodes that are the same for one group of executors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The shape, with the name of one of the nodes and how many there are.
    pub shape: NodeShape,
    /// How many there are.
    pub count: u64,
    /// What is known of the part of it that is for pods.
    pub allocatable: Allocatable,
    /// The evidence label of the class's backend promises enough for the class.
    pub has_evidence: bool,
    /// As Spark wrote them; `None` where these executors may not run.
    pub before: Option<Fit>,
    /// As planned.
    pub after: Option<Fit>,
    /// What such a node carries, full of planned executors.
    pub load: Load,
}

/// What one node carries when it is full of executors and nothing else. All sizes are bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Sum of T and of what else is reserved for the pods.
    pub declared: u64,
    /// Sum of what the scheduler reserves.
    pub reserved: u64,
    /// Swap that is needed when all peak at once; `None` without a plan.
    pub peak_swap: Option<u64>,
    /// Sum of the swap that they are granted; `None` without a plan.
    pub granted_swap: Option<u64>,
}

/// A group of nodes with a common template, as far as the executors may run there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupedNodes {
    /// `node group eks.amazonaws.com/nodegroup=workers`.
    pub name: String,
    /// Where its template's labels are set.
    pub template: &'static str,
    /// How many nodes it has.
    pub count: u64,
    /// How many of them have no evidence.
    pub without_evidence: u64,
}

/// The nodes of a group of executors.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// By shape, smallest memory first.
    pub rows: Vec<Row>,
    /// Nodes that a template made.
    pub grouped: Vec<GroupedNodes>,
}

impl Fleet {
    /// The nodes that the executors of a group may use, before or after.
    pub fn new(group: &Group, state: &State, allocatable: &AllocatableByNode) -> Self {
        let request = review::read(&group.subject.review).ok();
        let spec = request.as_ref().and_then(|request| request.object.as_ref()?.spec.as_ref());
        let without = no_class();
        let own = spec.and_then(|spec| placement(spec, &without).ok());
        let class = group.class();
        let planned = spec.zip(class).filter(|_| group.plan().is_some());
        let planned = planned.and_then(|(spec, class)| placement(spec, &class.nodes).ok());
        let (via, least) =
            class.map_or((Backend::Kubelet, 0), |class| (class.swap.via, class.least_swap_percent()));
        let mut rows: BTreeMap<_, Row> = BTreeMap::new();
        let mut grouped: BTreeMap<NodeGroup<'_>, GroupedNodes> = BTreeMap::new();
        for node in state.nodes().nodes() {
            let allows = |placement: &Placement<'_>| placement.allows(&node.name, &node.labels, &node.taints);
            let was_allowed = own.as_ref().is_some_and(allows);
            let is_allowed = planned.as_ref().is_some_and(allows);
            if !was_allowed && !is_allowed {
                continue;
            }
            let shape = NodeShape::of(node);
            let has_evidence = shape.has_evidence(via, least);
            if let Some(node_group) = NodeGroup::of(&node.labels) {
                let nodes = grouped.entry(node_group).or_insert_with(|| GroupedNodes::new(&node_group));
                nodes.count = nodes.count.saturating_add(1);
                nodes.without_evidence = nodes.without_evidence.saturating_add(u64::from(!has_evidence));
            }
            let allocatable = allocatable.get(&node.name).copied().unwrap_or_default();
            let permille = shape.labelled_permille(via);
            let key = (shape.memory, shape.swap, permille, allocatable, was_allowed, is_allowed);
            let row = rows.entry(key).or_insert_with(|| {
                Row::new(group, shape, allocatable, has_evidence, (was_allowed, is_allowed))
            });
            row.count = row.count.saturating_add(1);
        }
        Self { rows: rows.into_values().collect(), grouped: grouped.into_values().collect() }
    }

    /// How many executors fit all nodes together as Spark wrote them.
    pub fn before(&self) -> u64 {
        self.sum(|row| row.before)
    }

    /// The same as planned.
    pub fn after(&self) -> u64 {
        self.sum(|row| row.after)
    }

    fn sum(&self, fit: impl Fn(&Row) -> Option<Fit>) -> u64 {
        let of_row = |row| fit(row).map_or(0, |fit| fit.executors.saturating_mul(row.count));
        self.rows.iter().map(of_row).fold(0, u64::saturating_add)
    }
}

impl Row {
    fn new(
        group: &Group,
        shape: NodeShape,
        allocatable: Allocatable,
        has_evidence: bool,
        (was_allowed, is_allowed): (bool, bool),
    ) -> Self {
        let room = Room::new(shape.memory, &allocatable);
        let before = room.fit(group.before()).filter(|_| was_allowed);
        let (after, load) = match group.plan() {
            None => (before, Load::left_alone(group, before)),
            Some(plan) => {
                let swap = match landing(&group.decision, &shape).filter(|_| is_allowed) {
                    Some(Landing::Granted(swap)) => Some(swap),
                    // Nothing forbids it: none fits, as before.
                    Some(Landing::TooSmall) => Some(0),
                    Some(Landing::KeptOut) | None => None,
                };
                let after = swap.and_then(|_| room.fit(group.after()));
                (after, swap.map_or_else(Load::default, |swap| Load::planned(group, plan, after, swap)))
            }
        };
        Self { shape, count: 0, allocatable, has_evidence, before, after, load }
    }

    /// What its pods may use.
    pub fn room(&self) -> Room {
        Room::new(self.shape.memory, &self.allocatable)
    }
}

impl Load {
    fn left_alone(group: &Group, fit: Option<Fit>) -> Self {
        let all = |each: u64| each.saturating_mul(fit.map_or(0, |fit| fit.executors));
        Self {
            declared: all(group.declared()),
            reserved: all(group.before().memory),
            peak_swap: None,
            granted_swap: None,
        }
    }

    fn planned(group: &Group, plan: &Plan, fit: Option<Fit>, swap: u64) -> Self {
        let all = |each: u64| each.saturating_mul(fit.map_or(0, |fit| fit.executors));
        Self {
            declared: all(group.declared()),
            reserved: all(group.after().memory),
            peak_swap: Some(all(plan.peak.saturating_sub(plan.request.to))),
            granted_swap: Some(all(swap)),
        }
    }

    /// What the swap device must write each second to take the peaks of all in [`ABSORB_SECONDS`], bytes.
    pub fn write_rate(&self) -> Option<u64> {
        Some(self.peak_swap?.div_ceil(ABSORB_SECONDS))
    }
}

impl GroupedNodes {
    fn new(group: &NodeGroup<'_>) -> Self {
        Self { name: group.to_string(), template: group.provider.text(), count: 0, without_evidence: 0 }
    }
}
