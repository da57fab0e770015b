//! The three strategies: each computes the request, limit and heap that it would like. Pure arithmetic; whether the
//! nodes and the QoS class allow it is decided in [`super::planner`].

use super::arithmetic::{ceil_to_mib, floor_to_mib, fraction_ceil, percent_ceil, percent_floor};
use super::bound::Bound;
use super::class::{LimitMode, Strategy};
use super::executor::Executor;
use super::kubelet::PAGE;
use super::limit_range::NamespaceLimits;
use super::plan::Terms;
use super::search;
use super::spark_memory::MIB;
use super::supply::Supply;

/// The executor's demand: what the sizes are made for, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    /// T.
    pub(super) total: u64,
    /// H before any growth by the class; `None` when unknown.
    pub(super) declared_heap: Option<u64>,
    /// H to set.
    pub(super) heap: Option<u64>,
    /// W.
    pub(super) working_set: u64,
    /// P.
    pub(super) peak: u64,
    /// Q.
    pub(super) sizing_peak: u64,
}

/// What a strategy would like, bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) strategy: Strategy,
    pub(super) request: u64,
    pub(super) limit: u64,
    /// The demand, with the heap as grown.
    pub(super) demand: Demand,
    pub(super) bound: Bound,
    /// P <= R + s is claimed.
    pub(super) is_backed: bool,
    pub(super) bounds: Vec<(Bound, u64)>,
    pub(super) heap_bounds: Vec<(Bound, u64)>,
}

/// Why a strategy cannot be had, with the bounds computed so far: the plan is a SafetyNet then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) bound: Bound,
    pub(super) bounds: Vec<(Bound, u64)>,
}

impl From<Bound> for Obstacle {
    fn from(bound: Bound) -> Self {
        Self { bound, bounds: Vec::new() }
    }
}

/// From here up the JVM takes a machine for a server and picks G1 (`os::is_server_class_machine`).
pub(super) const SERVER_CLASS_MEMORY: u64 = 1792 * MIB;
/// From here up the JVM cannot use compressed pointers.
const COMPRESSED_OOPS_END: u64 = 32 << 30;

impl Demand {
    /// The demand of an executor with this total and heap.
    pub(super) fn new(executor: &Executor, terms: &Terms<'_>, total: u64, heap: Option<u64>) -> Self {
        let share = percent_ceil(total, terms.peak_percent);
        let touched_at_start = heap.filter(|_| executor.jvm.always_pre_touch).unwrap_or(0);
        let mut demand = Self {
            total,
            declared_heap: heap,
            heap,
            working_set: percent_ceil(total, terms.working_set_percent),
            peak: share.max(touched_at_start),
            sizing_peak: 0,
        };
        demand.set_peak(demand.peak, terms);
        demand
    }

    fn set_peak(&mut self, peak: u64, terms: &Terms<'_>) {
        self.peak = peak;
        self.sizing_peak = percent_ceil(peak, terms.class.peak_margin_percent.saturating_add(100));
    }

    /// Q and a page of slack for the kubelet's float64.
    pub(super) fn backing_target(&self) -> u64 {
        self.sizing_peak.saturating_add(PAGE)
    }
}

/// SafetyNet: the largest whole Mi below the total as received, and the limit as received.
pub(super) fn safety_net(executor: &Executor, terms: &Terms<'_>, demand: Demand, bound: Bound) -> Sizes {
    let request = floor_to_mib(executor.received_limit.saturating_sub(1));
    Sizes {
        strategy: Strategy::SafetyNet,
        request,
        limit: if terms.is_guaranteed() { request } else { executor.received_limit },
        demand,
        bound,
        is_backed: false,
        bounds: vec![(Bound::SafetyNet, request)],
        heap_bounds: Vec::new(),
    }
}

