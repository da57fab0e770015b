//! The proof of a plan: every promise of the design, checked against the kubelet's and the API server's own formulas
//! for every node the executor may land on. Written apart from the solver on purpose.

use super::class::{Strategy, SwapClass};
use super::executor::Executor;
use super::kubelet::{QosClass, granted_swap, is_swap_eligible, qos_class};
use super::nodes::NodeShape;
use super::plan::{Plan, Site, Terms};
use super::quantity::Quantity;
use super::resources::ContainerResources;

/// Which promise a plan breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// 0 < R < L, or R = L for Guaranteed.
    #[error("0 < R < L does not hold (R = L for Guaranteed)")]
    RequestBelowLimit,
    /// R <= R0 and L <= L0.
    #[error("the request or the limit grew")]
    Grew,
    /// No eligible node can hold R.
    #[error("no known node can hold the executor")]
    NoNode,
    /// P <= L + s.
    #[error("P <= L + s does not hold on node {memory}/{swap}")]
    PeakOverLimit {
        /// M of the node, bytes.
        memory: u64,
        /// S of the node, bytes.
        swap: u64,
    },
    /// P <= R + s.
    #[error("P <= R + s does not hold on node {memory}/{swap}")]
    PeakOverRequest {
        /// M of the node, bytes.
        memory: u64,
        /// S of the node, bytes.
        swap: u64,
    },
    /// The node affinity does not imply P <= R + s.
    #[error("the node affinity admits nodes with too little swap")]
    Pin,
    /// W + U <= R, or W <= L.
    #[error("the working set does not stay in memory")]
    WorkingSet,
    /// LimitRange.
    #[error("a LimitRange does not allow the plan")]
    LimitRange,
    /// The QoS class is not the stated one.
    #[error("the QoS class is not the stated one")]
    QosClass,
}

/// Checks every promise.
pub fn prove(plan: &Plan, executor: &Executor, terms: &Terms<'_>, site: &Site<'_>) -> Result<(), Broken> {
    let (request, limit) = (plan.request.to, plan.limit.to);
    let is_guaranteed = plan.qos_class == QosClass::Guaranteed;
    let ordered = if is_guaranteed { request == limit } else { request < limit };
    if request == 0 || !ordered {
        return Err(Broken::RequestBelowLimit);
    }
    if request > executor.received_request || limit > executor.received_limit {
        return Err(Broken::Grew);
    }
    let resident = match plan.strategy {
        Strategy::Density => {
            plan.working_set.checked_add(plan.unswappable).is_some_and(|size| size <= request)
        }
        Strategy::SafetyNet | Strategy::HeapGrowth => plan.working_set <= limit,
    };
    if !resident {
        return Err(Broken::WorkingSet);
    }
    let spark = ContainerResources {
        memory_request: Some(Quantity::from_bytes(request)),
        memory_limit: Some(Quantity::from_bytes(limit)),
        cpu_limit: plan.cpu_limit.or(executor.resources.spark.cpu_limit),
        ..executor.resources.spark
    };
    if qos_class(&executor.resources.with_spark(spark)) != plan.qos_class {
        return Err(Broken::QosClass);
    }
    let cpu_is_allowed = plan.cpu_limit.is_none_or(|cpu| {
        executor.resources.cpu_is_allowed(site.limits, spark.cpu_request.unwrap_or(cpu), cpu)
    });
    if !cpu_is_allowed || !executor.resources.memory_is_allowed(site.limits, request, limit) {
        return Err(Broken::LimitRange);
    }
    prove_peak(plan, terms.class, site, &spark)
}

fn prove_peak(
    plan: &Plan,
    class: &SwapClass,
    site: &Site<'_>,
    spark: &ContainerResources,
) -> Result<(), Broken> {
    let (request, limit) = (plan.request.to, plan.limit.to);
    let admitted = |shape: &&NodeShape| {
        shape.memory >= request
            && (!plan.is_pinned || shape.labelled_permille(class.swap.via) >= plan.needed_permille)
    };
    let swap = |shape: &NodeShape| match plan.written_swap {
        Some(written) => written,
        None if is_swap_eligible(false, plan.qos_class, spark) => {
            granted_swap(request, shape.memory, shape.swap)
        }
        None => 0,
    };
    let mut admitted_nodes = site.shapes.iter().filter(admitted).peekable();
    if admitted_nodes.peek().is_none() {
        if plan.is_backed || plan.is_pinned || site.nodes_are_known {
            return Err(Broken::NoNode);
        }
        // No node is known, so no swap is counted on.
        if plan.peak > limit {
            return Err(Broken::PeakOverLimit { memory: 0, swap: 0 });
        }
    }
    for shape in admitted_nodes {
        let covers = |memory: u64| memory.checked_add(swap(shape)).is_some_and(|sum| plan.peak <= sum);
        if !covers(limit) {
            return Err(Broken::PeakOverLimit { memory: shape.memory, swap: shape.swap });
        }
        if plan.is_backed && !covers(request) {
            return Err(Broken::PeakOverRequest { memory: shape.memory, swap: shape.swap });
        }
    }
    let least_promise = request.checked_add(super::kubelet::floor_to_page(
        super::arithmetic::permille_floor(request, plan.needed_permille),
    ));
    if plan.is_backed && least_promise.is_none_or(|sum| sum < plan.peak) {
        return Err(Broken::Pin);
    }
    Ok(())
}
