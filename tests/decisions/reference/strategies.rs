//! Section 5: the strategies, by trying every size.

use std::collections::BTreeSet;

use spark_swap::admission::reason::Reason;
use spark_swap::sizing::bound::Bound;
use spark_swap::sizing::class::{Strategy, SwapClass};

use super::site::{MIB, PAGE, Site, Split, is_explicit, kept_limit, limit_for, one_step_below, share};
use super::spark::{self, Sizes, ceil};

const GIB32: u64 = 32 << 30;

/// What a strategy wants to do.
pub struct Draft {
    pub strategy: Strategy,
    pub bounds: BTreeSet<Bound>,
    pub sizes: Sizes,
    pub request: u64,
    pub limit: u64,
    /// 0: not pinned.
    pub needed: u64,
}

/// What a strategy comes to: obstacles of the nodes, obstacles of the executor, and the draft where there are neither.
#[derive(Default)]
pub struct Tried {
    pub reasons: BTreeSet<Reason>,
    pub fallback: BTreeSet<Bound>,
    pub draft: Option<Draft>,
}

impl Tried {
    fn fallback(bounds: impl IntoIterator<Item = Bound>, reasons: BTreeSet<Reason>) -> Self {
        Self { reasons, fallback: bounds.into_iter().collect(), draft: None }
    }
}

/// `grown`: by labels, which the proof must travel with. Explicit backends are pinned where the class confines.
pub fn safety_net(site: &Site<'_>, sizes: &Sizes, bounds: BTreeSet<Bound>, grown: bool) -> Tried {
    let (ask, class) = (&site.case.ask, &site.case.class);
    let request = one_step_below(ask);
    let limit = kept_limit(ask, class, request);
    let fitting = site.fitting(request);
    let mut reasons = BTreeSet::new();
    if ask.request < ask.limit {
        reasons.insert(Reason::AlreadyBelowLimit);
    }
    if !class.nodes.selector.is_empty() && fitting.is_empty() {
        reasons.extend(site.no_such_node());
        reasons.insert(Reason::NodesUnknown);
    }
    let mut landing = fitting;
    if is_explicit(class) {
        reasons.extend(site.node_obstacles(request));
        if class.nodes.only_with_swap {
            landing = site.split(request, true).proven;
        }
    }
    if !site.case.nodes.is_empty() && landing.iter().all(|node| node.swap == 0) {
        reasons.extend(site.no_such_node());
    }
    if !site.ranges_allow(request, limit) {
        reasons.insert(Reason::LimitRange);
    }
    let needed = if grown {
        needed_permille(class, request, sizes.sizing_peak + PAGE)
    } else if is_explicit(class) && class.nodes.only_with_swap {
        needed_permille(class, request, 0)
    } else {
        0
    };
    let draft = Draft { strategy: Strategy::SafetyNet, bounds, sizes: *sizes, request, limit, needed };
    Tried { draft: reasons.is_empty().then_some(draft), reasons, ..Tried::default() }
}

/// The labels' growth is backed by swap: every eligible node counts (onlyWithSwap and minimumSwapPercent act on explicit
/// backends alone here), and nothing of unknown size may be unswappable.
pub fn labels_may_grow(site: &Site<'_>, sizes: &Sizes) -> bool {
    let request = one_step_below(&site.case.ask);
    let class = &site.case.class;
    let Split { proven, others } = site.split(request, is_explicit(class));
    !proven.is_empty()
        && (others.is_empty() || is_explicit(class) && class.nodes.only_with_swap)
        && request + site.promise(request, &proven) >= sizes.sizing_peak + PAGE
        && sizes.working_set <= kept_limit(&site.case.ask, &site.case.class, request)
        && spark::unswappable(&site.case.ask).1
}

