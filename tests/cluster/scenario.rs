//! Random clusters with a random executor: classes, nodes and LimitRanges that make decisions of every kind.

use serde_json::{Value, json};
use spark_swap::cluster::objects::read_document;
use spark_swap::sizing::state::{Settings, State, StateParts};

use crate::oracle::Random;
use crate::pods::{self, MIB};

/// What a webhook knows, and what it is asked about.
pub(crate) struct Scenario {
    pub(crate) nodes: Vec<Value>,
    pub(crate) limit_ranges: Vec<Value>,
    pub(crate) class: Value,
    pub(crate) pod: Value,
}

impl Scenario {
    pub(crate) fn new(random: &mut Random) -> Self {
        let nodes = (0..=random.below(3)).map(|index| node(random, index)).collect();
        let limit_ranges = if random.percent(30) { vec![limit_range(random)] } else { Vec::new() };
        Self { nodes, limit_ranges, class: class(random), pod: executor(random) }
    }

    /// What a webhook makes of it, read as from files. A class that is not valid is left out.
    pub(crate) fn state(&self) -> State {
        let mut parts = StateParts::default();
        for object in self.nodes.iter().chain(&self.limit_ranges).chain([&self.class]) {
            for found in read_document(object, "scenario") {
                match found.object {
                    Ok(object) => object.add_to(&mut parts),
                    Err(_) if object["kind"] == "SwapClass" => {}
                    Err(problems) => panic!("{problems:?} in {object}"),
                }
            }
        }
        State::new(parts, Settings::default())
    }
}

/// The evidence labels, each with the backend it speaks of.
pub(crate) const EVIDENCE: [(&str, &str); 3] = [
    ("Kubelet", "spark-swap.io/limited-swap-permille"),
    ("CrioAnnotation", "spark-swap.io/crio-swap-permille"),
    ("NriMemoryQos", "spark-swap.io/nri-swap-permille"),
];

fn node(random: &mut Random, index: u64) -> Value {
    // As /proc/meminfo has it: KiB, and never a round number of GiB.
    let memory = (random.pick(&[8, 16, 64, 256]) << 30) - (random.below(1 << 19) << 10);
    let swap = (memory / 4 * random.pick(&[0, 1, 1, 2, 2, 2, 4, 4, 4])) & !1023;
    let actual = swap * 1000 / memory;
    let mut labels = json!({"pool": random.pick(&["a", "a", "b"])});
    for (_, label) in EVIDENCE {
        if random.percent(92) {
            let promised =
                if random.percent(80) { actual } else { random.pick(&[actual / 2, actual + 100, 0]) };
            labels[label] = json!(promised.to_string());
        }
    }
    let taints = if random.percent(20) {
        json!([{"key": "pool", "value": "b", "effect": "NoSchedule"}])
    } else {
        json!([])
    };
    let mut node = crate::nodes::node(&format!("node-{index}"), memory, swap, labels);
    node["spec"] = json!({"taints": taints});
    node
}

fn class(random: &mut Random) -> Value {
    let working_set = 1 + random.below(100);
    let mut spec = json!({
        "strategy": random.pick(&["SafetyNet", "Density", "Density", "Density", "HeapGrowth"]),
        "workingSetPercent": working_set,
        "peakPercent": working_set.max(random.pick(&[50, 80, 100, 100])),
        "marginPercent": random.pick(&[0, 0, 15, 100]),
        "peakMarginPercent": random.pick(&[0, 0, 10, 50]),
        "limit": random.pick(&["Tight", "Loose"]),
        "minimumRequest": random.pick(&["1", "512Mi", "2Gi"]),
        "qosClass": random.pick(&["Preserve", "Preserve", "Burstable"]),
        "enforcement": random.pick(&["Enforce", "Enforce", "Enforce", "Audit"]),
        "nodes": {
            "onlyWithSwap": random.percent(50),
            "minimumSwapPercent": random.pick(&[0, 10, 30]),
        },
        "heap": {
            "growthPercent": random.pick(&[0, 10, 50, 100]),
            "youngGenerationPercent": random.pick(&[0, 0, 25]),
        },
    });
    if random.percent(20) {
        spec["nodes"]["selector"] = json!({"pool": random.pick(&["a", "b"])});
    }
    if random.percent(20) {
        spec["nodes"]["tolerations"] = json!([{"key": "pool", "operator": "Exists"}]);
    }
    if random.percent(30) {
        let (backend, _) = random.pick(&EVIDENCE[1..]);
        spec["swap"] = json!({"via": backend});
        if random.percent(50) {
            spec["swap"]["maxPerExecutor"] = json!(random.pick(&["512Mi", "4Gi", "123456789"]));
        }
        if random.percent(40) {
            spec["qosClass"] = json!("Guaranteed");
        }
    }
    json!({"apiVersion": "spark-swap.io/v1alpha1", "kind": "SwapClass", "spec": spec, "metadata": {
        "name": "random", "annotations": {"spark-swap.io/is-default-class": "true"},
    }})
}

