//! What to do about a reason, in general.

use super::reason::Reason;

/// What somebody can do about a reason.
pub const fn what_to_do(reason: Reason) -> &'static str {
    match reason {
        Reason::Planned => "Nothing. The pod carries the plan in its annotation spark-swap.io/plan.",
        Reason::Audited => "Look at the plan; to apply such plans, set enforcement: Enforce in the class.",
        Reason::OutsideRollout => {
            "Raise rolloutPercent of the class. An application that is in at 10 is still in at 50."
        }
        Reason::OptedOut => {
            "To change that, remove the label spark-swap.io/class=none or let it name a class."
        }
        Reason::NotExecutor => {
            "Nothing for drivers and other pods. An executor has the label spark-role=executor and one app container with \
             executor as its first argument and SPARK_EXECUTOR_ID in its env."
        }
        Reason::AmbiguousContainer => {
            "Leave executor as first argument, or SPARK_EXECUTOR_ID, to one app container only."
        }
        Reason::UnknownClass => {
            "Create the SwapClass or correct the label spark-swap.io/class of the pod or its namespace."
        }
        Reason::NoMemory => {
            "Give the Spark container a memory request and limit above 0, as Spark itself does."
        }
        Reason::NoLimit => {
            "Give the Spark container a memory limit, as Spark itself does; look for what removes it."
        }
        Reason::HeapExceedsLimit => {
            "Lower the heap (look for spark.executorEnv.SPARK_EXECUTOR_MEMORY) or raise spark.executor.memoryOverhead."
        }
        Reason::AlreadyBelowLimit => {
            "Nothing: swap is granted already. A class with strategy Density or HeapGrowth can do more."
        }
        Reason::AlreadyPlanned => "Nothing: a pod is planned once, when it is created.",
        Reason::ChangedSince => {
            "Find what changes memory after spark-swap (another webhook, a resize) and opt the pods out of one of them."
        }
        Reason::WouldLoseGuaranteed => {
            "Leave out spark.kubernetes.executor.limit.cores; or set qosClass in the class: Burstable where every eligible \
             node has evidence, Guaranteed with an explicit swap backend."
        }
        Reason::NotGuaranteed => {
            "Guaranteed wants a cpu request that is whole and at least 2 (or a GC flag), other containers with cpu and memory \
             limits equal to their requests, no LimitRange or ResourceQuota on limits.cpu in the way, a limit from 1792Mi up \
             (or a GC flag), and a peak that fits limit and swap. Otherwise use qosClass: Preserve."
        }
        Reason::CriticalPod => "Give executors a priority class below the system's.",
        Reason::PodLevelResources => {
            "Leave spec.resources out of the pod template; Spark sizes the container."
        }
        Reason::RuntimeClass => {
            "Where the runtime applies the kubelet's swap limits, allow it with --allow-runtime-class."
        }
        Reason::NodesUnknown => {
            "Tell about the nodes: from a cluster (--kubeconfig), with --state (kubectl get nodes -o yaml) or --node memory=64Gi,swap=32Gi."
        }
        Reason::NoSwapNode => {
            "Label the nodes whose kubelet hands out swap (spark-swap nodes --label writes spark-swap.io/limited-swap-permille), keep executors off the others \
             (nodes.onlyWithSwap, or nodes.selector), or add swap."
        }
        Reason::PinConflict => "Let the pod leave to the class what the class sets, or name another class.",
        Reason::LimitRange => {
            "Loosen the LimitRange, or name another class: every plan needs a limit above the request, so a \
             maxLimitRequestRatio above 1, and none goes below min or above max."
        }
        Reason::ProofFailed => "Report it, with the output of -o json and without secrets.",
    }
}
