//! Random executors.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use spark_swap::sizing::placement::{NodeSelectorTerm, Requirement, Toleration};

use super::{GIB, MIB, bytes, whole_mib, words};
use crate::ask::{Ask, Beside, Conf, Heap, Place};

type Pair = (Option<u64>, Option<u64>);

pub fn ask() -> impl Strategy<Value = Ask> {
    let sizes = (
        memory(),
        cpu(),
        vec(beside(), 0..=2),
        prop_oneof![2 => Just(Vec::new()), 1 => vec(tmpfs(), 1..=2)],
        prop::bool::weighted(0.03),
    );
    let labels =
        (options(), conf(), percent_label(), percent_label(), option::weighted(0.9, "spark-[0-9a-f]{8}"));
    let placement = (
        option::weighted(0.05, words(&["node-0", "node-1", "node-9"])),
        prop_oneof![7 => Just(BTreeMap::new()), 1 => btree_map(words(&["pool"]), words(&["a", "b"]), 1)],
        option::weighted(0.15, vec(term(), 1..=3)),
        vec(toleration(), 0..=1),
        option::weighted(0.1, prop_oneof![19 => Just(1000_i64), 1 => Just(2_000_001_000)]),
        any::<bool>(),
    );
    (sizes, labels, placement).prop_map(|(sizes, labels, placement)| {
        let ((heap, request, limit), cpu, beside, tmpfs, huge_pages) = sizes;
        let (options, conf, working_set_label, peak_label, application) = labels;
        let (node_name, node_selector, terms, tolerations, priority, annotated) = placement;
        let tmpfs = tmpfs
            .into_iter()
            .map(|(percent, mounted)| (percent.map(|percent| limit / 100 * percent), mounted));
        let conf = conf.scaled(limit);
        Ask {
            heap,
            request,
            limit,
            cpu,
            beside,
            tmpfs: tmpfs.collect(),
            huge_pages,
            options,
            conf,
            working_set_label,
            peak_label,
            application,
            node_name,
            node_selector,
            terms,
            tolerations,
            priority,
            annotated,
        }
    })
}

/// Heap, request and limit.
fn memory() -> impl Strategy<Value = (Heap, u64, u64)> {
    let limit = prop_oneof![
        8 => whole_mib(400 * MIB, 64 * GIB),
        1 => whole_mib(GIB, 512 * GIB),
        1 => bytes(400 * MIB, 8 * GIB),
        1 => (1700_u64..=1900).prop_map(|mib| mib * MIB),
        1 => (32_u64 * 1024..=40 * 1024).prop_map(|mib| mib * MIB),
    ];
    let request_percent = prop_oneof![8 => Just(100_u64), 1 => 50_u64..100];
    let heap_percent = prop_oneof![9 => 55_u64..=92, 1 => 30_u64..=110];
    (limit, request_percent, heap_percent, 0..20_u8).prop_map(|(limit, request, heap, kind)| {
        let heap = limit / 100 * heap;
        let mib = (heap / MIB * MIB).max(MIB);
        let heap = match kind {
            0 => Heap::Absent,
            1 => Heap::ValueFrom,
            2 => Heap::NotASize,
            3 => Heap::Overruled(mib),
            4 => Heap::Env(heap),
            5 => Heap::Twice(mib),
            _ => Heap::Env(mib),
        };
        let request = if request == 100 { limit } else { limit / 100 * request };
        (heap, request, limit)
    })
}

fn cpu() -> impl Strategy<Value = Pair> {
    prop_oneof![
        4 => Just((Some(1000), None)),
        2 => Just((Some(4000), None)),
        1 => Just((Some(500), Some(2000))),
        1 => Just((Some(1500), Some(1500))),
        2 => Just((Some(2000), Some(2000))),
        1 => Just((None, None)),
    ]
}

fn beside() -> impl Strategy<Value = Beside> {
    let place = prop_oneof![Just(Place::App), Just(Place::Init), Just(Place::NativeSidecar)];
    let memory = whole_mib(16 * MIB, 2 * GIB).prop_flat_map(|bytes| {
        prop_oneof![
            3 => Just((Some(bytes), Some(bytes))),
            1 => Just((Some(bytes), Some(2 * bytes))),
            1 => Just((Some(bytes), None)),
            1 => Just((None, None)),
        ]
    });
    (place, cpu(), memory).prop_map(|(place, cpu, memory)| Beside { place, cpu, memory })
}

/// sizeLimit in percent of the executor's limit, and whether it is mounted.
fn tmpfs() -> impl Strategy<Value = (Option<u64>, bool)> {
    (option::weighted(0.9, 1_u64..=30), prop::bool::weighted(0.6))
}

