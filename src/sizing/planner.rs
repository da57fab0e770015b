//! Solves: picks the strategy's sizes, falls back to SafetyNet, and checks what the nodes, the LimitRanges and the
//! QoS class allow. [`super::proof`] then checks the outcome independently.

use super::arithmetic::{floor_to_mib, mib, percent_floor};
use super::bound::Bound;
use super::class::{QosMode, Strategy, SwapClass};
use super::eligible_nodes::{EligibleNodes, nothing_to_land_on};
use super::executor::{Executor, Labelled};
use super::guaranteed;
use super::kubelet::{QosClass, granted_swap, oom_score_adj, qos_class};
use super::nodes::NodeShape;
use super::plan::{Change, Plan, PlanNode, Promise, Site, Terms};
use super::quantity::Quantity;
use super::resources::ContainerResources;
use super::strategy::{Demand, Sizes, density, heap_growth, safety_net};
use super::supply::{Supply, needed_permille};
use crate::admission::reason::{Note, Notice, Reason};

/// The plan for an executor, or why it is left alone; with what somebody should know either way.
pub fn plan(
    executor: &Executor,
    terms: &Terms<'_>,
    site: &Site<'_>,
    notes: &mut Vec<Note>,
) -> Result<Plan, Reason> {
    let received_qos = qos_class(&executor.resources);
    if terms.class.qos_class == QosMode::Preserve && received_qos == QosClass::Guaranteed {
        return Err(Reason::WouldLoseGuaranteed);
    }
    if terms.class.strategy == Strategy::SafetyNet && executor.is_below_limit() {
        return Err(Reason::AlreadyBelowLimit);
    }
    let eligible = EligibleNodes::new(terms, site)?;
    let sizes = solve(executor, terms, site, &eligible, notes)?;
    let plan = finish(executor, terms, site, &eligible, sizes, received_qos)?;
    if received_qos == QosClass::Guaranteed && plan.qos_class != QosClass::Guaranteed {
        notes.push(Notice::LosesGuaranteed.into());
    }
    if executor.jvm.always_pre_touch {
        notes.push(Notice::AlwaysPreTouch.into());
    }
    Ok(plan)
}

fn solve(
    executor: &Executor,
    terms: &Terms<'_>,
    site: &Site<'_>,
    eligible: &EligibleNodes<'_>,
    notes: &mut Vec<Note>,
) -> Result<Sizes, Reason> {
    let (heap, growth) = labelled_demand(executor, notes);
    let demand = Demand::new(executor, terms, executor.received_limit, heap);
    let (attempt, strategy) = match terms.class.strategy {
        Strategy::SafetyNet => {
            let grown = growth.and_then(|labelled| grow_by_labels(executor, terms, eligible, labelled));
            if growth.is_some() && grown.is_none() {
                notes.push(Notice::GrowthDropped.into());
            }
            return Ok(grown.unwrap_or_else(|| safety_net(executor, terms, demand, Bound::SafetyNet)));
        }
        Strategy::Density => {
            (density(executor, terms, demand, &eligible.supply, site.limits), Strategy::Density)
        }
        Strategy::HeapGrowth => {
            (heap_growth(executor, terms, demand, &eligible.supply), Strategy::HeapGrowth)
        }
    };
    if growth.is_some() {
        notes.push(Notice::GrowthDropped.into());
    }
    let sizes = match attempt {
        Ok(Some(sizes)) if strategy == Strategy::HeapGrowth && !is_allowed(executor, site, &sizes) => {
            Err(Bound::LimitRange.into())
        }
        Ok(Some(sizes)) => Ok(sizes),
        Ok(None) => return Err(nothing_to_land_on(terms, site)),
        Err(obstacle) => Err(obstacle),
    };
    let sizes = sizes.unwrap_or_else(|obstacle| {
        let mut net = safety_net(executor, terms, demand, obstacle.bound);
        net.bounds.splice(0..0, obstacle.bounds);
        net
    });
    if !terms.class.nodes.only_with_swap && eligible.some_unproven_holds(sizes.request) {
        return Err(nothing_to_land_on(terms, site));
    }
    if sizes.strategy == Strategy::SafetyNet && executor.is_below_limit() {
        return Err(Reason::AlreadyBelowLimit);
    }
    Ok(sizes)
}

/// The heap that counts, and what the labels ask for beyond the pod's total.
fn labelled_demand(executor: &Executor, notes: &mut Vec<Note>) -> (Option<u64>, Option<Labelled>) {
    let total = executor.received_limit;
    match executor.labelled {
        None => (executor.heap, None),
        Some(labelled) if labelled.heap >= labelled.total.max(total) => {
            notes.push(Note::about(
                Notice::LabelIgnored,
                "the labels ask for a heap as large as the whole executor",
            ));
            (executor.heap, None)
        }
        Some(labelled) if labelled.total > total => (executor.heap, Some(labelled)),
        Some(labelled) => {
            if labelled.total < total {
                notes.push(Notice::LabelsBelowPod.into());
            }
            (Some(labelled.heap), None)
        }
    }
}

/// Growth into swap that the labels ask for: SafetyNet's request and limit, where evidence backs the larger peak.
fn grow_by_labels(
    executor: &Executor,
    terms: &Terms<'_>,
    eligible: &EligibleNodes<'_>,
    labelled: Labelled,
) -> Option<Sizes> {
    let demand = Demand::new(executor, terms, labelled.total, Some(labelled.heap));
    let net = safety_net(executor, terms, demand, Bound::Growth);
    let is_backed = eligible.supply.backs(net.request, demand.backing_target())
        && (confines(terms.class) || !eligible.some_unproven_holds(net.request))
        && demand.working_set <= net.limit
        && executor.unswappable.is_bounded;
    is_backed.then_some(Sizes { is_backed, ..net })
}

