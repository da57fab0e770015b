//! What an executor has before and after, as a table.

use serde_json::Value;

use super::Explained;
use crate::admission::executor::{present_sizes, recognise};
use crate::cli::table::{Align, Table};
use crate::sizing::class::Enforcement;
use crate::sizing::executor::Executor;
use crate::sizing::fields::OneLine;
use crate::sizing::kubelet::{granted_swap, is_swap_eligible, oom_score_adj, qos_class};
use crate::sizing::nodes::NodeShape;
use crate::sizing::plan::{Change, Plan};
use crate::sizing::sizes::{both, difference};

const COLUMNS: &[Align] = &[Align::Left, Align::Right, Align::Right, Align::Right];

/// Request, limit, heap, QoS class, OOM score and swap; empty where the executor was not read.
pub fn table(explained: &Explained<'_>) -> String {
    let decision = explained.decision;
    let Some(executor) = &decision.executor else { return String::new() };
    let mut table = Table::new(COLUMNS);
    let Some(plan) = &decision.plan else {
        for (name, value) in before(executor, &decision.shapes) {
            table.row([name, &value]);
        }
        return table.render();
    };
    let after_title = if plan.enforcement == Enforcement::Audit { "only planned" } else { "after" };
    table.row(["", "before", after_title, ""]);
    for ((name, before), (after, change)) in before(executor, &decision.shapes).into_iter().zip(after(plan)) {
        table.row([name, &before, &after, &change]);
    }
    if let Some(cpu) = plan.cpu_limit {
        table.row(["cpu limit", "none", &cpu.to_string()]);
    }
    if let Some(size) = plan.young_generation_mib {
        table.row(["young generation", "JVM's choice", &format!("{size}Mi")]);
    }
    table.render()
}

fn before(executor: &Executor, shapes: &[NodeShape]) -> [(&'static str, String); 7] {
    let request = executor.received_request;
    let qos_class = qos_class(&executor.resources);
    let fitting = || shapes.iter().filter(|shape| shape.memory >= request);
    let smallest = fitting().map(|shape| shape.memory).min();
    let is_eligible = is_swap_eligible(false, qos_class, &executor.resources.spark);
    let grants = fitting().map(|shape| granted_swap(request, shape.memory, shape.swap));
    let grant = grants.min().filter(|_| is_eligible);
    // Without evidence, nobody knows whether the kubelet hands it out; a request equal to the limit gets none anyway.
    let grant = if is_eligible { grant.map_or_else(unknown, both) } else { both(0) };
    [
        ("request", both(request)),
        ("limit", both(executor.received_limit)),
        ("heap", executor.heap.map_or_else(unknown, both)),
        ("QoS class", qos_class.to_string()),
        (
            "oom_score_adj",
            smallest.map_or_else(unknown, |memory| oom_score_adj(qos_class, request, memory).to_string()),
        ),
        ("expected swap", if is_eligible { unknown() } else { both(0) }),
        ("possible swap", grant),
    ]
}

fn after(plan: &Plan) -> [(String, String); 7] {
    let change = |change: Change| (both(change.to), difference(change.from, change.to));
    let same = |text: String| (text, String::new());
    [
        change(plan.request),
        change(plan.limit),
        plan.heap.map_or_else(|| same(unknown()), change),
        same(plan.qos_class.to_string()),
        same(plan.oom_score_adj.map_or_else(unknown, |score| score.to_string())),
        same(both(plan.expected_swap)),
        same(if plan.node.is_some() { both(plan.possible_swap) } else { unknown() }),
    ]
}

/// The plan that a pod carries already, beside what the pod has now; empty without one.
pub fn recorded(explained: &Explained<'_>) -> String {
    let Some(pod) = explained.pod.filter(|_| explained.decision.is_planned_before()) else {
        return String::new();
    };
    let Some(plan) = explained.recorded.filter(|plan| !plan.is_null()) else {
        return "  The annotation is not a plan.\n".to_owned();
    };
    let text = |name: &str| match plan.get(name) {
        Some(Value::String(text)) => OneLine(text).to_string(),
        Some(Value::Null) | None => unknown(),
        Some(other) => OneLine(&other.to_string()).to_string(),
    };
    let size = |path: &str| plan.pointer(path).and_then(Value::as_u64).map_or_else(unknown, both);
    let now = recognise(pod).ok().map(|spark| present_sizes(spark.container));
    let mut table = Table::new(COLUMNS);
    table.row(["", "before", "as planned", "now"]);
    for (name, now) in [
        ("request", now.and_then(|now| now.request)),
        ("limit", now.and_then(|now| now.limit)),
        ("heap", now.and_then(|now| now.heap)),
    ] {
        let [from, to] = ["from", "to"].map(|end| size(&format!("/{name}/{end}")));
        table.row([name, &from, &to, &now.map_or_else(unknown, both)]);
    }
    for name in ["strategy", "enforcement", "bound", "qosClass", "oomScoreAdj"] {
        table.row([name, "", &text(name)]);
    }
    table.row(["expectedSwap", "", &size("/expectedSwap")]);
    table.render()
}

fn unknown() -> String {
    "unknown".to_owned()
}
