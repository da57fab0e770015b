//! Random specs of SwapClasses: right, odd and wrong ones.

use serde_json::{Map, Value, json};

use crate::oracle::Random;

/// Nothing in it, or a value that is right, odd or wrong.
pub(crate) fn spec(random: &mut Random) -> Value {
    let percents = |random: &mut Random, high: i64| {
        let odd = random.percent(4);
        if odd {
            random.pick(&odd_numbers(high))
        } else {
            random.pick(&[json!(high), json!(high / 2), json!(1)])
        }
    };
    let mut spec = Map::new();
    for (name, words) in [
        ("enforcement", &["Enforce", "Audit"][..]),
        ("strategy", &["SafetyNet", "Density", "HeapGrowth"]),
        ("limit", &["Tight", "Loose"]),
        ("qosClass", &["Preserve", "Burstable", "Guaranteed"]),
    ] {
        sometimes(random, &mut spec, name, |random| word(random, words));
    }
    for (name, high) in [
        ("rolloutPercent", 100),
        ("workingSetPercent", 100),
        ("peakPercent", 100),
        ("marginPercent", 100),
        ("peakMarginPercent", 50),
    ] {
        sometimes(random, &mut spec, name, |random| percents(random, high));
    }
    sometimes(random, &mut spec, "minimumRequest", quantity);
    sometimes(random, &mut spec, "swap", |random| {
        let mut swap = Map::new();
        sometimes(random, &mut swap, "via", |random| {
            word(random, &["Kubelet", "CrioAnnotation", "NriMemoryQos", "NriMemoryQos"])
        });
        sometimes(random, &mut swap, "maxPerExecutor", quantity);
        object(random, swap)
    });
    sometimes(random, &mut spec, "nodes", |random| {
        let mut nodes = Map::new();
        sometimes(random, &mut nodes, "selector", selector);
        sometimes(random, &mut nodes, "tolerations", |random| {
            let mut tolerations = random.several(3, toleration);
            if random.percent(3) {
                tolerations.push(random.pick(&[json!(null), json!("all"), json!([])]));
            }
            json!(tolerations)
        });
        sometimes(random, &mut nodes, "onlyWithSwap", |random| {
            random.pick(&[json!(true), json!(false), json!(false), json!(null), json!("true")])
        });
        sometimes(random, &mut nodes, "minimumSwapPercent", |random| percents(random, 1000));
        object(random, nodes)
    });
    for (name, fields) in [
        ("heap", [("growthPercent", 100), ("youngGenerationPercent", 50)]),
        ("overrides", [("minWorkingSetPercent", 100), ("minPeakPercent", 100)]),
    ] {
        sometimes(random, &mut spec, name, |random| {
            let mut inner = Map::new();
            for (name, high) in fields {
                sometimes(random, &mut inner, name, |random| percents(random, high));
            }
            object(random, inner)
        });
    }
    object(random, spec)
}

/// Mostly the object; sometimes with a field too many, or something else.
fn object(random: &mut Random, mut fields: Map<String, Value>) -> Value {
    if random.percent(2) {
        fields.insert(random.pick(&["Strategy", "size", "x"]).to_owned(), json!(1));
    }
    if random.percent(2) {
        random.pick(&[json!(null), json!("x"), json!([]), json!(5)])
    } else {
        json!(fields)
    }
}

fn sometimes(
    random: &mut Random,
    fields: &mut Map<String, Value>,
    name: &str,
    mut value: impl FnMut(&mut Random) -> Value,
) {
    if random.percent(25) {
        let value = value(random);
        fields.insert(name.to_owned(), value);
    }
}

/// Whole floats are left out: the API server stores the integer, spark-swap asks for one.
fn odd_numbers(high: i64) -> Vec<Value> {
    let mut odd = [0, -1, high + 1, i64::from(i32::MAX) + 1, i64::MAX].map(Value::from).to_vec();
    odd.extend([json!(1.5), json!("1"), json!(null), json!(true), json!({}), json!(u64::MAX)]);
    odd
}

fn word(random: &mut Random, words: &[&str]) -> Value {
    match random.below(40) {
        0 => json!(random.pick(words).to_lowercase()),
        1 => random.pick(&[json!(""), json!(null), json!(1), json!([])]),
        _ => json!(random.pick(words)),
    }
}

fn quantity(random: &mut Random) -> Value {
    match random.below(10) {
        0 => json!(random.pick(&BAD_QUANTITIES)),
        1 | 2 => random.pick(&numbers()),
        _ => json!(random.pick(&GOOD_QUANTITIES)),
    }
}

