//! `plan -o json` and `-o yaml`: the report as an object for programs. Its members are only ever added to.

use serde::Serialize;

use super::density_curve::DensityCurve;
use super::fit::{Fit, FullBy};
use super::fleet::Row;
use super::report::{Entry, Report};
use crate::admission::plan_annotation::PlanJson;
use crate::admission::reason::Reason;
use crate::sizing::bound::Bound;
use crate::sizing::plan::Change;

/// The report. All sizes are bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportObject<'r> {
    executors: Vec<EntryObject<'r>>,
    notes: &'r [String],
}

/// One group of executors under one class.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryObject<'r> {
    /// As in the notes: from 1.
    number: usize,
    pod: PodObject<'r>,
    /// How many pods are alike.
    pods: u64,
    class: Option<&'r str>,
    reason: Reason,
    bound: Option<Bound>,
    /// Of the Spark container.
    request: Change,
    /// Of the whole pod, as the scheduler counts it.
    pod_request: Change,
    pod_cpu_millis: u64,
    /// As in the annotation `spark-swap.io/plan`.
    plan: Option<PlanJson<'r>>,
    /// How many fit all nodes together.
    room: RoomObject,
    nodes: Vec<NodeObject<'r>>,
    /// How many fit such a node, by its swap; null where it was not asked for or makes no difference.
    density: Option<DensityObject<'r>>,
}

#[derive(Debug, Serialize)]
struct PodObject<'r> {
    /// The file and where in it, or the flags.
    from: &'r str,
    namespace: &'r str,
    name: &'r str,
}

#[derive(Debug, Serialize)]
struct RoomObject {
    before: u64,
    after: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeObject<'r> {
    /// One of the nodes of this shape.
    name: &'r str,
    count: u64,
    memory: u64,
    swap: u64,
    allocatable_memory: Option<u64>,
    allocatable_cpu_millis: Option<u64>,
    allocatable_pods: Option<u64>,
    has_evidence: bool,
    /// null: these executors may not run there.
    before: Option<FitObject>,
    after: Option<FitObject>,
    declared: u64,
    reserved: u64,
    peak_swap: Option<u64>,
    granted_swap: Option<u64>,
    /// Bytes a second.
    write_rate: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FitObject {
    executors: u64,
    full_by: FullBy,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DensityObject<'r> {
    node: &'r str,
    memory: u64,
    own_permille: u64,
    before: u64,
    /// Where the number changes.
    after: Vec<StepObject>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StepObject {
    swap_permille: u64,
    executors: u64,
}

impl<'r> ReportObject<'r> {
    /// The object of a report.
    pub fn new(report: &'r Report) -> Self {
        Self { executors: report.entries.iter().map(EntryObject::new).collect(), notes: &report.notes }
    }
}

impl<'r> EntryObject<'r> {
    fn new(entry: &'r Entry) -> Self {
        let Entry { number, group, fleet, curve } = entry;
        let subject = &group.subject;
        let plan = group.plan();
        let request = group.received_request();
        Self {
            number: *number,
            pod: PodObject { from: &subject.place, namespace: &subject.namespace, name: &subject.name },
            pods: group.count,
            class: Some(group.decision.class_name.as_str()).filter(|name| !name.is_empty()),
            reason: group.decision.reason,
            bound: plan.map(|plan| plan.bound),
            request: plan.map_or(Change { from: request, to: request }, |plan| plan.request),
            pod_request: Change { from: group.before().memory, to: group.after().memory },
            pod_cpu_millis: group.before().cpu_millis,
            plan: plan.map(PlanJson::from),
            room: RoomObject { before: fleet.before(), after: fleet.after() },
            nodes: fleet.rows.iter().map(NodeObject::new).collect(),
            density: curve.as_ref().map(DensityObject::new),
        }
    }
}

impl<'r> NodeObject<'r> {
    fn new(row: &'r Row) -> Self {
        let fit = |fit: Option<Fit>| fit.map(|Fit { executors, full_by }| FitObject { executors, full_by });
        Self {
            name: &row.shape.name,
            count: row.count,
            memory: row.shape.memory,
            swap: row.shape.swap,
            allocatable_memory: row.allocatable.memory,
            allocatable_cpu_millis: row.allocatable.cpu_millis,
            allocatable_pods: row.allocatable.pods,
            has_evidence: row.has_evidence,
            before: fit(row.before),
            after: fit(row.after),
            declared: row.load.declared,
            reserved: row.load.reserved,
            peak_swap: row.load.peak_swap,
            granted_swap: row.load.granted_swap,
            write_rate: row.load.write_rate(),
        }
    }
}

impl<'r> DensityObject<'r> {
    fn new(curve: &'r DensityCurve) -> Self {
        let steps = curve.steps().into_iter();
        let step = |(swap_permille, executors)| StepObject { swap_permille, executors };
        Self {
            node: &curve.node,
            memory: curve.memory,
            own_permille: curve.own_permille,
            before: curve.before,
            after: steps.map(step).collect(),
        }
    }
}
