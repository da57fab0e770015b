//! What a random executor and its namespace ask for: plain numbers, and the JSON that says so.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use spark_swap::sizing::class::SwapClass;
use spark_swap::sizing::limit_range::{LimitRange, LimitRangeItem};
use spark_swap::sizing::nodes::Node;
use spark_swap::sizing::placement::{NodeSelectorTerm, Requirement, Toleration};
use spark_swap::sizing::quantity::Quantity;
use spark_swap::sizing::state::{ResourceQuota, Settings, State, StateParts};

/// One whole question: an executor, the class it is admitted under, the nodes, and its namespace.
#[derive(Clone, Debug)]
pub struct Case {
    pub ask: Ask,
    pub class: SwapClass,
    pub nodes: Vec<Node>,
    pub ranges: Vec<Range>,
    pub cpu_limit_quota: bool,
}

/// How the pod says its heap; bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heap {
    Env(u64),
    /// The variable occurs twice: the last one wins.
    Twice(u64),
    Absent,
    ValueFrom,
    NotASize,
    /// `_JAVA_OPTIONS` with `-Xmx` overrules the variable.
    Overruled(u64),
}

/// `spec.containers` without, `spec.initContainers` with and without `restartPolicy: Always`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    App,
    Init,
    NativeSidecar,
}

/// A container beside the Spark container: request and limit in millicores and in bytes.
#[derive(Clone, Debug)]
pub struct Beside {
    pub place: Place,
    pub cpu: (Option<u64>, Option<u64>),
    pub memory: (Option<u64>, Option<u64>),
}

#[derive(Clone, Debug)]
pub struct Ask {
    pub heap: Heap,
    pub request: u64,
    pub limit: u64,
    /// Millicores.
    pub cpu: (Option<u64>, Option<u64>),
    pub beside: Vec<Beside>,
    /// Memory emptyDirs: sizeLimit, and whether the Spark container mounts it.
    pub tmpfs: Vec<(Option<u64>, bool)>,
    pub huge_pages: bool,
    /// JVM options beside Spark's own: the variable and its value.
    pub options: Vec<(String, String)>,
    pub conf: Conf,
    pub working_set_label: Option<String>,
    pub peak_label: Option<String>,
    pub application: Option<String>,
    pub node_name: Option<String>,
    pub node_selector: BTreeMap<String, String>,
    pub terms: Option<Vec<NodeSelectorTerm<'static>>>,
    pub tolerations: Vec<Toleration<'static>>,
    pub priority: Option<i64>,
    pub annotated: bool,
}

/// Spark conf labels: MiB, and bytes for the off-heap size.
#[derive(Clone, Debug, Default)]
pub struct Conf {
    pub memory: Option<u64>,
    pub overhead: Option<u64>,
    pub minimum_overhead: Option<u64>,
    pub factor: Option<&'static str>,
    pub pyspark: Option<u64>,
    pub off_heap: Option<u64>,
}

impl Conf {
    pub fn is_empty(&self) -> bool {
        let sizes = [self.memory, self.overhead, self.minimum_overhead, self.pyspark, self.off_heap];
        self.factor.is_none() && sizes.iter().all(Option::is_none)
    }

    fn labels(&self) -> impl Iterator<Item = (&'static str, String)> {
        [
            ("spark.executor.memory", self.memory.map(|mib| format!("{mib}m"))),
            ("spark.executor.memoryOverhead", self.overhead.map(|mib| mib.to_string())),
            ("spark.executor.minMemoryOverhead", self.minimum_overhead.map(|mib| format!("{mib}mb"))),
            ("spark.executor.memoryOverheadFactor", self.factor.map(str::to_owned)),
            ("spark.executor.pyspark.memory", self.pyspark.map(|mib| mib.to_string())),
            ("spark.memory.offHeap.size", self.off_heap.map(|bytes| bytes.to_string())),
        ]
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| (key, value)))
    }
}

/// An entry of a LimitRange: bounds in bytes or millicores, the ratio in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    /// `type: Pod`, else `Container`.
    pub pod: bool,
    pub memory: Limits,
    pub cpu: Limits,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    pub min: Option<u64>,
    pub max: Option<u64>,
    pub ratio: Option<u64>,
}

