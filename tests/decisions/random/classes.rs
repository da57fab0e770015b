//! Random SwapClasses over the whole valid range.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use spark_swap::sizing::class::{
    Backend, ClassNodes, Enforcement, LimitMode, QosMode, Strategy as Use, SwapBackend, SwapClass,
};

use super::executors::toleration;
use super::{GIB, MIB, bytes, words};

pub fn class() -> impl Strategy<Value = SwapClass> {
    let percents = (percent(70, 1), percent(100, 1), percent(15, 0), percent(10, 0), percent(0, 0));
    let modes = (
        prop::sample::select(vec![Use::SafetyNet, Use::Density, Use::Density, Use::HeapGrowth]),
        prop_oneof![2 => Just(LimitMode::Tight), 1 => Just(LimitMode::Loose)],
        prop_oneof![9 => Just(Enforcement::Enforce), 1 => Just(Enforcement::Audit)],
        prop_oneof![19 => Just(100), 1 => 0_u64..=100],
        prop_oneof![2 => Just(512 * MIB), 1 => bytes(1, 16 * GIB)],
    );
    let overrides = (percent(40, 1), percent(80, 1), percent(25, 0));
    (percents, modes, overrides, swap(), nodes()).prop_map(|(percents, modes, overrides, swap, nodes)| {
        let (working_set, peak, margin, peak_margin, young) = percents;
        let (strategy, limit, enforcement, rollout_percent, minimum_request) = modes;
        let (min_working_set_percent, min_peak_percent, heap_growth_percent) = overrides;
        let (swap, qos_class) = swap;
        SwapClass {
            name: "batch".to_owned(),
            is_default: true,
            enforcement,
            rollout_percent,
            strategy,
            working_set_percent: working_set.min(peak),
            peak_percent: peak,
            margin_percent: margin,
            peak_margin_percent: peak_margin / 2,
            limit,
            minimum_request,
            qos_class,
            swap,
            nodes,
            heap_growth_percent,
            young_generation_percent: young / 2,
            min_working_set_percent,
            min_peak_percent,
        }
    })
}

/// Mostly around the default, sometimes anything from `from` to 100.
fn percent(default: u64, from: u64) -> impl Strategy<Value = u64> {
    let near = default.saturating_sub(20).max(from)..=(default + 10).min(100);
    prop_oneof![2 => Just(default), 2 => near, 1 => from..=100]
}

fn swap() -> impl Strategy<Value = (SwapBackend, QosMode)> {
    let via = prop_oneof![
        4 => Just(Backend::Kubelet),
        1 => Just(Backend::CrioAnnotation),
        1 => Just(Backend::NriMemoryQos)
    ];
    let qos = prop_oneof![2 => Just(QosMode::Preserve), 1 => Just(QosMode::Burstable), 1 => Just(QosMode::Guaranteed)];
    (via, option::weighted(0.3, bytes(4096, 64 * GIB)), qos).prop_map(|(via, max, qos)| {
        let is_kubelet = via == Backend::Kubelet;
        let max_per_executor = max.filter(|_| !is_kubelet);
        let qos = if is_kubelet && qos == QosMode::Guaranteed { QosMode::Preserve } else { qos };
        (SwapBackend { via, max_per_executor }, qos)
    })
}

fn nodes() -> impl Strategy<Value = ClassNodes> {
    let selector = prop_oneof![
        9 => Just(BTreeMap::new()),
        1 => btree_map(words(&["pool"]), words(&["a", "b"]), 1),
    ];
    let minimum = prop_oneof![8 => Just(10), 3 => 0_u64..=60, 1 => 0_u64..=1000];
    (selector, vec(toleration(), 0..=1), any::<bool>(), minimum).prop_map(
        |(selector, tolerations, only_with_swap, minimum_swap_percent)| ClassNodes {
            selector,
            tolerations,
            only_with_swap,
            minimum_swap_percent,
        },
    )
}