/// The class keeps executors off nodes without evidence under every strategy.
fn confines(class: &SwapClass) -> bool {
    class.swap.via.is_explicit() && class.nodes.only_with_swap
}

fn is_allowed(executor: &Executor, site: &Site<'_>, sizes: &Sizes) -> bool {
    executor.resources.memory_is_allowed(site.limits, sizes.request, sizes.limit)
}

fn finish(
    executor: &Executor,
    terms: &Terms<'_>,
    site: &Site<'_>,
    eligible: &EligibleNodes<'_>,
    sizes: Sizes,
    received_qos: QosClass,
) -> Result<Plan, Reason> {
    let class = terms.class;
    let backend = class.swap.via;
    if sizes.request == 0 {
        return Err(Reason::NoMemory);
    }
    let is_confined = sizes.is_backed || confines(class);
    if backend.is_explicit() && !is_confined && eligible.some_unproven_holds(sizes.request) {
        return Err(nothing_to_land_on(terms, site));
    }
    let landing = || eligible.landing(terms, is_confined, sizes.request);
    if site.nodes_are_known && landing().all(|shape| shape.swap == 0) {
        return Err(nothing_to_land_on(terms, site));
    }
    if !is_allowed(executor, site, &sizes) {
        return Err(Reason::LimitRange);
    }

    let grant = |shape: &NodeShape| granted_swap(sizes.request, shape.memory, shape.swap);
    let worst = landing().min_by_key(|shape| (grant(shape), shape.memory, &shape.name));
    let computed = worst.map_or(0, grant);
    let written_swap = backend.is_explicit().then(|| {
        class.swap.max_per_executor.map_or(computed, |cap| computed.min(super::kubelet::floor_to_page(cap)))
    });
    if written_swap == Some(0) {
        return Err(Reason::NoSwapNode);
    }
    let possible_swap = written_swap.unwrap_or(computed);
    let is_proven = landing().all(|shape| shape.has_evidence(backend, 0));
    let expected_swap = if is_proven { possible_swap } else { 0 };
    if received_qos == QosClass::Guaranteed && class.qos_class == QosMode::Burstable && expected_swap == 0 {
        return Err(Reason::WouldLoseGuaranteed);
    }

    let needed_permille = if is_confined {
        let by_peak =
            if sizes.is_backed { needed_permille(sizes.request, sizes.demand.backing_target()) } else { 0 };
        by_peak.max(class.least_swap_percent().saturating_mul(10)).max(1)
    } else {
        0
    };
    let is_guaranteed = terms.is_guaranteed();
    let cpu_limit =
        if is_guaranteed { guaranteed::cpu_limit(executor, site, &sizes, possible_swap)? } else { None };
    let planned = planned_resources(executor, &sizes, cpu_limit);
    let qos_class = qos_class(&executor.resources.with_spark(planned));
    if is_guaranteed && qos_class != QosClass::Guaranteed {
        return Err(Reason::NotGuaranteed);
    }
    let smallest_memory = landing().map(|shape| shape.memory).min();
    let heap = executor.heap.map(|from| Change { from, to: sizes.demand.heap.unwrap_or(from) });
    Ok(Plan {
        class: class.name.clone(),
        enforcement: class.enforcement,
        strategy: sizes.strategy,
        total: sizes.demand.total,
        non_heap: sizes.demand.declared_heap.map(|heap| sizes.demand.total.saturating_sub(heap)),
        request: Change { from: executor.received_request, to: sizes.request },
        limit: Change { from: executor.received_limit, to: sizes.limit },
        working_set: sizes.demand.working_set,
        peak: sizes.demand.peak,
        sizing_peak: sizes.demand.sizing_peak,
        unswappable: executor.unswappable.bytes,
        expected_swap,
        possible_swap,
        needed_permille,
        qos_class,
        oom_score_adj: smallest_memory.map(|memory| oom_score_adj(qos_class, sizes.request, memory)),
        bound: sizes.bound,
        node: worst.map(|shape| PlanNode {
            name: shape.name.clone(),
            memory: shape.memory,
            swap: shape.swap,
        }),
        is_pinned: is_confined,
        is_backed: sizes.is_backed,
        written_swap,
        cpu_limit,
        young_generation_mib: young_generation(executor, terms, heap),
        promise: promise(&eligible.supply, sizes.request),
        bounds: sizes.bounds,
        heap_bounds: sizes.heap_bounds,
        heap,
    })
}

/// The Spark container's resources under the plan.
fn planned_resources(executor: &Executor, sizes: &Sizes, cpu_limit: Option<Quantity>) -> ContainerResources {
    let spark = executor.resources.spark;
    ContainerResources {
        memory_request: Some(Quantity::from_bytes(sizes.request)),
        memory_limit: Some(Quantity::from_bytes(sizes.limit)),
        cpu_limit: cpu_limit.or(spark.cpu_limit),
        ..spark
    }
}

fn promise(supply: &Supply, request: u64) -> Option<Promise> {
    Some(Promise { permille: supply.permille(request)?, swap: supply.grant(request)? })
}

/// `-Xmn`, where the class caps the young generation and the application does not.
fn young_generation(executor: &Executor, terms: &Terms<'_>, heap: Option<Change>) -> Option<u64> {
    let percent = terms.class.young_generation_percent;
    let wanted = percent > 0 && !executor.jvm.sets_young_generation;
    let size = mib(floor_to_mib(percent_floor(heap.filter(|_| wanted)?.to, percent)));
    (size > 0).then_some(size)
}
