//! How a pod that is in a cluster fares there: its node, its QoS class, and the swap it is granted.

use serde::Serialize;
use serde_json::Value;

use super::Explained;
use crate::admission::executor::{SparkContainer, is_critical, pod_resources, recognise};
use crate::admission::pod::Pod;
use crate::admission::swap_annotation;
use crate::admission::text::Text;
use crate::cli::live_pod::LivePod;
use crate::cli::table::Table;
use crate::sizing::class::{Backend, Enforcement};
use crate::sizing::fields::OneLine;
use crate::sizing::kubelet::{QosClass, floor_to_page, granted_swap, is_swap_eligible, qos_class};
use crate::sizing::nodes::Node;
use crate::sizing::quantity::Quantity;
use crate::sizing::sizes::{both, exact};

/// The object for programs. All sizes are bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveObject<'e> {
    /// When it was decided about.
    created: Option<&'e str>,
    phase: Option<&'e str>,
    qos_class: Option<&'e str>,
    node: Option<LiveNode<'e>>,
    /// What its node grants it; null where that is not known.
    granted_swap: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LiveNode<'e> {
    name: &'e str,
    /// null where the node is not known.
    memory: Option<u64>,
    swap: Option<u64>,
    /// What the evidence label of the kubelet promises; 0 without one.
    promised_permille: Option<u64>,
}

/// The swap of the Spark container, and why it is that much.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Grant {
    /// By the kubelet's formula.
    Computed { request: u64, swap: u64 },
    /// By the annotation of an explicit backend.
    Written { via: Backend, swap: u64 },
    /// None, whatever the node has.
    Refused(&'static str),
    /// Nobody can tell.
    Unknown(&'static str),
}

/// The object for programs; `None` for a pod that was never in a cluster.
pub fn object<'e>(explained: &Explained<'e>) -> Option<LiveObject<'e>> {
    let live = explained.subject.live.as_ref()?;
    let node = known_node(explained, live);
    Some(LiveObject {
        created: live.created.as_deref(),
        phase: live.phase.as_deref(),
        qos_class: live.qos_class.as_deref(),
        node: live.node.as_deref().map(|name| LiveNode {
            name,
            memory: node.map(|node| node.memory),
            swap: node.map(|node| node.swap),
            promised_permille: node.map(|node| node.promised_permille(Backend::Kubelet)),
        }),
        granted_swap: grant(explained, live)?.bytes(),
    })
}

/// The same for people; empty for a pod that was never in a cluster.
pub fn table(explained: &Explained<'_>) -> String {
    let Some(live) = &explained.subject.live else { return String::new() };
    let text = |text: &Option<String>| text.as_deref().map(|text| OneLine(text).to_string());
    let mut table = Table::new(&[]);
    for (title, value) in [("created", text(&live.created)), ("phase", text(&live.phase))] {
        table.row([title, &value.unwrap_or_else(|| "unknown".to_owned())]);
    }
    table.row(["plan", &plan(explained)]);
    table.row(["node", &node_text(live, known_node(explained, live))]);
    if let Some(qos_class) = text(&live.qos_class) {
        table.row(["QoS class", &(qos_class + &as_planned(explained, live))]);
    }
    if let Some(grant) = grant(explained, live) {
        table.row(["granted swap", &grant.text(known_node(explained, live))]);
    }
    table.render()
}

fn known_node<'e>(explained: &Explained<'e>, live: &LivePod) -> Option<&'e Node> {
    let nodes = explained.state.nodes().nodes();
    nodes.iter().find(|node| Some(node.name.as_str()) == live.node.as_deref()).map(AsRef::as_ref)
}

fn plan(explained: &Explained<'_>) -> String {
    let Some(plan) = explained.recorded else {
        let is_planned_now = explained.decision.plan.is_some();
        let past = "it was left alone when it was created, or the webhook was not asked";
        let past = if is_planned_now { format!(": {past}") } else { String::new() };
        return format!("none{past}; what follows would be decided now");
    };
    if plan.is_null() {
        return "unknown: the annotation is not one".to_owned();
    }
    let word = |name: &str| plan.get(name).and_then(Value::as_str).unwrap_or("unknown");
    let [enforcement, strategy, class, bound] = ["enforcement", "strategy", "class", "bound"].map(word);
    let fate = match enforcement {
        "Enforce" => "enforced",
        "Audit" => "only audited",
        _ => "neither enforced nor audited",
    };
    OneLine(&format!("{fate}: {strategy} by the class {class}, decided by {bound}")).to_string()
}

