//! The plan for one executor: what it asked for, its class and its site in; sizes with every bound's value out.

use serde::Serialize;

use super::bound::Bound;
use super::class::{Enforcement, QosMode, Strategy, SwapClass};
use super::executor::Executor;
use super::kubelet::QosClass;
use super::limit_range::NamespaceLimits;
use super::nodes::NodeShape;
use super::quantity::Quantity;

/// The class as it applies to one application: its labels may refine the percentages.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The class.
    pub class: &'a SwapClass,
    /// W as a share of T, percent.
    pub working_set_percent: u64,
    /// P as a share of T, percent.
    pub peak_percent: u64,
}

/// Where the executor may land, and what its namespace allows.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Some node is known, eligible or not.
    pub nodes_are_known: bool,
    /// The eligible nodes, by shape.
    pub shapes: &'a [NodeShape],
    /// `spec.nodeName` is set.
    pub is_bound_to_node: bool,
    /// The LimitRanges of the namespace.
    pub limits: &'a NamespaceLimits,
    /// A ResourceQuota of the namespace counts `limits.cpu`.
    pub has_cpu_limit_quota: bool,
}

/// A value before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// As received, bytes.
    pub from: u64,
    /// As planned, bytes.
    pub to: u64,
}

/// The outcome for one executor. All sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The class's name.
    pub class: String,
    /// Applied or only recorded.
    pub enforcement: Enforcement,
    /// What is really done: the class's strategy, or SafetyNet as its fallback.
    pub strategy: Strategy,
    /// T: the declared total that the plan is made for.
    pub total: u64,
    /// H before and after; `None` when unknown.
    pub heap: Option<Change>,
    /// T - H before any growth of the heap by the class; `None` when H is unknown.
    pub non_heap: Option<u64>,
    /// R0 and R.
    pub request: Change,
    /// L0 and L.
    pub limit: Change,
    /// W.
    pub working_set: u64,
    /// P, with the heap's growth.
    pub peak: u64,
    /// Q, with the heap's growth.
    pub sizing_peak: u64,
    /// U.
    pub unswappable: u64,
    /// The smallest grant of the nodes the executor may land on; 0 if one of them has no evidence.
    pub expected_swap: u64,
    /// The same without asking for evidence.
    pub possible_swap: u64,
    /// The permille that a node must promise; 0 when the plan does not depend on it.
    pub needed_permille: u64,
    /// The QoS class that the API server will compute.
    pub qos_class: QosClass,
    /// On the smallest node the executor may land on; `None` when no node is known.
    pub oom_score_adj: Option<i64>,
    /// What decided.
    pub bound: Bound,
    /// The node with the smallest grant; `None` when no node is known.
    pub node: Option<PlanNode>,
    /// The node affinity `evidence Gt needed_permille - 1` is written.
    pub is_pinned: bool,
    /// Everyone may peak at once: P <= R + s is claimed.
    pub is_backed: bool,
    /// The swap that an explicit backend writes.
    pub written_swap: Option<u64>,
    /// The cpu limit to write for QoS class Guaranteed; `None` when it stays.
    pub cpu_limit: Option<Quantity>,
    /// The young generation to set, MiB.
    pub young_generation_mib: Option<u64>,
    /// What the nodes with evidence promise for R; `None` when none of them can hold it.
    pub promise: Option<Promise>,
    /// Every bound that was computed with the request it asks for, in the order of the design.
    pub bounds: Vec<(Bound, u64)>,
    /// HeapGrowth: the same for the heap.
    pub heap_bounds: Vec<(Bound, u64)>,
}

/// The swap that the eligible nodes with evidence promise for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// p: the smallest promised permille of those that can hold the request.
    pub permille: u64,
    /// g(R), bytes.
    pub swap: u64,
}

/// A node, as the plan annotation names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanNode {
    /// One node's name.
    pub name: String,
    /// M, bytes.
    pub memory: u64,
    /// S, bytes.
    pub swap: u64,
}

impl Terms<'_> {
    /// The pod becomes Guaranteed: L = R.
    pub fn is_guaranteed(&self) -> bool {
        self.class.qos_class == QosMode::Guaranteed
    }
}

impl Executor {
    /// The request is below the limit already.
    pub fn is_below_limit(&self) -> bool {
        self.received_request < self.received_limit
    }
}
