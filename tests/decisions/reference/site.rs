//! Section 6: the nodes that an executor may land on, and the LimitRanges of its namespace.

use std::collections::BTreeSet;

use spark_swap::admission::reason::Reason;
use spark_swap::sizing::class::{Backend, LimitMode, QosMode, SwapClass};
use spark_swap::sizing::nodes::Node;

use super::kubernetes::{self as kube, Wanted};
use super::spark::{self, ceil};
use crate::ask::{Ask, Case};

pub const MIB: u64 = 1 << 20;
pub const PAGE: u64 = 4096;

/// The permille that a node's label promises.
pub fn promised(node: &Node, backend: Backend) -> u64 {
    let key = match backend {
        Backend::Kubelet => "spark-swap.io/limited-swap-permille",
        Backend::CrioAnnotation => "spark-swap.io/crio-swap-permille",
        Backend::NriMemoryQos => "spark-swap.io/nri-swap-permille",
    };
    let value = node.labels.get(key).and_then(|value| value.parse::<i64>().ok()).unwrap_or(0);
    u64::try_from(value).unwrap_or(0)
}

pub fn is_explicit(class: &SwapClass) -> bool {
    class.swap.via != Backend::Kubelet
}

pub fn cap(class: &SwapClass) -> u64 {
    class.swap.max_per_executor.unwrap_or(u64::MAX)
}

/// `floor4096(floor(R*permille/1000))`.
pub fn share(request: u64, permille: u64) -> u64 {
    (u128::from(request) * u128::from(permille) / 1000) as u64 / PAGE * PAGE
}

/// L for a request: Density's, or that of every strategy under Guaranteed.
pub fn limit_for(ask: &Ask, class: &SwapClass, request: u64) -> u64 {
    if class.qos_class == QosMode::Guaranteed {
        return request;
    }
    if class.limit == LimitMode::Loose {
        return ask.limit;
    }
    let tight = ceil(request, 102, 100 * MIB) * MIB;
    let crosses = tight < 1792 * MIB && ask.limit >= 1792 * MIB;
    let tight = if crosses && !spark::selects_collector(ask) { 1792 * MIB } else { tight };
    tight.min(ask.limit)
}

/// L of the strategies that keep it.
pub fn kept_limit(ask: &Ask, class: &SwapClass, request: u64) -> u64 {
    if class.qos_class == QosMode::Guaranteed { request } else { ask.limit }
}

/// The largest multiple of 1Mi below the limit, or R0 where that is below.
pub fn one_step_below(ask: &Ask) -> u64 {
    ((ask.limit - 1) / MIB * MIB).min(ask.request)
}

/// A case with the nodes that the pod may land on, whatever their size.
pub struct Site<'a> {
    pub case: &'a Case,
    candidates: Vec<&'a Node>,
}

/// The nodes with evidence, and those without.
pub struct Split<'a> {
    pub proven: Vec<&'a Node>,
    pub others: Vec<&'a Node>,
}

impl<'a> Site<'a> {
    pub fn new(case: &'a Case) -> Self {
        let (ask, class) = (&case.ask, &case.class);
        let mut selector = ask.node_selector.clone();
        selector.extend(class.nodes.selector.clone());
        let tolerations: Vec<_> = ask.tolerations.iter().chain(&class.nodes.tolerations).cloned().collect();
        let wanted = Wanted {
            node_name: ask.node_name.as_deref(),
            node_selector: &selector,
            terms: ask.terms.as_deref(),
            tolerations: &tolerations,
        };
        Self { case, candidates: case.nodes.iter().filter(|node| wanted.allows(node)).collect() }
    }

    /// The eligible nodes for a request.
    pub fn fitting(&self, request: u64) -> Vec<&'a Node> {
        self.candidates.iter().copied().filter(|node| node.memory >= request).collect()
    }

    /// The eligible nodes by evidence; `sized`: for a plan on which minimumSwapPercent acts.
    pub fn split(&self, request: u64, sized: bool) -> Split<'a> {
        let class = &self.case.class;
        let least = if sized { (10 * class.nodes.minimum_swap_percent).max(1) } else { 1 };
        let (proven, others) =
            self.fitting(request).into_iter().partition(|node| promised(node, class.swap.via) >= least);
        Split { proven, others }
    }

    /// What may be sized with: the smaller of label and actual.
    pub fn usable(&self, node: &Node) -> u64 {
        let actual = u128::from(node.swap) * 1000 / u128::from(node.memory);
        promised(node, self.case.class.swap.via).min(actual as u64)
    }

    /// The share, up to the class's cap.
    pub fn capped_share(&self, request: u64, permille: u64) -> u64 {
        share(request, permille).min(cap(&self.case.class) / PAGE * PAGE)
    }

    /// g(R) on these nodes.
    pub fn promise(&self, request: u64, nodes: &[&Node]) -> u64 {
        self.capped_share(request, nodes.iter().map(|node| self.usable(node)).min().unwrap_or(0))
    }

    pub fn ranges_allow(&self, request: u64, limit: u64) -> bool {
        let usages = kube::usages(&self.case.ask, self.case.ask.cpu.1, request, limit);
        kube::ranges_allow(&self.case.ranges, &usages, |usage| usage.memory, |range| &range.memory)
    }

    /// Why a request that is sized for swap cannot stand; the design gives no swap to a promise of nothing either.
    pub fn node_obstacles(&self, request: u64) -> BTreeSet<Reason> {
        let Split { proven, others } = self.split(request, true);
        let confined = self.case.class.nodes.only_with_swap;
        if !proven.is_empty() && (confined || others.is_empty()) {
            return BTreeSet::new();
        }
        self.no_such_node()
    }

    /// The reasons for no node.
    pub fn no_such_node(&self) -> BTreeSet<Reason> {
        let reason = if self.case.nodes.is_empty() { Reason::NodesUnknown } else { Reason::NoSwapNode };
        let bound = self.case.ask.node_name.as_ref().map(|_| Reason::PinConflict);
        std::iter::once(reason).chain(bound).collect()
    }
}
