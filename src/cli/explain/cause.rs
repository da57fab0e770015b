//! Why this executor in particular was left alone, where its reason has more than one cause.

use super::Explained;
use super::nodes::{self, NodeRow};
use crate::admission::advice;
use crate::admission::executor::{present_sizes, recognise};
use crate::admission::reason::Reason;
use crate::admission::text::Text;
use crate::sizing::class::{QosMode, Strategy, SwapClass};
use crate::sizing::executor::Executor;
use crate::sizing::fields::OneLine;
use crate::sizing::sizes::{both, exact, mi};

/// What stands in the way and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What exactly; empty where the reason says it all.
    pub why: String,
    /// What to do.
    pub advice: &'static str,
}

/// The cause of a decision; `None` where there is nothing to do.
pub fn cause(explained: &Explained<'_>) -> Option<Cause> {
    let decision = explained.decision;
    let advice = advice::what_to_do(decision.reason);
    let class = decision.class.as_deref();
    let why = match decision.reason {
        Reason::Planned => return None,
        Reason::NoSwapNode => return class.map(|class| no_swap_node(explained, class)),
        Reason::AlreadyBelowLimit => return class.map(already_below_limit),
        Reason::PinConflict => class.map(|class| pin_conflict(explained, class)),
        Reason::OutsideRollout => class.map(|class| rollout(explained, class)),
        Reason::NodesUnknown => class.map(needs_nodes),
        Reason::WouldLoseGuaranteed => class.and_then(would_lose_guaranteed),
        Reason::NotGuaranteed => decision.executor.as_ref().and_then(not_guaranteed),
        Reason::LimitRange => decision.executor.as_ref().map(safety_net),
        Reason::NotExecutor => Some(not_executor(explained)),
        Reason::UnknownClass => Some(known_classes(explained)),
        Reason::NoMemory | Reason::NoLimit | Reason::HeapExceedsLimit => sizes(explained),
        Reason::CriticalPod | Reason::RuntimeClass => named_class(explained),
        Reason::ProofFailed => decision.failed_proof.clone(),
        _ => None,
    };
    Some(Cause { why: why.unwrap_or_default(), advice })
}

fn no_swap_node(explained: &Explained<'_>, class: &SwapClass) -> Cause {
    let rows = nodes::rows(explained.decision);
    let label = class.swap.via.evidence_label();
    let wanted = class.least_swap_percent().saturating_mul(10).max(1);
    let needs_evidence = class.needs_evidence();
    let request = explained.decision.executor.as_ref().map_or(0, |executor| executor.received_request);
    let largest = |rows: &mut dyn Iterator<Item = &NodeRow<'_>>| {
        rows.map(|row| row.shape).max_by_key(|shape| shape.memory).cloned()
    };
    let unproven = largest(&mut rows.iter().filter(|row| needs_evidence && !row.has_evidence));
    let Some(biggest) = largest(&mut rows.iter()) else {
        return Cause {
            why: "None of the known nodes matches the pod and its class.".to_owned(),
            advice: "Change the nodeSelector, affinity or tolerations of the pod or the class, or add such nodes.",
        };
    };
    if rows.iter().all(|row| row.shape.swap == 0) {
        return Cause {
            why: "None of the eligible nodes has swap.".to_owned(),
            advice: "Give the nodes swap and their kubelets swapBehavior: LimitedSwap, or keep the executors off them.",
        };
    }
    if needs_evidence && rows.iter().all(|row| !row.has_evidence) {
        return Cause {
            why: format!("None of the eligible nodes has the label {label} with {wanted} or more."),
            advice: "Label the nodes whose kubelet hands out swap, or lower nodes.minimumSwapPercent of the class.",
        };
    }
    match unproven.filter(|_| !class.nodes.only_with_swap) {
        Some(shape) => Cause {
            why: format!(
                "The executor may land on {} ({}), which has no label {label} with {wanted} or more.",
                OneLine(&shape.name),
                exact(shape.memory)
            ),
            advice: "Set nodes.onlyWithSwap or a nodes.selector in the class, or label that node if its kubelet hands out swap.",
        },
        None => Cause {
            why: if biggest.memory < request {
                let name = OneLine(&biggest.name);
                format!(
                    "The executor asks for {}, and the largest node, {name}, has {}.",
                    both(request),
                    both(biggest.memory)
                )
            } else {
                "No eligible node with evidence has the memory and swap that the executor needs.".to_owned()
            },
            advice: "Add larger nodes or more swap, or make the executors smaller.",
        },
    }
}

fn already_below_limit(class: &SwapClass) -> Cause {
    let advice = "Nothing: swap is granted already.";
    if class.strategy == Strategy::SafetyNet {
        return Cause { why: String::new(), advice: advice::what_to_do(Reason::AlreadyBelowLimit) };
    }
    Cause {
        why: format!("{} gains nothing here, and a safety net is there already.", class.strategy),
        advice,
    }
}

