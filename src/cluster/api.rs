//! SwapClass as a custom resource: the types on the wire. [`definition`] makes the CustomResourceDefinition of them.
//!
//! What is written here as documentation is what `kubectl explain swapclass` prints. A class that decisions are made
//! from is a [`Policy`]; [`Policy::from_object`] reads one from any object and lists everything wrong with it. Watches
//! read untyped objects in this way: one object that this version does not understand must not hide the others.

pub mod definition;
mod quantity;
mod rules;
mod words;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sizing::class::{Backend, Enforcement, LimitMode, QosMode, Strategy, SwapClass as Policy};
use crate::sizing::placement::Toleration;
use crate::sizing::quantity::Quantity;
use words::word;

/// How executors of the class are sized. Every field has a default; a class that sets none is a safety net.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "spark-swap.io",
    version = "v1alpha1",
    kind = "SwapClass",
    plural = "swapclasses",
    shortname = "swc",
    status = "SwapClassStatus",
    derive = "PartialEq",
    doc = "A policy for Spark executors: how much of their memory may be swap, on which nodes, and what the swap is \
           spent on. A pod or its namespace names its class with the label spark-swap.io/class; the class with the \
           annotation spark-swap.io/is-default-class: \"true\" is for pods that name none.",
    // As a label it has to fit, and not to mean something else.
    validation = Rule::new("self.metadata.name.size() <= 63")
        .message("metadata.name: has more than 63 characters and cannot be a label value"),
    validation = Rule::new("self.metadata.name != 'none'")
        .message("metadata.name: none is reserved: as a label it opts out; choose another name"),
    printcolumn(
        name = "Strategy",
        type_ = "string",
        json_path = ".spec.strategy",
        description = "What swap is spent on."
    ),
    printcolumn(
        name = "Enforcement",
        type_ = "string",
        json_path = ".spec.enforcement",
        description = "Whether plans are applied."
    ),
    printcolumn(
        name = "Default",
        type_ = "string",
        json_path = r".metadata.annotations.spark-swap\.io/is-default-class",
        description = "Whether pods that name no class get this one."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether its newest version can be used."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = rules::spec)]
pub struct SwapClassSpec {
    /// Whether plans are applied.
    #[schemars(with = "String", transform = word::<Enforcement>)]
    pub enforcement: Enforcement,
    /// How many applications the class acts on, in percent. They are chosen by a hash of the application id, so that
    /// one that is in at 10 is still in at 50. The others run as they came.
    #[schemars(with = "i32", range(min = 0, max = 100))]
    pub rollout_percent: u64,
    /// What swap is spent on.
    #[schemars(with = "String", transform = word::<Strategy>)]
    pub strategy: Strategy,
    /// The memory that an executor touches again and again, in percent of the memory it declares (heap, overhead,
    /// off-heap and PySpark together). RAM always holds it: measure before you lower it. At most peakPercent.
    #[schemars(with = "i32", range(min = 1, max = 100))]
    pub working_set_percent: u64,
    /// The largest footprint that an executor ever has, in percent of the memory it declares. RAM and swap together
    /// always hold it.
    #[schemars(with = "i32", range(min = 1, max = 100))]
    pub peak_percent: u64,
    /// What Density adds to the working set, in percent of it.
    #[schemars(with = "i32", range(min = 0, max = 100))]
    pub margin_percent: u64,
    /// What is added to the peak where swap backs it, in percent of it: page cache, and swap slots of pages that are
    /// back in memory. Less than 10 is the brink.
    #[schemars(with = "i32", range(min = 0, max = 50))]
    pub peak_margin_percent: u64,
    /// How far Density lowers the memory limit.
    #[schemars(with = "String", transform = word::<LimitMode>)]
    pub limit: LimitMode,
    /// The least memory that Density requests for an executor: a number of bytes, or a quantity such as 512Mi.
    #[schemars(transform = rules::positive)]
    pub minimum_request: Quantity,
    /// What happens to the QoS class of the pod.
    #[schemars(with = "String", transform = word::<QosMode>)]
    pub qos_class: QosMode,
    /// Who grants the swap, and how much of it.
    pub swap: SwapSpec,
    /// Which nodes the executors may use.
    pub nodes: NodesSpec,
    /// What happens to the JVM's heap.
    pub heap: HeapSpec,
    /// How far an application may go below the class. Above it, it may always go.
    pub overrides: OverridesSpec,
}

/// Who grants the swap, and how much of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(inline, transform = rules::swap)]
pub struct SwapSpec {
    /// Who grants the swap. CrioAnnotation and NriMemoryQos are the explicit backends.
    #[schemars(with = "String", transform = word::<Backend>)]
    pub via: Backend,
    /// The most swap that an executor gets: a number of bytes, or a quantity such as 4Gi; at least a page of 4096 bytes.
    /// Only for explicit backends. Without it, an executor gets what the kubelet would give it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Quantity", transform = rules::at_least_a_page)]
    pub max_per_executor: Option<Quantity>,
}

/// Which nodes the executors may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(inline)]
pub struct NodesSpec {
    /// Labels that a node must have. They are added to the pod's nodeSelector.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(transform = rules::selector)]
    pub selector: BTreeMap<String, String>,
    /// Taints that the executors tolerate. They are appended to the pod's tolerations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub tolerations: Vec<TolerationSpec>,
    /// Whether executors that need proven swap (Density, HeapGrowth and explicit backends) are confined to the nodes
    /// whose evidence label promises it. If not, one eligible node without that label leaves them as they came.
    pub only_with_swap: bool,
    /// A node whose evidence label promises less swap than this, in percent of its memory, counts as one without.
    #[schemars(with = "i32", range(min = 0, max = 1000))]
    pub minimum_swap_percent: u64,
}

/// A toleration, as pods have it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(inline, transform = rules::toleration)]
pub struct TolerationSpec {
    /// The key of the taint. Empty: every taint; the operator must then be Exists.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(transform = rules::toleration_key)]
    pub key: String,
    /// Exists: any value of the taint. Equal, or empty: the value below. Lt and Gt are refused, because clusters without
    /// the feature gate TaintTolerationComparisonOperators would refuse the executors.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(extend("enum" = ["", "Equal", "Exists"]))]
    pub operator: String,
    /// The value of the taint. Must be empty when the operator is Exists.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(transform = rules::label_value)]
    pub value: String,
    /// The effect of the taint. Empty: every effect.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(extend("enum" = ["", "NoSchedule", "PreferNoSchedule", "NoExecute"]))]
    pub effect: String,
    /// How many seconds a pod stays when a taint appears, for the effect NoExecute. Without it, for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub toleration_seconds: Option<i64>,
}

/// What happens to the JVM's heap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(inline)]
pub struct HeapSpec {
    /// The most that HeapGrowth adds to the heap, in percent of it. It is cut to what swap backs.
    #[schemars(with = "i32", range(min = 0, max = 100))]
    pub growth_percent: u64,
    /// The young generation, in percent of the heap, unless the application sets its size. 0 leaves it to the JVM. A
    /// small one is the strongest lever on the memory that a JVM touches again and again; start between 8 and 15.
    #[schemars(with = "i32", range(min = 0, max = 50))]
    pub young_generation_percent: u64,
}

/// How far an application may go below the class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(inline)]
pub struct OverridesSpec {
    /// The least that the pod label spark-swap.io/working-set-percent may make of workingSetPercent.
    #[schemars(with = "i32", range(min = 1, max = 100))]
    pub min_working_set_percent: u64,
    /// The least that the pod label spark-swap.io/peak-percent may make of peakPercent.
    #[schemars(with = "i32", range(min = 1, max = 100))]
    pub min_peak_percent: u64,
}

/// What spark-swap says of the class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(inline)]
pub struct SwapClassStatus {
    /// Ready: whether executors are admitted under this class; its message lists everything that is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The metadata.generation that the conditions speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub observed_generation: Option<i64>,
}

/// The built-in class.
impl Default for SwapClassSpec {
    fn default() -> Self {
        Self::from(&Policy::built_in())
    }
}

impl Default for SwapSpec {
    fn default() -> Self {
        SwapClassSpec::default().swap
    }
}

impl Default for NodesSpec {
    fn default() -> Self {
        SwapClassSpec::default().nodes
    }
}

impl Default for HeapSpec {
    fn default() -> Self {
        SwapClassSpec::default().heap
    }
}

impl Default for OverridesSpec {
    fn default() -> Self {
        SwapClassSpec::default().overrides
    }
}

impl From<&Policy> for SwapClassSpec {
    fn from(class: &Policy) -> Self {
        Self {
            enforcement: class.enforcement,
            rollout_percent: class.rollout_percent,
            strategy: class.strategy,
            working_set_percent: class.working_set_percent,
            peak_percent: class.peak_percent,
            margin_percent: class.margin_percent,
            peak_margin_percent: class.peak_margin_percent,
            limit: class.limit,
            minimum_request: Quantity::from_bytes(class.minimum_request),
            qos_class: class.qos_class,
            swap: SwapSpec {
                via: class.swap.via,
                max_per_executor: class.swap.max_per_executor.map(Quantity::from_bytes),
            },
            nodes: NodesSpec {
                selector: class.nodes.selector.clone(),
                tolerations: class.nodes.tolerations.iter().map(TolerationSpec::from).collect(),
                only_with_swap: class.nodes.only_with_swap,
                minimum_swap_percent: class.nodes.minimum_swap_percent,
            },
            heap: HeapSpec {
                growth_percent: class.heap_growth_percent,
                young_generation_percent: class.young_generation_percent,
            },
            overrides: OverridesSpec {
                min_working_set_percent: class.min_working_set_percent,
                min_peak_percent: class.min_peak_percent,
            },
        }
    }
}

impl From<&Toleration<'_>> for TolerationSpec {
    fn from(toleration: &Toleration<'_>) -> Self {
        Self {
            key: toleration.key.clone().into_owned(),
            operator: toleration.operator.clone().into_owned(),
            value: toleration.value.clone().into_owned(),
            effect: toleration.effect.clone().into_owned(),
            toleration_seconds: toleration.seconds,
        }
    }
}
