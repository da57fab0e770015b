//! From a case to everything that the design allows as its outcome.

use std::collections::BTreeSet;

use spark_swap::admission::reason::Reason;
use spark_swap::sizing::bound::Bound;
use spark_swap::sizing::class::{QosMode, Strategy};

use super::kubernetes::{self as kube, Pair};
use super::site::{MIB, PAGE, Site, cap, is_explicit};
use super::spark::{self, Sizes};
use super::strategies::{Draft, Tried, density, heap_growth, labels_may_grow, safety_net};
use super::{Expected, Planned};
use crate::ask::{Ask, Case};

/// The outcome of a case.
pub fn expected(case: &Case) -> Expected {
    let site = Site::new(case);
    let certain = certain_reasons(case);
    let declared = declared(case);
    let mut tried = try_strategy(&site, &declared);
    let mut reasons = std::mem::take(&mut tried.reasons);
    if let Some(draft) = tried.draft.take() {
        return conclude(&site, certain, reasons, &draft);
    }
    if tried.fallback.is_empty() {
        reasons.extend(certain);
        return Expected { reasons, planned: None };
    }
    // The nodes' obstacles leave the executor alone, its own make it a safety net: either may come first.
    let mut net = safety_net(&site, &declared, tried.fallback, false);
    let chosen = net.draft.take();
    let Some(draft) = chosen else {
        reasons.extend(net.reasons);
        reasons.extend(certain);
        return Expected { reasons, planned: None };
    };
    conclude(&site, certain, reasons, &draft)
}

/// Reasons that hold whatever the strategy comes to.
fn certain_reasons(case: &Case) -> BTreeSet<Reason> {
    let (ask, class) = (&case.ask, &case.class);
    let mut reasons = BTreeSet::new();
    let hash = ask.application.as_ref().map(|id| spark::fnv(id) % 100);
    if class.rollout_percent < 100 && hash.is_none_or(|hash| hash >= class.rollout_percent) {
        reasons.insert(Reason::OutsideRollout);
    }
    if ask.priority.is_some_and(|priority| priority >= 2_000_000_000) {
        reasons.insert(Reason::CriticalPod);
    }
    if spark::heap(ask).is_some_and(|heap| heap >= ask.limit) {
        reasons.insert(Reason::HeapExceedsLimit);
    }
    let conflicts =
        |(key, value): (&String, &String)| ask.node_selector.get(key).is_some_and(|own| own != value);
    if class.nodes.selector.iter().any(conflicts) {
        reasons.insert(Reason::PinConflict);
    }
    let received = kube::usages(ask, ask.cpu.1, ask.request, ask.limit);
    if class.qos_class == QosMode::Preserve && kube::qos(&received) == "Guaranteed" {
        reasons.insert(Reason::WouldLoseGuaranteed);
    }
    if class.qos_class == QosMode::Guaranteed && guaranteed_cpu(case).is_none() {
        reasons.insert(Reason::NotGuaranteed);
    }
    reasons
}

/// The sizes without growth by labels: a total below the pod's counts as the pod's.
fn declared(case: &Case) -> Sizes {
    let (ask, class) = (&case.ask, &case.class);
    let heap = match labelled(ask) {
        Some((heap, total)) if total <= ask.limit => Some(heap),
        _ => spark::heap(ask),
    };
    spark::sizes(ask, class, ask.limit, heap)
}

fn labelled(ask: &Ask) -> Option<(u64, u64)> {
    let heap = spark::heap(ask).filter(|_| !ask.conf.is_empty())?;
    let (heap, total) = spark::labelled(&ask.conf, heap);
    (heap < total.max(ask.limit)).then_some((heap, total))
}

fn try_strategy(site: &Site<'_>, declared: &Sizes) -> Tried {
    let (ask, class) = (&site.case.ask, &site.case.class);
    match class.strategy {
        Strategy::Density => density(site, declared),
        Strategy::HeapGrowth => heap_growth(site, declared),
        Strategy::SafetyNet => {
            let grown = labelled(ask)
                .filter(|(_, total)| *total > ask.limit)
                .map(|(heap, total)| spark::sizes(ask, class, total, Some(heap)))
                .filter(|grown| labels_may_grow(site, grown));
            match grown {
                Some(grown) => safety_net(site, &grown, BTreeSet::from([Bound::Growth]), true),
                None => safety_net(site, declared, BTreeSet::from([Bound::SafetyNet]), false),
            }
        }
    }
}