impl Case {
    pub fn state(&self) -> State {
        let limit_ranges = self.ranges.iter().enumerate().map(|(place, range)| LimitRange {
            namespace: "default".to_owned(),
            name: format!("range-{place}"),
            items: vec![range.item()],
        });
        let quota = self.cpu_limit_quota.then(|| ResourceQuota {
            namespace: "default".to_owned(),
            name: "quota".to_owned(),
            hard: vec!["limits.cpu".to_owned(), "limits.memory".to_owned()],
        });
        let parts = StateParts {
            classes: vec![self.class.clone()],
            nodes: self.nodes.clone(),
            limit_ranges: limit_ranges.collect(),
            quotas: quota.into_iter().collect(),
            ..StateParts::default()
        };
        State::new(parts, Settings::default())
    }
}

impl Range {
    fn item(&self) -> LimitRangeItem {
        let quantity = |text: String| text.parse::<Quantity>().unwrap();
        let bounds = |memory: Option<u64>, cpu: Option<u64>| {
            let memory = memory.map(|bytes| ("memory".to_owned(), quantity(bytes.to_string())));
            let cpu = cpu.map(|milli| ("cpu".to_owned(), quantity(format!("{milli}m"))));
            memory.into_iter().chain(cpu).collect::<BTreeMap<_, _>>()
        };
        let ratio = |name: &str, milli: Option<u64>| {
            milli.map(|milli| (name.to_owned(), quantity(format!("{milli}m"))))
        };
        LimitRangeItem {
            kind: if self.pod { "Pod" } else { "Container" }.to_owned(),
            min: bounds(self.memory.min, self.cpu.min),
            max: bounds(self.memory.max, self.cpu.max),
            max_limit_request_ratio: ratio("memory", self.memory.ratio)
                .into_iter()
                .chain(ratio("cpu", self.cpu.ratio))
                .collect(),
        }
    }
}

/// A quantity of bytes the way people write it.
pub fn memory_text(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{}Mi", bytes >> 20) } else { bytes.to_string() }
}

fn resources(cpu: (Option<u64>, Option<u64>), memory: (Option<u64>, Option<u64>)) -> Value {
    let list = |cpu: Option<u64>, memory: Option<u64>| {
        let mut list = Map::new();
        if let Some(milli) = cpu {
            list.insert("cpu".to_owned(), json!(format!("{milli}m")));
        }
        if let Some(bytes) = memory {
            list.insert("memory".to_owned(), json!(memory_text(bytes)));
        }
        list
    };
    let (requests, limits) = (list(cpu.0, memory.0), list(cpu.1, memory.1));
    let mut resources = Map::new();
    for (key, list) in [("requests", requests), ("limits", limits)] {
        if !list.is_empty() {
            resources.insert(key.to_owned(), Value::Object(list));
        }
    }
    Value::Object(resources)
}

impl Ask {
    /// The pod as Spark and a pod template would post it; the Spark container comes last.
    pub fn pod(&self) -> Value {
        let mut containers = Vec::new();
        let mut init_containers = Vec::new();
        for (place, beside) in self.beside.iter().enumerate() {
            let mut container = json!({
                "name": format!("beside-{place}"),
                "image": "busybox",
                "resources": resources(beside.cpu, beside.memory)
            });
            match beside.place {
                Place::App => containers.push(container),
                Place::Init => init_containers.push(container),
                Place::NativeSidecar => {
                    container["restartPolicy"] = json!("Always");
                    init_containers.push(container);
                }
            }
        }
        containers.push(self.spark_container());
        let mut spec = json!({"containers": containers, "restartPolicy": "Never"});
        let mut set = |key: &str, value: Value| spec[key] = value;
        if !init_containers.is_empty() {
            set("initContainers", json!(init_containers));
        }
        if !self.tmpfs.is_empty() {
            set("volumes", self.volumes());
        }
        if let Some(name) = &self.node_name {
            set("nodeName", json!(name));
        }
        if !self.node_selector.is_empty() {
            set("nodeSelector", json!(self.node_selector));
        }
        if let Some(terms) = &self.terms {
            let terms: Vec<Value> = terms.iter().map(term_json).collect();
            set(
                "affinity",
                json!({
                    "podAntiAffinity": {},
                    "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
                }),
            );
        }
        if !self.tolerations.is_empty() {
            set("tolerations", self.tolerations.iter().map(toleration_json).collect());
        }
        if let Some(priority) = self.priority {
            set("priority", json!(priority));
        }
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": self.metadata(), "spec": spec})
    }

