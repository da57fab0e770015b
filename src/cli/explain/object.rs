//! `explain -o json` and `-o yaml`: a decision as an object for programs. Its members are only ever added to.

use serde::Serialize;
use serde_json::Value;

use super::Explained;
use super::in_cluster::{self, LiveObject};
use super::nodes::{self, Landing};
use super::recorded::{Difference, Now, Verdict};
use crate::admission::operation::Operation;
use crate::admission::plan_annotation::PlanJson;
use crate::admission::reason::Reason;
use crate::sizing::bound::Bound;

/// A decision. All sizes are bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionObject<'e> {
    pod: PodObject<'e>,
    reason: Reason,
    class: Option<&'e str>,
    bound: Option<Bound>,
    /// `patched` or `unchanged`, as in the metrics.
    outcome: &'static str,
    /// The admission warnings.
    warnings: Vec<String>,
    /// How the input was read, where the state is from, and what is wrong with it.
    notes: Vec<&'e str>,
    /// As in the annotation `spark-swap.io/plan`.
    plan: Option<PlanJson<'e>>,
    bounds: Vec<BoundObject>,
    heap_bounds: Vec<HeapBoundObject>,
    patch: &'e [Operation],
    nodes: Vec<NodeObject<'e>>,
    /// How a pod that is in a cluster fares.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<LiveObject<'e>>,
    /// The plan that the pod carries; null where the annotation is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<&'e Value>,
    /// What would be decided now about a pod in a cluster that carries a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<NowObject<'e>>,
}

#[derive(Debug, Serialize)]
struct NowObject<'e> {
    verdict: Verdict,
    /// What has changed since, for people.
    causes: Vec<String>,
    differences: Vec<Difference>,
    decision: Box<DecisionObject<'e>>,
}

#[derive(Debug, Serialize)]
struct PodObject<'e> {
    /// The file and where in it, or `--conf`.
    from: &'e str,
    namespace: &'e str,
    name: &'e str,
}

#[derive(Debug, Serialize)]
struct BoundObject {
    bound: Bound,
    request: u64,
}

#[derive(Debug, Serialize)]
struct HeapBoundObject {
    bound: Bound,
    heap: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeObject<'e> {
    /// The first of the nodes of this shape.
    name: &'e str,
    count: u64,
    memory: u64,
    swap: u64,
    promised_permille: u64,
    usable_permille: u64,
    has_evidence: bool,
    /// The executor may land there under the plan; null without a plan.
    eligible: Option<bool>,
    /// The swap it gets there; null where it may not land.
    granted_swap: Option<u64>,
}

impl<'e> DecisionObject<'e> {
    /// The object of a decision.
    pub fn new(explained: &Explained<'e>) -> Self {
        let (subject, decision) = (explained.subject, explained.decision);
        let plan = decision.plan.as_ref();
        let bounds = plan.map_or(&[][..], |plan| &plan.bounds);
        let heap_bounds = plan.map_or(&[][..], |plan| &plan.heap_bounds);
        Self {
            pod: PodObject { from: &subject.place, namespace: &subject.namespace, name: &subject.name },
            reason: decision.reason,
            class: Some(decision.class_name.as_str()).filter(|name| !name.is_empty()),
            bound: plan.map(|plan| plan.bound),
            outcome: if decision.operations.is_empty() { "unchanged" } else { "patched" },
            warnings: decision.warnings(),
            notes: explained.all_notes().map(String::as_str).collect(),
            plan: plan.map(PlanJson::from),
            bounds: bounds.iter().map(|&(bound, request)| BoundObject { bound, request }).collect(),
            heap_bounds: heap_bounds.iter().map(|&(bound, heap)| HeapBoundObject { bound, heap }).collect(),
            patch: &decision.operations,
            nodes: nodes::rows(decision).into_iter().map(NodeObject::new).collect(),
            live: in_cluster::object(explained),
            recorded: explained.recorded,
            now: explained.now.map(NowObject::new),
        }
    }
}

impl<'e> NowObject<'e> {
    fn new(now: &'e Now<'e>) -> Self {
        // How the pod fares is said beside it.
        let decision = Box::new(DecisionObject { live: None, ..DecisionObject::new(&now.explained) });
        Self { verdict: now.verdict(), causes: now.causes(), differences: now.differences(), decision }
    }
}

impl<'e> NodeObject<'e> {
    fn new(row: nodes::NodeRow<'e>) -> Self {
        let granted = |landing| if let Landing::Granted(swap) = landing { Some(swap) } else { None };
        Self {
            name: &row.shape.name,
            count: row.shape.count,
            memory: row.shape.memory,
            swap: row.shape.swap,
            promised_permille: row.promised,
            usable_permille: row.usable,
            has_evidence: row.has_evidence,
            eligible: row.landing.map(|landing| granted(landing).is_some()),
            granted_swap: row.landing.and_then(granted),
        }
    }
}