/// The plan of a draft, unless its QoS class or its swap stand against it.
fn conclude(
    site: &Site<'_>,
    certain: BTreeSet<Reason>,
    mut reasons: BTreeSet<Reason>,
    draft: &Draft,
) -> Expected {
    let (ask, class) = (&site.case.ask, &site.case.class);
    let planned = plan(site, draft);
    let mut against = certain;
    if planned.written_swap == Some(0) {
        against.insert(Reason::NoSwapNode);
    }
    if !site.case.nodes.is_empty() && planned.landing.iter().all(|node| node.swap == 0) {
        // A label on a node without swap promises nothing, under any strategy.
        against.extend(site.no_such_node());
    }
    let received = kube::usages(ask, ask.cpu.1, ask.request, ask.limit);
    if class.qos_class == QosMode::Burstable
        && kube::qos(&received) == "Guaranteed"
        && planned.expected_swap == 0
    {
        against.extend([Reason::WouldLoseGuaranteed, Reason::NoSwapNode, Reason::NodesUnknown]);
    }
    if class.qos_class == QosMode::Guaranteed {
        // Not in so many words: the lowered limit and the swap must hold the peak, and the collector must stay.
        let holds_peak = planned.peak <= draft.limit + planned.written_swap.unwrap_or(0)
            && planned.working_set <= draft.limit;
        let crosses = draft.limit < 1792 * MIB && ask.limit >= 1792 * MIB;
        if !holds_peak || (crosses && !spark::selects_collector(ask)) {
            against.insert(Reason::NotGuaranteed);
        }
    }
    if against.is_empty() {
        return Expected { reasons, planned: Some(planned) };
    }
    reasons.extend(against);
    Expected { reasons, planned: None }
}

fn plan(site: &Site<'_>, draft: &Draft) -> Planned {
    let (ask, class) = (&site.case.ask, &site.case.class);
    let sizes = &draft.sizes;
    let split = site.split(draft.request, draft.strategy != Strategy::SafetyNet || is_explicit(class));
    let is_pinned = draft.needed > 0;
    let nodes = if is_pinned { split.proven.clone() } else { site.fitting(draft.request) };
    let kubelet = |node: &&spark_swap::sizing::nodes::Node| kube::grant(draft.request, node);
    let written_swap = is_explicit(class)
        .then(|| split.proven.iter().map(kubelet).min().unwrap_or(0).min(cap(class)) / PAGE * PAGE);
    let granted = |node: &&spark_swap::sizing::nodes::Node| written_swap.unwrap_or_else(|| kubelet(node));
    let possible_swap = nodes.iter().map(granted).min().unwrap_or(0);
    let is_proven = is_pinned || split.others.is_empty();
    let guaranteed = class.qos_class == QosMode::Guaranteed;
    let cpu_limit = guaranteed_cpu(site.case).filter(|limit| guaranteed && ask.cpu.1 != Some(*limit));
    let after = kube::usages(ask, cpu_limit.or(ask.cpu.1), draft.request, draft.limit);
    let qos = kube::qos(&after);
    Planned {
        strategy: draft.strategy,
        bounds: draft.bounds.clone(),
        request: draft.request,
        limit: draft.limit,
        heap: sizes.heap_from.zip(sizes.heap),
        non_heap: sizes.non_heap,
        working_set: sizes.working_set,
        peak: sizes.peak,
        unswappable: spark::unswappable(ask).0,
        expected_swap: if is_proven { possible_swap } else { 0 },
        possible_swap,
        needed_permille: draft.needed,
        is_pinned,
        qos,
        oom_score_adj: nodes
            .iter()
            .map(|node| node.memory)
            .min()
            .map(|memory| kube::oom_score_adj(qos, draft.request, memory)),
        smallest: nodes
            .iter()
            .filter(|node| granted(node) == possible_swap)
            .map(|node| (*node).clone())
            .collect(),
        landing: nodes.into_iter().cloned().collect(),
        written_swap,
        cpu_limit,
        young_mib: young_mib(site.case, sizes.heap),
    }
}

fn young_mib(case: &Case, heap: Option<u64>) -> Option<u64> {
    let mib = u128::from(heap?) * u128::from(case.class.young_generation_percent) / 100 / u128::from(MIB);
    (mib > 0 && !spark::sets_young_generation(&case.ask)).then_some(mib as u64)
}

/// The cpu limit that a Guaranteed pod has; `None` where it cannot be Guaranteed.
fn guaranteed_cpu(case: &Case) -> Option<u64> {
    let equal = |(request, limit): Pair| request.is_some_and(|request| request > 0) && request == limit;
    if !case.ask.beside.iter().all(|other| equal(other.cpu) && equal(other.memory)) {
        return None;
    }
    let request = case.ask.cpu.0.filter(|request| *request > 0)?;
    if equal(case.ask.cpu) {
        return Some(request);
    }
    let keeps_collector = (request % 1000 == 0 && request >= 2000) || spark::selects_collector(&case.ask);
    let after = kube::usages(&case.ask, Some(request), case.ask.request, case.ask.limit);
    let allowed = kube::ranges_allow(&case.ranges, &after, |usage| usage.cpu, |range| &range.cpu);
    (keeps_collector && !case.cpu_limit_quota && allowed).then_some(request)
}