fn pin_conflict(explained: &Explained<'_>, class: &SwapClass) -> String {
    let spec = explained.pod.and_then(|pod| pod.spec.as_ref());
    let own = |key: &str| spec?.node_selector.as_ref()?.get(key);
    let differs = |wanted: &&(&String, &String)| own(wanted.0).is_some_and(|own| own != wanted.1);
    let selector: Vec<_> = class.nodes.selector.iter().collect();
    if let Some((key, wanted)) = selector.iter().find(differs) {
        let own = OneLine(own(key).unwrap_or_default()).to_string();
        return format!("The pod's nodeSelector has {key}={own}, and the class's has {key}={wanted}.");
    }
    let node_name = spec.and_then(|spec| spec.node_name.as_ref()).map_or("", Text::as_str);
    if node_name.is_empty() {
        return "The pod has another value of the annotation that the swap backend reads.".to_owned();
    }
    format!("spec.nodeName is {}, which does not qualify.", OneLine(node_name))
}

fn rollout(explained: &Explained<'_>, class: &SwapClass) -> String {
    let percent = class.rollout_percent;
    match explained.pod.and_then(|pod| pod.label("spark-app-selector")) {
        Some(id) => format!("{percent} % of applications are in; {} is not.", OneLine(id)),
        None => format!(
            "{percent} % of applications are in, by their id, and this one has none here: Spark makes it up at start. Try --conf spark.app.id=ID."
        ),
    }
}

fn needs_nodes(class: &SwapClass) -> String {
    if class.nodes.selector.is_empty() {
        format!("{} via {} is sized from the nodes.", class.strategy, class.swap.via)
    } else {
        "The class selects nodes.".to_owned()
    }
}

fn would_lose_guaranteed(class: &SwapClass) -> Option<String> {
    let allowed = class.qos_class == QosMode::Burstable;
    allowed.then(|| {
        "The class allows Burstable, but not every eligible node has evidence and grants swap.".to_owned()
    })
}

fn not_guaranteed(executor: &Executor) -> Option<String> {
    let request = executor.resources.spark.cpu_request.filter(|request| !request.is_zero());
    let Some(cpu) = request else { return Some("The Spark container has no cpu request.".to_owned()) };
    let keeps_collector = executor.jvm.selects_collector || (cpu.is_whole() && cpu.value() >= 2);
    (!keeps_collector).then(|| {
        format!(
            "With the cpu request of {cpu} as its limit the JDK would pick SerialGC, and no GC flag is set."
        )
    })
}

fn safety_net(executor: &Executor) -> String {
    format!(
        "The pod came with request {} and limit {}; even a safety net, the request 1Mi below the limit, is not allowed.",
        mi(executor.received_request),
        mi(executor.received_limit)
    )
}

fn not_executor(explained: &Explained<'_>) -> String {
    let Some(pod) = explained.pod else { return "The review has no pod in it.".to_owned() };
    match pod.label("spark-role") {
        Some("executor") if recognise(pod).is_ok() => {
            "The request does not create the pod: another operation, kind or subresource.".to_owned()
        }
        Some("executor") => {
            "The pod has the label spark-role=executor, but no app container with executor as its first \
                             argument and SPARK_EXECUTOR_ID in its env."
                .to_owned()
        }
        Some(role) => format!("The pod's label spark-role is {}.", OneLine(role)),
        None => "The pod has no label spark-role.".to_owned(),
    }
}

fn known_classes(explained: &Explained<'_>) -> String {
    let classes: Vec<&str> = explained.state.classes().map(|class| class.name.as_str()).collect();
    let known = if classes.is_empty() { "no SwapClass".to_owned() } else { classes.join(", ") };
    format!("Known: {known}, and the built-in {}. --state adds more.", SwapClass::BUILT_IN)
}

fn sizes(explained: &Explained<'_>) -> Option<String> {
    let spark = explained.pod.and_then(|pod| recognise(pod).ok())?;
    let shown =
        |text: Option<&str>| text.map_or_else(|| "not set".to_owned(), |text| OneLine(text).to_string());
    let request = shown(spark.container.request("memory"));
    let limit = shown(spark.container.limit("memory"));
    let heap = present_sizes(spark.container).heap.map_or_else(|| "unknown".to_owned(), both);
    Some(format!("The Spark container has memory request {request}, memory limit {limit} and heap {heap}."))
}

/// The priority class or RuntimeClass that the pod names.
fn named_class(explained: &Explained<'_>) -> Option<String> {
    let spec = explained.pod.and_then(|pod| pod.spec.as_ref())?;
    let (field, name) = match explained.decision.reason {
        Reason::RuntimeClass => ("runtimeClassName", &spec.runtime_class_name),
        _ => ("priorityClassName", &spec.priority_class_name),
    };
    name.as_ref().map(|name| format!("The pod's {field} is {}.", OneLine(name.as_str())))
}