fn selector(random: &mut Random) -> Value {
    let pairs = random.several(4, |random| (key(random), value(random)));
    pairs.into_iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), value)).collect()
}

fn key(random: &mut Random) -> Value {
    match random.below(30) {
        0 => json!(random.pick(&BAD_KEYS)),
        1 => random.pick(&long_keys()),
        _ => json!(random.pick(&KEYS)),
    }
}

fn value(random: &mut Random) -> Value {
    match random.below(30) {
        0 => json!(random.pick(&BAD_VALUES)),
        1 => random.pick(&long_values()),
        2 => random.pick(&[json!(5), json!(true), json!({})]),
        _ => json!(random.pick(&VALUES)),
    }
}

/// A maker of a field's value.
type Make = fn(&mut Random) -> Value;

fn toleration(random: &mut Random) -> Value {
    let mut toleration = Map::new();
    let fields: [(u64, &str, Make); 5] = [
        (85, "key", key),
        (70, "operator", |random| word(random, &["", "Equal", "Exists", "Exists", "Exists"])),
        (20, "value", value),
        (60, "effect", |random| {
            word(random, &["", "NoSchedule", "PreferNoSchedule", "NoExecute", "NoExecute"])
        }),
        (15, "tolerationSeconds", |random| {
            random.pick(&[
                json!(0),
                json!(-5),
                json!(300),
                json!(i64::MAX),
                json!(null),
                json!("5"),
                json!(1.5),
            ])
        }),
    ];
    for (chance, name, make) in fields {
        if random.percent(chance) {
            toleration.insert(name.to_owned(), make(random));
        }
    }
    if random.percent(2) {
        toleration.insert("operator".to_owned(), json!(random.pick(&["Lt", "Gt", "In"])));
    }
    object(random, toleration)
}

pub(crate) const GOOD_QUANTITIES: [&str; 22] = [
    "512Mi",
    "1",
    "4096",
    "4Ki",
    "4095.5",
    "1.5Gi",
    ".5Gi",
    "5.Gi",
    "+5Ki",
    "1e3",
    "1E4",
    "12E-1",
    "5000000m",
    "4096000001n",
    "8Ei",
    "16Ei",
    "9223372036854775807",
    "0.0000000001",
    "1k",
    "3u",
    "00000000004097",
    "9223372036854775806.5",
];
pub(crate) const BAD_QUANTITIES: [&str; 24] = [
    "",
    "0",
    "0Gi",
    "-0",
    "-1",
    "-1Gi",
    "Gi",
    " 1",
    "1 ",
    "1\n",
    "1i",
    "1mi",
    "1KI",
    "0x10",
    "1_000",
    "1e",
    "1e3Mi",
    "1e+",
    "1.2.3",
    "9223372036854775808",
    "1e19",
    "٤Gi",
    "--1",
    "1e2147483648",
];
pub(crate) const KEYS: [&str; 8] = [
    "pool",
    "example.com/pool",
    "a.b-c/D_e.f",
    "0/0",
    "UPPER",
    "x",
    "node-role.kubernetes.io/spark",
    "1.2.3.4/5678",
];
pub(crate) const BAD_KEYS: [&str; 12] =
    ["", "a b", "-a", "a-", "a/b/c", "/a", "a/", "Example.com/a", "example_com/a", "ü", "a\n", "a..b/c"];
pub(crate) const VALUES: [&str; 6] = ["", "a", "A_b.c-9", "1234", "True", "yes"];
pub(crate) const BAD_VALUES: [&str; 8] = ["a/b", "-a", "a-", ".", " ", "ā", "a\n", "a b"];

/// Quantities without quotes. Fractions are left out: the API server refuses them, spark-swap rounds them up.
pub(crate) fn numbers() -> Vec<Value> {
    let integers = [i64::MIN, -1, 0, 1, 4095, 4096, 1 << 40, i64::MAX].map(Value::from);
    integers.into_iter().chain([json!(u64::MAX), json!(null), json!(true), json!({})]).collect()
}

/// Names of 63 and 64 letters, prefixes of 253 and 254.
pub(crate) fn long_keys() -> [Value; 4] {
    [(0, 63), (0, 64), (253, 1), (254, 1)].map(|(prefix, name)| {
        let slash = if prefix == 0 { "" } else { "/" };
        json!(format!("{}{slash}{}", "a".repeat(prefix), "b".repeat(name)))
    })
}

pub(crate) fn long_values() -> [Value; 2] {
    [63, 64].map(|length| json!("a".repeat(length)))
}
