//! Why an executor was changed or left alone, and what somebody should know about it: one vocabulary for metrics,
//! logs, audit annotations, warnings, `explain` and the docs.

use crate::vocabulary::vocabulary;

vocabulary! {
    /// The outcome of one review.
    Reason {
        Planned => "The executor was changed as its plan says.",
        Audited => "The plan was recorded in an annotation; nothing else was changed, because the class only audits.",
        OutsideRollout => "The class is being rolled out to a share of applications, and this one is not in it yet.",
        OptedOut => "The pod or its namespace opted out with the label spark-swap.io/class=none.",
        NotExecutor => "The request does not create a Spark executor pod.",
        AmbiguousContainer => "More than one container looks like the Spark executor.",
        UnknownClass => "The SwapClass that the pod or its namespace names does not exist or is not valid.",
        NoMemory => "The Spark container requests no memory.",
        NoLimit => "The Spark container has no memory limit.",
        HeapExceedsLimit => "The heap is as large as the memory limit or larger.",
        AlreadyBelowLimit => "The memory request is already below the limit, so the kubelet grants swap already.",
        AlreadyPlanned => "The pod carries a plan already.",
        ChangedSince => "The pod was planned, and its memory was changed by somebody else since.",
        WouldLoseGuaranteed => "The pod has QoS class Guaranteed and would lose it.",
        NotGuaranteed => "The class asks for QoS class Guaranteed, and the pod cannot get it.",
        CriticalPod => "The kubelet grants no swap to critical, static and mirror pods.",
        PodLevelResources => "The pod has pod-level resources, which the plan does not cover.",
        RuntimeClass => "The pod has a RuntimeClass that is not allowed by --allow-runtime-class.",
        NodesUnknown => "The class needs to know the nodes, and none is known.",
        NoSwapNode => "The executor may land on a node that does not promise enough swap, or no node matches.",
        PinConflict => "What the class must write conflicts with the pod's own nodeSelector, nodeName or annotations.",
        LimitRange => "A LimitRange of the namespace does not allow the plan.",
        ProofFailed => "The plan failed its own proof, which is a bug in spark-swap: please report it.",
    }
}

vocabulary! {
    /// What somebody should know about a decision; sent as an admission warning.
    Notice {
        UnknownClass => "There is no valid SwapClass of this name; the pod is unchanged.",
        ChangedSince => "The memory of a planned pod was changed by somebody else.",
        ProofFailed => "The plan failed its own proof; the pod is unchanged.",
        LabelsBelowPod => "The Spark conf labels add up to less than the pod asks for; the pod's own total counts.",
        LabelIgnored => "A label is not understood and was ignored.",
        LabelClamped => "A label asks for less than the class allows and was raised.",
        GrowthDropped => "The labels ask for more than this plan can back with swap; the surplus was dropped.",
        LosesGuaranteed => "The pod loses QoS class Guaranteed and with it oom_score_adj -997; its class says so.",
        AlwaysPreTouch => "-XX:+AlwaysPreTouch touches the whole heap at start, so the peak is at least the heap.",
    }
}

/// A notice with what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The notice.
    pub notice: Notice,
    /// What exactly; empty where the notice says it all.
    pub detail: String,
}

/// Admission warnings longer than this may be cut by clients.
const LONGEST_WARNING: usize = 120;

impl Note {
    /// A notice about something in particular.
    pub fn about(notice: Notice, detail: impl Into<String>) -> Self {
        Self { notice, detail: detail.into() }
    }

    /// The admission warning, at most 120 characters.
    pub fn warning(&self) -> String {
        let text = if self.detail.is_empty() { self.notice.text() } else { &self.detail };
        let warning = format!("spark-swap {}: {text}", self.notice);
        if warning.chars().count() <= LONGEST_WARNING {
            return warning;
        }
        warning.chars().take(LONGEST_WARNING.saturating_sub(3)).chain("...".chars()).collect()
    }
}

impl From<Notice> for Note {
    fn from(notice: Notice) -> Self {
        Self { notice, detail: String::new() }
    }
}