fn executor(random: &mut Random) -> Value {
    let heap = random.pick(&[512, 1024, 1500, 4096, 8192, 31 << 10, 40 << 10]);
    let overhead = random.pick(&[384, heap / 10 + 1, heap / 2, 1]);
    let mut pod = pods::executor("executor", heap, overhead);
    let labels = [
        ("spark.executor.memory", format!("{}m", heap + random.below(2 * heap))),
        ("spark.executor.memoryOverhead", format!("{overhead}m")),
        ("spark.memory.offHeap.size", (random.below(2048) * MIB).to_string()),
        ("spark-swap.io/working-set-percent", (1 + random.below(100)).to_string()),
        ("spark-swap.io/peak-percent", (1 + random.below(100)).to_string()),
    ];
    for (label, value) in labels {
        if random.percent(8) {
            pod["metadata"]["labels"][label] = json!(value);
        }
    }
    if random.percent(30) {
        pod["metadata"]["annotations"] = json!({"example.com/owner": "somebody"});
    }
    place(random, &mut pod["spec"]);
    resources(random, &mut pod["spec"]);
    for option in ["-XX:+UseG1GC", "-XX:+AlwaysPreTouch", "-XX:+UseLargePages", "-Xmn256m"] {
        if random.percent(8) {
            let name = format!("SPARK_JAVA_OPT_{}", random.below(12));
            let env = pods::spark_container_mut(&mut pod)["env"].as_array_mut().unwrap();
            env.push(json!({"name": name, "value": option}));
        }
    }
    if random.percent(20) {
        let sidecar = neighbour(random, "sidecar");
        // Pod templates move the Spark container to the end.
        pod["spec"]["containers"].as_array_mut().unwrap().insert(0, sidecar);
    }
    if random.percent(20) {
        let mut init = neighbour(random, "init");
        if random.percent(50) {
            init["restartPolicy"] = json!("Always");
        }
        pod["spec"]["initContainers"] = json!([init]);
    }
    pod
}

/// Where it may run.
fn place(random: &mut Random, spec: &mut Value) {
    if random.percent(20) {
        spec["nodeSelector"] = json!({"pool": random.pick(&["a", "b"])});
    }
    if random.percent(30) {
        spec["tolerations"] =
            json!([{"key": "pool", "operator": "Equal", "value": "b", "effect": "NoSchedule"}]);
    }
    if random.percent(20) {
        let pool = json!({"key": "pool", "operator": random.pick(&["In", "NotIn"]), "values": ["a"]});
        let terms =
            random.pick(&[json!([{"matchExpressions": [pool]}]), json!([{"matchExpressions": [pool]}, {}])]);
        let required = json!({"nodeSelectorTerms": terms});
        spec["affinity"] =
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}});
    }
}

fn resources(random: &mut Random, spec: &mut Value) {
    let container = &mut spec["containers"][0];
    if random.percent(20) {
        let cpu = random.pick(&["1", "2", "1500m"]);
        container["resources"]["requests"]["cpu"] = json!(cpu);
        container["resources"]["limits"]["cpu"] = json!(cpu);
    } else if random.percent(30) {
        container["resources"]["requests"]["cpu"] = json!("4");
    }
    if random.percent(5) {
        container["resources"]["requests"]["memory"] = json!("400Mi");
    }
    if random.percent(20) {
        let mut directory = json!({"medium": "Memory"});
        if random.percent(70) {
            directory["sizeLimit"] = json!(random.pick(&["64Mi", "1Gi"]));
        }
        container["volumeMounts"] = json!([{"name": "scratch", "mountPath": "/scratch"}]);
        spec["volumes"] = json!([{"name": "scratch", "emptyDir": directory}]);
    }
    if random.percent(5) {
        spec["priority"] = json!(random.pick(&[1_000, 2_000_000_000]));
    }
}

fn neighbour(random: &mut Random, name: &str) -> Value {
    let resources = random.pick(&[
        json!({}),
        json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}),
        json!({"requests": {"memory": "100Mi"}, "limits": {"memory": "2Gi"}}),
    ]);
    json!({"name": name, "image": "neighbour:test", "resources": resources})
}

fn limit_range(random: &mut Random) -> Value {
    let mut item = json!({"type": random.pick(&["Container", "Pod"])});
    if random.percent(50) {
        item["min"] = json!({"memory": random.pick(&["100Mi", "700Mi", "3000Mi"])});
    }
    if random.percent(30) {
        item["max"] = json!({"memory": random.pick(&["2Gi", "16Gi", "64Gi"])});
    }
    if random.percent(50) {
        item["maxLimitRequestRatio"] = json!({"memory": random.pick(&["1", "1.01", "1.2", "2"])});
    }
    json!({"apiVersion": "v1", "kind": "LimitRange", "spec": {"limits": [item]}, "metadata": {
        "name": "limits", "namespace": "default",
    }})
}