    fn metadata(&self) -> Value {
        let mut labels = json!({"spark-role": "executor"});
        for (key, value) in self.conf.labels() {
            labels[key] = json!(value);
        }
        let ours = [
            ("spark-app-selector", &self.application),
            ("spark-swap.io/working-set-percent", &self.working_set_label),
            ("spark-swap.io/peak-percent", &self.peak_label),
        ];
        for (key, value) in ours {
            if let Some(value) = value {
                labels[key] = json!(value);
            }
        }
        let mut metadata = json!({"name": "job-exec-1", "labels": labels});
        if self.annotated {
            metadata["annotations"] = json!({"example.com/team": "etl"});
        }
        metadata
    }

    fn volumes(&self) -> Value {
        let volume = |(place, (limit, _)): (usize, &(Option<u64>, bool))| {
            let mut empty_dir = json!({"medium": "Memory"});
            if let Some(limit) = limit {
                empty_dir["sizeLimit"] = json!(memory_text(*limit));
            }
            json!({"name": format!("tmpfs-{place}"), "emptyDir": empty_dir})
        };
        self.tmpfs.iter().enumerate().map(volume).collect()
    }

    fn spark_container(&self) -> Value {
        let mut env = vec![json!({"name": "SPARK_USER", "value": "root"})];
        let heap = |value: String| json!({"name": "SPARK_EXECUTOR_MEMORY", "value": value});
        match &self.heap {
            Heap::Env(bytes) | Heap::Overruled(bytes) => env.push(heap(jvm_size(*bytes))),
            Heap::Twice(bytes) => env.extend([heap("1g".to_owned()), heap(jvm_size(*bytes))]),
            Heap::Absent => {}
            Heap::ValueFrom => env.push(json!({
                "name": "SPARK_EXECUTOR_MEMORY",
                "valueFrom": {"configMapKeyRef": {"name": "sizes", "key": "heap"}}
            })),
            Heap::NotASize => env.push(heap("lots".to_owned())),
        }
        env.push(json!({"name": "SPARK_EXECUTOR_ID", "value": "1"}));
        if matches!(self.heap, Heap::Overruled(_)) {
            env.push(json!({"name": "_JAVA_OPTIONS", "value": "-Xms64m -Xmx1g"}));
        }
        env.extend(self.options.iter().map(|(name, value)| json!({"name": name, "value": value})));
        let mounts = self.tmpfs.iter().enumerate().filter(|(_, (_, mounted))| *mounted);
        let mounts: Vec<Value> = mounts
            .map(|(place, _)| json!({"name": format!("tmpfs-{place}"), "mountPath": format!("/tmp/{place}")}))
            .collect();
        let mut container = json!({
            "name": "spark-kubernetes-executor",
            "args": ["executor"],
            "env": env,
            "resources": resources(self.cpu, (Some(self.request), Some(self.limit)))
        });
        if !mounts.is_empty() {
            container["volumeMounts"] = json!(mounts);
        }
        if self.huge_pages {
            container["resources"]["requests"]["hugepages-2Mi"] = json!("64Mi");
            container["resources"]["limits"]["hugepages-2Mi"] = json!("64Mi");
        }
        container
    }
}

fn jvm_size(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{}m", bytes >> 20) } else { bytes.to_string() }
}

fn requirements_json(requirements: &[Requirement<'static>]) -> Value {
    requirements
        .iter()
        .map(|requirement| {
            let mut json = json!({"key": requirement.key, "operator": requirement.operator});
            if !requirement.values.is_empty() {
                json["values"] = json!(requirement.values);
            }
            json
        })
        .collect()
}

fn term_json(term: &NodeSelectorTerm<'static>) -> Value {
    let mut json = json!({});
    if !term.expressions.is_empty() {
        json["matchExpressions"] = requirements_json(&term.expressions);
    }
    if !term.fields.is_empty() {
        json["matchFields"] = requirements_json(&term.fields);
    }
    json
}

/// A toleration as the API shows it: empty strings are left out.
pub fn toleration_json(toleration: &Toleration<'static>) -> Value {
    let mut json = json!({});
    let texts = [
        ("key", &toleration.key),
        ("operator", &toleration.operator),
        ("value", &toleration.value),
        ("effect", &toleration.effect),
    ];
    for (key, text) in texts {
        if !text.is_empty() {
            json[key] = json!(text);
        }
    }
    if let Some(seconds) = toleration.seconds {
        json["tolerationSeconds"] = json!(seconds);
    }
    json
}