/// Density: the smallest request that keeps the working set in memory and the peak in memory and swap together.
///
/// `Err` is the obstacle that makes the plan a SafetyNet; `Ok(None)`: no node can hold the executor.
pub(super) fn density(
    executor: &Executor,
    terms: &Terms<'_>,
    demand: Demand,
    supply: &Supply,
    limits: &NamespaceLimits,
) -> Result<Option<Sizes>, Obstacle> {
    if !executor.unswappable.is_bounded {
        return Err(Bound::UnswappableMemory.into());
    }
    let total = demand.total;
    let class = terms.class;
    let resident = fraction_ceil(
        total,
        terms.working_set_percent.saturating_mul(class.margin_percent.saturating_add(100)),
        10_000,
    );
    let target = demand.backing_target();
    let most = ceil_to_mib(target).min(floor_to_mib(supply.largest_memory()));
    let Some(backed) = search::smallest(MIB, most, |request| supply.backs(request, target)) else {
        return Ok(None);
    };
    let mut bounds = vec![
        (Bound::WorkingSet, ceil_to_mib(resident.saturating_add(executor.unswappable.bytes))),
        (Bound::PeakOverSwap, backed),
        (Bound::MinimumRequest, ceil_to_mib(class.minimum_request)),
    ];
    let (mut bound, base) =
        bounds.iter().fold((Bound::WorkingSet, 0), |best, next| if next.1 > best.1 { *next } else { best });
    let smaller = executor.received_request.min(total);
    let gain_ends = floor_to_mib(percent_floor(smaller, 97));
    if base > gain_ends {
        return Err(Obstacle { bound: Bound::GainTooSmall, bounds });
    }
    let is_within = |limits: &NamespaceLimits, request: u64| {
        executor.resources.memory_is_allowed(limits, request, density_limit(executor, terms, total, request))
    };
    let minimums = limits.minimums();
    let allowed = search::smallest(base, gain_ends, |request| is_within(&minimums, request))
        .and_then(|least| search::first_fit(least, gain_ends, |request| is_within(limits, request)));
    let Some(request) = allowed else { return Err(Obstacle { bound: Bound::LimitRange, bounds }) };
    if request > base {
        bound = Bound::LimitRange;
        bounds.push((Bound::LimitRange, request));
    }
    if request > supply.largest_memory() {
        return Ok(None);
    }
    let limit = density_limit(executor, terms, total, request);
    let heap_bounds = Vec::new();
    let strategy = Strategy::Density;
    Ok(Some(Sizes { strategy, request, limit, demand, bound, is_backed: true, bounds, heap_bounds }))
}

/// L for a request under Density.
fn density_limit(executor: &Executor, terms: &Terms<'_>, total: u64, request: u64) -> u64 {
    if terms.is_guaranteed() {
        return request;
    }
    match terms.class.limit {
        LimitMode::Loose => total,
        LimitMode::Tight => {
            let tight = ceil_to_mib(percent_ceil(request, 102));
            let keeps_server_class = total >= SERVER_CLASS_MEMORY && !executor.jvm.selects_collector;
            tight.max(if keeps_server_class { SERVER_CLASS_MEMORY } else { 0 }).min(total)
        }
    }
}

/// HeapGrowth: the request and limit of SafetyNet, and a heap as large as the swap backs.
pub(super) fn heap_growth(
    executor: &Executor,
    terms: &Terms<'_>,
    mut demand: Demand,
    supply: &Supply,
) -> Result<Option<Sizes>, Obstacle> {
    if !executor.unswappable.is_bounded {
        return Err(Bound::UnswappableMemory.into());
    }
    let heap = demand.heap.ok_or(Bound::NoRoomToGrow)?;
    let net = safety_net(executor, terms, demand, Bound::SafetyNet);
    let request = if executor.is_below_limit() { executor.received_request } else { net.request };
    if supply.grant(request).is_none() {
        return Ok(None);
    }
    // The largest P' with ceil(P' * (100 + margin) / 100) + a page <= R + g(R).
    let backed_heap = |request: u64| {
        let backing = request.saturating_add(supply.grant(request)?).checked_sub(PAGE)?;
        let percent = terms.class.peak_margin_percent.checked_add(100)?;
        let peak = u128::from(backing).checked_mul(100)?.checked_div(u128::from(percent))?;
        let room = u64::try_from(peak).ok()?.checked_sub(demand.peak)?;
        Some(floor_to_mib(heap.checked_add(room)?))
    };
    let by_swap = backed_heap(request).ok_or(Bound::NoRoomToGrow)?;
    let asked = floor_to_mib(percent_floor(heap, terms.class.heap_growth_percent.saturating_add(100)));
    let compressed =
        if heap < COMPRESSED_OOPS_END { COMPRESSED_OOPS_END.saturating_sub(MIB) } else { u64::MAX };
    let grown = asked.min(by_swap).min(compressed);
    if grown <= heap {
        return Err(Bound::NoRoomToGrow.into());
    }
    let bound = if grown == asked {
        Bound::Growth
    } else if grown == by_swap {
        let would_be = backed_heap(net.request).unwrap_or(by_swap).min(asked).min(compressed);
        if request < net.request && grown < would_be { Bound::Received } else { Bound::SwapSpent }
    } else {
        Bound::CompressedOops
    };
    let mut heap_bounds = vec![(Bound::Growth, asked), (Bound::SwapSpent, by_swap)];
    if compressed != u64::MAX {
        heap_bounds.push((Bound::CompressedOops, compressed));
    }
    demand.heap = Some(grown);
    demand.set_peak(demand.peak.saturating_add(grown.saturating_sub(heap)), terms);
    let strategy = Strategy::HeapGrowth;
    let limit = if terms.is_guaranteed() { request } else { net.limit };
    Ok(Some(Sizes { strategy, request, limit, demand, bound, is_backed: true, heap_bounds, ..net }))
}