fn options() -> impl Strategy<Value = Vec<(String, String)>> {
    let option = prop::sample::select(vec![
        ("SPARK_JAVA_OPT_0", "-Djava.net.preferIPv6Addresses=false"),
        ("SPARK_JAVA_OPT_1", "-XX:+UseG1GC"),
        ("SPARK_JAVA_OPT_12", "-XX:+AlwaysPreTouch"),
        ("SPARK_JAVA_OPT_7", "-XX:+UseParallelGC"),
        ("JAVA_TOOL_OPTIONS", "-Dx=y -XX:NewRatio=3"),
        ("SPARK_JAVA_OPT_ZZ", "-Dlast=1"),
        ("JDK_JAVA_OPTIONS", "-Xmn64m"),
        ("SPARK_JAVA_OPT_3", "-XX:G1MaxNewSizePercent=20"),
        ("SPARK_JAVA_OPT_4", "-XX:+UseLargePages"),
    ]);
    prop_oneof![
        3 => Just(Vec::new()),
        1 => vec(option, 1..=3).prop_map(|options| {
            let named: BTreeMap<&str, &str> = options.into_iter().collect();
            named.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        }),
    ]
}

/// Spark conf labels with sizes in percent of the executor's limit.
fn conf() -> impl Strategy<Value = Conf> {
    let conf = (
        option::weighted(0.4, prop_oneof![4 => 60_u64..=100, 1 => 20_u64..=200]),
        option::weighted(0.4, prop_oneof![4 => 5_u64..=40, 1 => 1_u64..=200]),
        option::weighted(0.2, 1_u64..=20),
        option::weighted(0.3, prop::sample::select(vec!["0.1", "0.25", "0.4", "0.07", "1.5"])),
        option::weighted(0.2, 1_u64..=20),
        option::weighted(0.2, 1_u64..=30),
    );
    prop_oneof![
        2 => Just(Conf::default()),
        1 => conf.prop_map(|(memory, overhead, minimum_overhead, factor, pyspark, off_heap)| {
            Conf { memory, overhead, minimum_overhead, factor, pyspark, off_heap }
        }),
    ]
}

impl Conf {
    fn scaled(self, limit: u64) -> Self {
        let mib = |percent: u64| (limit / MIB * percent / 100).max(1);
        Self {
            memory: self.memory.map(|percent| mib(percent).max(450)),
            overhead: self.overhead.map(mib),
            minimum_overhead: self.minimum_overhead.map(mib),
            factor: self.factor,
            pyspark: self.pyspark.map(mib),
            off_heap: self.off_heap.map(|percent| mib(percent) * MIB),
        }
    }
}

fn percent_label() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        8 => Just(None),
        3 => (1_u64..=100).prop_map(|percent| Some(percent.to_string())),
        1 => words(&["0", "101", "50.5", "", "half"]).prop_map(Some),
    ]
}

fn requirement() -> impl Strategy<Value = Requirement<'static>> {
    let made = |(key, operator, values): (&'static str, &'static str, Vec<&'static str>)| Requirement {
        key: key.into(),
        operator: operator.into(),
        values: values.into_iter().map(Into::into).collect(),
    };
    prop::sample::select(vec![
        ("pool", "In", vec!["a", "c"]),
        ("pool", "NotIn", vec!["b"]),
        ("pool", "Exists", vec![]),
        ("gpu", "DoesNotExist", vec![]),
        ("generation", "Gt", vec!["3"]),
        ("generation", "Lt", vec!["9"]),
    ])
    .prop_map(made)
}

fn term() -> impl Strategy<Value = NodeSelectorTerm<'static>> {
    let field = |(operator, name): (&'static str, &'static str)| Requirement {
        key: "metadata.name".into(),
        operator: operator.into(),
        values: vec![name.into()],
    };
    let fields =
        vec(prop::sample::select(vec![("In", "node-0"), ("NotIn", "node-1")]).prop_map(field), 0..=1);
    let expressions = vec(requirement(), 0..=2);
    (expressions, fields).prop_map(|(expressions, fields)| NodeSelectorTerm { expressions, fields })
}

pub(super) fn toleration() -> impl Strategy<Value = Toleration<'static>> {
    prop::sample::select(vec![
        ("spark-swap.io/swap", "Exists", "", "NoSchedule"),
        ("dedicated", "Equal", "spark", "NoExecute"),
        ("dedicated", "", "spark", ""),
        ("", "Exists", "", ""),
    ])
    .prop_map(|(key, operator, value, effect)| Toleration {
        key: key.into(),
        operator: operator.into(),
        value: value.into(),
        effect: effect.into(),
        seconds: None,
    })
}