pub fn density(site: &Site<'_>, sizes: &Sizes) -> Tried {
    let (ask, class) = (&site.case.ask, &site.case.class);
    let (unswappable, is_known) = spark::unswappable(ask);
    if !is_known {
        return Tried::fallback([Bound::UnswappableMemory], site.node_obstacles(one_step_below(ask)));
    }
    let (working_set_percent, _) = spark::percents(ask, class);
    let working_set =
        ceil(sizes.total, working_set_percent * (100 + class.margin_percent), 10_000) + unswappable;
    let floor = working_set.max(class.minimum_request);
    let promises: Vec<(u64, u64)> =
        site.split(0, true).proven.iter().map(|node| (node.memory, site.usable(node))).collect();
    let is_backed = |request: u64| {
        let fitting = promises.iter().filter(|(memory, _)| *memory >= request);
        let least = fitting.map(|(_, permille)| *permille).min();
        least.is_some_and(|least| request + site.capped_share(request, least) >= sizes.sizing_peak + PAGE)
    };
    let top = ask.request.min(ask.limit - 1) / MIB * MIB;
    let smallest = |from: u64, allows: &dyn Fn(u64) -> bool| {
        (from.div_ceil(MIB) * MIB..=top).step_by(MIB as usize).find(|request| allows(*request))
    };
    let is_allowed = |request: u64| site.ranges_allow(request, limit_for(ask, class, request));
    let chosen = smallest(floor, &|request| is_backed(request) && is_allowed(request));
    let gains = |request: &u64| u128::from(*request) * 100 <= u128::from(ask.request.min(ask.limit)) * 97;
    let Some(request) = chosen.filter(gains) else {
        let without_ranges = smallest(floor, &is_backed);
        let gains_without_ranges = without_ranges.is_some_and(|request| gains(&request));
        let mut bounds = BTreeSet::new();
        if !gains_without_ranges {
            bounds.insert(Bound::GainTooSmall);
        }
        // Where no node with evidence can hold the request, nothing says what a LimitRange would have made of it.
        if gains_without_ranges || (without_ranges.is_none() && !site.case.ranges.is_empty()) {
            bounds.insert(Bound::LimitRange);
        }
        let requests = [floor, chosen.unwrap_or(top), sizes.sizing_peak + PAGE];
        let reasons = requests.into_iter().flat_map(|request| site.node_obstacles(request)).collect();
        return Tried::fallback(bounds, reasons);
    };
    let reasons = site.node_obstacles(request);
    // A bound decided where it forbids the next smaller size.
    let smaller = request - MIB;
    let deciding = [
        (Bound::WorkingSet, smaller < working_set),
        (Bound::MinimumRequest, smaller < class.minimum_request),
        (Bound::PeakOverSwap, !is_backed(smaller)),
        (Bound::LimitRange, !is_allowed(smaller)),
    ];
    let bounds = deciding.iter().filter(|(_, decided)| *decided).map(|(bound, _)| *bound).collect();
    let draft = Draft {
        strategy: Strategy::Density,
        bounds,
        sizes: *sizes,
        request,
        limit: limit_for(ask, class, request),
        needed: needed_permille(class, request, sizes.sizing_peak + PAGE),
    };
    Tried { draft: reasons.is_empty().then_some(draft), reasons, ..Tried::default() }
}

/// The smallest permille whose swap reaches `target` with this request, and what the class asks for at least.
fn needed_permille(class: &SwapClass, request: u64, target: u64) -> u64 {
    let enough = |permille: &u64| request + share(request, *permille) >= target;
    let sized = class.strategy != Strategy::SafetyNet || is_explicit(class);
    let least = if sized { class.nodes.minimum_swap_percent } else { 0 };
    (0..=1_000_000_000).find(enough).unwrap().max(10 * least).max(1)
}

pub fn heap_growth(site: &Site<'_>, sizes: &Sizes) -> Tried {
    let (ask, class) = (&site.case.ask, &site.case.class);
    let request = one_step_below(ask);
    let reasons = site.node_obstacles(request);
    let mut fallback = BTreeSet::new();
    if !spark::unswappable(ask).1 {
        fallback.insert(Bound::UnswappableMemory);
    }
    let Some(heap) = sizes.heap else {
        fallback.insert(Bound::NoRoomToGrow);
        return Tried::fallback(fallback, reasons);
    };
    let asked = u128::from(heap) * u128::from(100 + class.heap_growth_percent) / 100;
    let asked = asked as u64 / MIB * MIB;
    let allowed = if heap < GIB32 { asked.min(GIB32 - MIB) } else { asked };
    let backing = request + site.promise(request, &site.split(request, true).proven);
    let peak = |heap_to: u64| sizes.peak + (heap_to - heap);
    let sizing_peak = |heap_to: u64| ceil(peak(heap_to), 100 + class.peak_margin_percent, 100);
    let mut heap_to = allowed;
    while heap_to > heap && sizing_peak(heap_to) + PAGE > backing {
        heap_to -= MIB;
    }
    if heap_to <= heap {
        fallback.insert(Bound::NoRoomToGrow);
    }
    let limit = kept_limit(ask, class, request);
    if !site.ranges_allow(request, limit) {
        fallback.insert(Bound::LimitRange);
    }
    if !fallback.is_empty() {
        return Tried::fallback(fallback, reasons);
    }
    let mut bounds = BTreeSet::from([if heap_to < allowed {
        Bound::SwapSpent
    } else if allowed < asked {
        Bound::CompressedOops
    } else {
        Bound::Growth
    }]);
    if heap_to < allowed && ask.request < ask.limit {
        bounds.insert(Bound::Received);
    }
    let grown =
        Sizes { heap: Some(heap_to), peak: peak(heap_to), sizing_peak: sizing_peak(heap_to), ..*sizes };
    let needed = needed_permille(class, request, grown.sizing_peak + PAGE);
    let draft = Draft { strategy: Strategy::HeapGrowth, bounds, sizes: grown, request, limit, needed };
    Tried { draft: reasons.is_empty().then_some(draft), reasons, ..Tried::default() }
}
