//! Why an executor was left alone, in its own terms, and what to do about it.

use super::{Explained, nodes};
use crate::admission::executor::recognise;
use crate::admission::reason::Reason;
use crate::admission::text::{Text, TextMap};
use crate::cli::sizes::{both, exact, mi};
use crate::sizing::class::SwapClass;
use crate::sizing::executor::Executor;
use crate::sizing::fields::OneLine;

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
            "Tell about the nodes: with --state (kubectl get nodes -o yaml) or --node memory=64Gi,swap=32Gi."
        }
        Reason::NoSwapNode => {
            "Label the nodes whose kubelet hands out swap (spark-swap.io/limited-swap-permille), keep executors off the others \
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

/// What exactly stands in the way; empty where the reason says it all.
pub fn causes(explained: &Explained<'_>) -> Vec<String> {
    let decision = explained.decision;
    let class = decision.class.as_deref();
    match decision.reason {
        Reason::NotExecutor => vec![not_executor(explained)],
        Reason::UnknownClass => vec![known_classes(explained)],
        Reason::OutsideRollout => class.map(|class| rollout(explained, class)).into_iter().collect(),
        Reason::NoMemory | Reason::NoLimit | Reason::HeapExceedsLimit => vec![memory(explained)],
        Reason::NoSwapNode => class.map(|class| no_swap_node(explained, class)).into_iter().collect(),
        Reason::PinConflict => class.map(|class| pin_conflict(explained, class)).into_iter().collect(),
        Reason::RuntimeClass => vec![format!("The pod's runtimeClassName is {}.", runtime_class(explained))],
        Reason::NodesUnknown => class.map(|class| format!("{}.", needs_nodes(class))).into_iter().collect(),
        Reason::LimitRange => decision.executor.as_ref().map(safety_net).into_iter().collect(),
        Reason::ProofFailed => decision.failed_proof.clone().into_iter().collect(),
        _ => Vec::new(),
    }
}

fn not_executor(explained: &Explained<'_>) -> String {
    let Some(pod) = explained.pod else { return "The review creates no pod.".to_owned() };
    match pod.label("spark-role") {
        Some("executor") => {
            "The pod has the label spark-role=executor, but no app container with executor as its first argument and \
             SPARK_EXECUTOR_ID in its env."
                .to_owned()
        }
        Some(role) => format!("The pod's label spark-role is {role}."),
        None => "The pod has no label spark-role.".to_owned(),
    }
}

fn known_classes(explained: &Explained<'_>) -> String {
    let classes: Vec<&str> = explained.state.classes().map(|class| class.name.as_str()).collect();
    let known = if classes.is_empty() { "no SwapClass".to_owned() } else { classes.join(", ") };
    format!("Known: {known}, and the built-in {}. --state adds more.", SwapClass::BUILT_IN)
}

fn rollout(explained: &Explained<'_>, class: &SwapClass) -> String {
    let id = explained.pod.and_then(|pod| pod.label("spark-app-selector"));
    match id {
        Some(id) => format!("{} % of applications are in; {} is not.", class.rollout_percent, OneLine(id)),
        None => format!(
            "{} % of applications are in, by their id, and this one has no id: Spark makes it up at start (--conf spark.app.id=ID).",
            class.rollout_percent
        ),
    }
}

fn memory(explained: &Explained<'_>) -> String {
    let Some(spark) = explained.pod.and_then(|pod| recognise(pod).ok()) else { return String::new() };
    let shown =
        |text: Option<&str>| text.map_or_else(|| "not set".to_owned(), |text| OneLine(text).to_string());
    let sizes = crate::admission::executor::present_sizes(spark.container);
    format!(
        "memory request {}, memory limit {}, heap {}.",
        shown(spark.container.request("memory")),
        shown(spark.container.limit("memory")),
        sizes.heap.map_or_else(|| "unknown".to_owned(), both)
    )
}

fn no_swap_node(explained: &Explained<'_>, class: &SwapClass) -> String {
    let rows = nodes::rows(explained.decision);
    let label = class.swap.via.evidence_label();
    let wanted = class.nodes.minimum_swap_percent.saturating_mul(10).max(1);
    let needs_evidence =
        class.strategy != crate::sizing::class::Strategy::SafetyNet || class.swap.via.is_explicit();
    if rows.is_empty() {
        return "None of the known nodes matches the pod and the class.".to_owned();
    }
    if rows.iter().all(|row| row.shape.swap == 0) {
        return "None of the eligible nodes has swap.".to_owned();
    }
    if needs_evidence && rows.iter().all(|row| !row.has_evidence) {
        return format!("None of the eligible nodes has the label {label} with {wanted} or more.");
    }
    let unproven = rows.iter().filter(|row| !row.has_evidence).max_by_key(|row| row.shape.memory);
    match unproven.filter(|_| needs_evidence && !class.nodes.only_with_swap) {
        Some(row) => format!(
            "The executor may land on {} ({}), which has no label {label} with {wanted} or more.",
            OneLine(&row.shape.name),
            exact(row.shape.memory)
        ),
        None => "No eligible node with evidence has the memory and swap that the executor needs.".to_owned(),
    }
}

fn pin_conflict(explained: &Explained<'_>, class: &SwapClass) -> String {
    let Some(spec) = explained.pod.and_then(|pod| pod.spec.as_ref()) else { return String::new() };
    let own = spec.node_selector.as_ref();
    let value = |key: &String| own.and_then(|own: &TextMap<'_>| own.get(key));
    let differs = class
        .nodes
        .selector
        .iter()
        .find(|(key, wanted)| value(key).is_some_and(|own| own != wanted.as_str()));
    if let Some((key, wanted)) = differs {
        let own = OneLine(value(key).unwrap_or_default()).to_string();
        return format!("The pod's nodeSelector has {key}={own}, and the class's has {key}={wanted}.");
    }
    match spec.node_name.as_ref().map(Text::as_str).filter(|name| !name.is_empty()) {
        Some(name) => format!("spec.nodeName is {}, which does not qualify.", OneLine(name)),
        None => "The pod has another value of the annotation that the swap backend reads.".to_owned(),
    }
}

fn runtime_class(explained: &Explained<'_>) -> String {
    let spec = explained.pod.and_then(|pod| pod.spec.as_ref());
    let name = spec.and_then(|spec| spec.runtime_class_name.as_ref()).map_or("", Text::as_str);
    OneLine(name).to_string()
}

fn needs_nodes(class: &SwapClass) -> String {
    if class.nodes.selector.is_empty() {
        format!("{} via {} is sized from the nodes", class.strategy, class.swap.via)
    } else {
        "The class selects nodes".to_owned()
    }
}

fn safety_net(executor: &Executor) -> String {
    format!(
        "The pod came with request {} and limit {}; even a safety net, one Mi below the limit, is not allowed.",
        mi(executor.received_request),
        mi(executor.received_limit)
    )
}