fn node_text(live: &LivePod, node: Option<&Node>) -> String {
    match (&live.node, node) {
        (None, _) => "none yet".to_owned(),
        (Some(name), None) => format!("{}, of which nothing is known here", OneLine(name)),
        (Some(name), Some(node)) => {
            let [memory, swap] = [node.memory, node.swap].map(exact);
            format!("{}, {memory} of memory, {swap} of swap", OneLine(name))
        }
    }
}

/// Whether the QoS class is the one that an enforced plan says.
fn as_planned(explained: &Explained<'_>, live: &LivePod) -> String {
    let word = |name: &str| explained.recorded.and_then(|plan| plan.get(name)?.as_str());
    let is_enforced = word("enforcement") == Some(Enforcement::Enforce.as_str());
    match word("qosClass").filter(|_| is_enforced) {
        Some(planned) if Some(planned) == live.qos_class.as_deref() => ", as planned".to_owned(),
        Some(planned) => format!(", not {} as planned", OneLine(planned)),
        None => String::new(),
    }
}

/// What the Spark container gets on its node; `None` where there is no such container.
fn grant(explained: &Explained<'_>, live: &LivePod) -> Option<Grant> {
    let pod = explained.pod?;
    let spark = recognise(pod).ok()?;
    let node = known_node(explained, live);
    Some(match written(pod, &spark, node) {
        Some((via, swap)) => Grant::Written { via, swap },
        None => computed(pod, &spark, live, node),
    })
}

/// What explicit backends are told. Where the node is known, only the one that it has counts.
fn written(pod: &Pod<'_>, spark: &SparkContainer<'_, '_>, node: Option<&Node>) -> Option<(Backend, u64)> {
    let container = spark.container.name.as_ref().map_or("", Text::as_str);
    let is_there = |via: &&Backend| node.is_none_or(|node| node.promised_permille(**via) > 0);
    let mut backends = Backend::ALL.iter().filter(is_there);
    backends.find_map(|via| Some((*via, floor_to_page(swap_annotation::read(*via, pod, container)?))))
}

fn computed(pod: &Pod<'_>, spark: &SparkContainer<'_, '_>, live: &LivePod, node: Option<&Node>) -> Grant {
    if spark.spec.resources.is_some() {
        return Grant::Unknown("the pod has pod-level resources");
    }
    let resources = pod_resources(spark);
    let of_status =
        QosClass::ALL.iter().copied().find(|class| live.qos_class.as_deref() == Some(class.as_str()));
    let qos_class = of_status.unwrap_or_else(|| qos_class(&resources));
    let Some(request) = resources.spark.memory_request.and_then(Quantity::bytes) else {
        return Grant::Refused("the Spark container requests no memory");
    };
    if is_critical(pod, spark.spec) {
        return Grant::Refused("the pod is critical");
    }
    if qos_class != QosClass::Burstable {
        return Grant::Refused("only the QoS class Burstable is granted swap");
    }
    if !is_swap_eligible(false, qos_class, &resources.spark) {
        return Grant::Refused("the request equals the limit");
    }
    match node {
        Some(node) if node.swap == 0 => Grant::Refused("the node has no swap"),
        Some(node) => Grant::Computed { request, swap: granted_swap(request, node.memory, node.swap) },
        None if live.node.is_none() => Grant::Unknown("the pod is on no node yet"),
        None => Grant::Unknown("the node is not known here"),
    }
}

impl Grant {
    fn bytes(&self) -> Option<u64> {
        match self {
            Self::Computed { swap, .. } | Self::Written { swap, .. } => Some(*swap),
            Self::Refused(_) => Some(0),
            Self::Unknown(_) => None,
        }
    }

    fn text(&self, node: Option<&Node>) -> String {
        match self {
            Self::Refused(why) => format!("0: {why}"),
            Self::Unknown(why) => format!("unknown: {why}"),
            Self::Written { via, swap } => format!("{}, written for {via}", both(*swap)),
            Self::Computed { request, swap } => {
                let promised = node.map_or(0, |node| node.promised_permille(Backend::Kubelet));
                let evidence = match promised {
                    0 => "if its kubelet hands swap out, which no label of the node says".to_owned(),
                    promised => format!("the node's label promises {promised} permille"),
                };
                format!("{} = floor4096({request} / M * S); {evidence}", both(*swap))
            }
        }
    }
}
