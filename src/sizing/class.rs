//! A SwapClass: the valid policy under which an executor is admitted. [`super::class_spec`] makes it from YAML.

use std::collections::BTreeMap;

use super::placement::Toleration;
use crate::vocabulary::vocabulary;

/// A valid SwapClass: one that exists is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwapClass {
    /// `metadata.name`.
    pub name: String,
    /// Carries the annotation `spark-swap.io/is-default-class: "true"`.
    pub is_default: bool,
    /// Change executors, or only record what would be changed.
    pub enforcement: Enforcement,
    /// Share of applications that are in, 0 to 100.
    pub rollout_percent: u64,
    /// What swap is spent on.
    pub strategy: Strategy,
    /// W as a share of T, 1 to `peak_percent`.
    pub working_set_percent: u64,
    /// P as a share of T, 1 to 100.
    pub peak_percent: u64,
    /// Added to W, 0 to 100.
    pub margin_percent: u64,
    /// Added to P where swap backs it, 0 to 50.
    pub peak_margin_percent: u64,
    /// How far Density lowers the limit.
    pub limit: LimitMode,
    /// Density's smallest request, bytes.
    pub minimum_request: u64,
    /// What happens to the QoS class.
    pub qos_class: QosMode,
    /// Who grants the swap.
    pub swap: SwapBackend,
    /// Which nodes the executors may use.
    pub nodes: ClassNodes,
    /// HeapGrowth's share of H to add, 0 to 100.
    pub heap_growth_percent: u64,
    /// The young generation as a share of H', 0 (leave it) to 50.
    pub young_generation_percent: u64,
    /// An application's label may lower the working set to this, 1 to 100.
    pub min_working_set_percent: u64,
    /// An application's label may lower the peak to this, 1 to 100.
    pub min_peak_percent: u64,
}

vocabulary! {
    /// Whether plans are applied.
    Enforcement {
        Enforce => "Plans are applied.",
        Audit => "Plans are recorded in the plan annotation, nothing else changes.",
    }
}

vocabulary! {
    /// What swap is spent on.
    Strategy {
        SafetyNet => "Executors may outgrow their declaration instead of being killed.",
        Density => "Requests shrink, so that more executors fit a node.",
        HeapGrowth => "Heaps grow into swap.",
    }
}

vocabulary! {
    /// How far Density lowers the limit.
    LimitMode {
        Tight => "Two percent above the request.",
        Loose => "As received.",
    }
}

vocabulary! {
    /// What happens to the QoS class.
    QosMode {
        Preserve => "A Guaranteed pod is left alone.",
        Burstable => "A Guaranteed pod becomes Burstable where swap is proven.",
        Guaranteed => "The pod becomes Guaranteed; explicit swap backends only.",
    }
}

vocabulary! {
    /// Who grants the swap.
    Backend {
        Kubelet => "The kubelet computes it from the request (LimitedSwap).",
        CrioAnnotation => "CRI-O reads it from an annotation.",
        NriMemoryQos => "The NRI plugin memory-qos reads it from an annotation.",
    }
}

/// The backend and, for the explicit ones, the most swap an executor gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapBackend {
    /// Who grants the swap.
    pub via: Backend,
    /// Bytes, at least a page; only for explicit backends. `None`: no cap.
    pub max_per_executor: Option<u64>,
}

/// Which nodes the executors may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassNodes {
    /// Added to the pod's nodeSelector.
    pub selector: BTreeMap<String, String>,
    /// Appended to the pod's tolerations.
    pub tolerations: Vec<Toleration<'static>>,
    /// Nodes without evidence do not count, and executors are confined to the others.
    pub only_with_swap: bool,
    /// A node whose evidence label promises less counts as one without; percent of memory, 0 to 1000.
    pub minimum_swap_percent: u64,
}

impl Backend {
    /// The node label that says this backend's swap is really handed out; its value is the promised permille.
    pub const fn evidence_label(self) -> &'static str {
        match self {
            Self::Kubelet => "spark-swap.io/limited-swap-permille",
            Self::CrioAnnotation => "spark-swap.io/crio-swap-permille",
            Self::NriMemoryQos => "spark-swap.io/nri-swap-permille",
        }
    }

    /// The swap is written by us, not computed by the kubelet.
    pub const fn is_explicit(self) -> bool {
        !matches!(self, Self::Kubelet)
    }
}

impl SwapClass {
    /// The name of the built-in class.
    pub const BUILT_IN: &'static str = "safety-net";

    /// Swap must be proven before anything is changed.
    pub fn needs_evidence(&self) -> bool {
        self.strategy != Strategy::SafetyNet || self.swap.via.is_explicit()
    }

    /// The least swap, percent of memory, that a node's evidence must promise: `minimum_swap_percent` acts on Density,
    /// HeapGrowth and explicit backends alone.
    pub fn least_swap_percent(&self) -> u64 {
        if self.needs_evidence() { self.nodes.minimum_swap_percent } else { 0 }
    }

    /// The built-in class: the defaults of the SwapClass schema. What was measured of them: docs/experiment.md.
    pub fn built_in() -> Self {
        Self {
            name: Self::BUILT_IN.to_owned(),
            is_default: false,
            enforcement: Enforcement::Enforce,
            rollout_percent: 100,
            // Costs a MiB of request, and was enough against kills at the limit and a node that is full.
            strategy: Strategy::SafetyNet,
            // Jobs without cold memory took 85 % longer with less, and lost heartbeats where swap was slow.
            working_set_percent: 70,
            peak_percent: 100,
            // Made up for a working set that was taken 10 points too low.
            margin_percent: 15,
            // Limit and swap can be used whole; executors were seen up to 5 % above what they declare.
            peak_margin_percent: 10,
            // With limits as received, the kubelet evicted before the kernel had swapped enough.
            limit: LimitMode::Tight,
            minimum_request: 512 << 20,
            qos_class: QosMode::Preserve,
            swap: SwapBackend { via: Backend::Kubelet, max_per_executor: None },
            nodes: ClassNodes {
                selector: BTreeMap::new(),
                tolerations: Vec::new(),
                only_with_swap: false,
                minimum_swap_percent: 10,
            },
            heap_growth_percent: 0,
            // A cap of 20 took swapping away from a job that makes much garbage; what it costs others was not measured.
            young_generation_percent: 0,
            min_working_set_percent: 40,
            min_peak_percent: 80,
        }
    }
}
