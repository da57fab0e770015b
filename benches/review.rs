//! Wall time and allocations of one review, from the bytes of the request to the bytes of the answer, and of looking
//! up eligible nodes in a large cluster.
#![allow(missing_docs, clippy::unwrap_used, clippy::arithmetic_side_effects, clippy::as_conversions)]

use std::alloc::System;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use spark_swap::admission::answer::answer;
use spark_swap::sizing::class::{Strategy, SwapClass};
use spark_swap::sizing::nodes::{Node, NodeIndex};
use spark_swap::sizing::placement::Placement;
use spark_swap::sizing::state::{Settings, State, StateParts};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const REVIEWS: [(&str, &[u8]); 3] = [
    ("small", include_bytes!("data/executor-small.json")),
    ("typical", include_bytes!("data/executor-typical.json")),
    ("large", include_bytes!("data/executor-large.json")),
];

/// Ten thousand nodes of forty shapes, all with evidence.
fn nodes() -> Vec<Node> {
    (0..10_000_u64)
        .map(|number| {
            let memory = (32 + number % 40 * 8) << 30;
            let labels = [
                ("kubernetes.io/hostname", format!("node-{number}")),
                ("topology.kubernetes.io/zone", format!("zone-{}", number % 3)),
                ("spark-swap.io/limited-swap-permille", "500".to_owned()),
            ];
            Node {
                name: format!("node-{number}"),
                memory,
                swap: memory / 2,
                labels: labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
                taints: Vec::new(),
            }
        })
        .collect()
}

fn state() -> State {
    let class = SwapClass {
        name: "batch".to_owned(),
        is_default: true,
        strategy: Strategy::Density,
        working_set_percent: 50,
        ..SwapClass::built_in()
    };
    State::new(
        StateParts { classes: vec![class], nodes: nodes(), ..StateParts::default() },
        Settings::default(),
    )
}

fn reviews(criterion: &mut Criterion) {
    for (state_name, state) in [("safety-net, no nodes", State::default()), ("density, 10000 nodes", state())]
    {
        let mut group = criterion.benchmark_group(format!("review, {state_name}"));
        for (name, body) in REVIEWS {
            let decided = answer(body, &state).unwrap();
            let region = Region::new(ALLOCATOR);
            drop(black_box(answer(body, &state)));
            let used = region.change();
            println!(
                "{name}: {} bytes in, {}, {} allocations of {} bytes",
                body.len(),
                decided.record.reason,
                used.allocations + used.reallocations,
                used.bytes_allocated
            );
            group.bench_function(name, |bencher| bencher.iter(|| answer(black_box(body), &state)));
        }
        group.finish();
    }
}

fn lookup(criterion: &mut Criterion) {
    let index = NodeIndex::new(nodes(), &[]);
    criterion.bench_function("eligible nodes of 10000, warm", |bencher| {
        bencher.iter(|| index.eligible(black_box(&Placement::default())));
    });
    let mut number = 0_u64;
    criterion.bench_function("eligible nodes of 10000, cold", |bencher| {
        bencher.iter(|| {
            number += 1;
            let selector = ("topology.kubernetes.io/zone".into(), format!("zone-{number}").into());
            index.eligible(&Placement { node_selector: vec![selector], ..Placement::default() })
        });
    });
}

criterion_group!(benches, reviews, lookup);
criterion_main!(benches);
