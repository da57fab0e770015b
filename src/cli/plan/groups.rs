//! The executors, decided about and grouped: those that get the same plan and may use the same nodes are one group, for a
//! cluster runs thousands.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::fit::PodRequest;
use super::whole_pod::WholePod;
use crate::admission::decision::{Decision, decide};
use crate::admission::executor::{pod_resources, recognise};
use crate::admission::pod::Spec;
use crate::admission::pod_placement::placement;
use crate::admission::reason::Reason;
use crate::admission::review;
use crate::cli::as_received::take_back_plan;
use crate::cli::pod_input::Subject;
use crate::cluster::allocatable::millis;
use crate::sizing::class::{ClassNodes, SwapClass};
use crate::sizing::plan::Plan;
use crate::sizing::quantity::Quantity;
use crate::sizing::resources::PodResources;
use crate::sizing::state::{CLASS_LABEL, State};

/// Executors that are decided about alike.
#[derive(Debug)]
pub struct Group {
    /// The first of them, as it was decided about.
    pub subject: Subject,
    /// How many there are.
    pub count: u64,
    /// The decision.
    pub decision: Decision,
    /// cpu and memory of all containers, as received.
    pub resources: PodResources,
    /// What the pod asks for besides.
    pub whole: WholePod,
    /// Where it may run without any class.
    own_placement: Vec<u8>,
}

/// All groups, and the pods that are in none.
#[derive(Debug, Default)]
pub struct Groups {
    /// The largest first.
    pub groups: Vec<Group>,
    /// Pods that are no executors, by reason.
    pub others: BTreeMap<Reason, u64>,
    /// Executors that carried a plan, which was taken back.
    pub planned_before: u64,
}

impl Groups {
    /// Decides about every pod, once under each of these classes; without any, under the class that it is admitted under.
    ///
    /// # Errors
    /// A review that is none; the input has been checked for that.
    pub fn new(subjects: Vec<Subject>, classes: &[String], state: &State) -> anyhow::Result<Self> {
        let mut all = Self::default();
        for subject in subjects {
            let mut review: Value = serde_json::from_slice(&subject.review)?;
            let pod = review.pointer_mut("/request/object");
            let was_planned = pod.is_some_and(|pod| take_back_plan(pod, state));
            all.planned_before = all.planned_before.saturating_add(u64::from(was_planned));
            let whole = review.pointer("/request/object").map(WholePod::of).unwrap_or_default();
            if classes.is_empty() {
                all.add(Subject { review: review.to_string().into_bytes(), ..subject }, whole, state)?;
                continue;
            }
            for class in classes {
                name_class(&mut review, class);
                let subject = Subject { review: review.to_string().into_bytes(), ..subject.clone() };
                if !all.add(subject, whole.clone(), state)? {
                    break;
                }
            }
        }
        all.groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        Ok(all)
    }

    /// `false` where the pod is no executor, under any class.
    fn add(&mut self, subject: Subject, whole: WholePod, state: &State) -> anyhow::Result<bool> {
        let request = review::read(&subject.review)?;
        let decision = decide(&request, state);
        let Some(spark) = request.object.as_ref().and_then(|pod| recognise(pod).ok()) else {
            let others = self.others.entry(decision.reason).or_default();
            *others = others.saturating_add(1);
            return Ok(false);
        };
        let resources = pod_resources(&spark);
        let own_placement = own_placement(spark.spec);
        let group = Group { subject, count: 1, decision, resources, whole, own_placement };
        match self.groups.iter_mut().find(|known| known.is_alike(&group)) {
            Some(known) => known.count = known.count.saturating_add(1),
            None => self.groups.push(group),
        }
        Ok(true)
    }
}

impl Group {
    /// The plan, where there is one.
    pub fn plan(&self) -> Option<&Plan> {
        self.decision.plan.as_ref()
    }

    /// The class, where it exists.
    pub fn class(&self) -> Option<&SwapClass> {
        self.decision.class.as_deref()
    }

    /// The class's name; `-` where none was looked up.
    pub fn class_name(&self) -> &str {
        Some(self.decision.class_name.as_str()).filter(|name| !name.is_empty()).unwrap_or("-")
    }

    /// R0 of the Spark container, bytes.
    pub fn received_request(&self) -> u64 {
        self.resources.spark.memory_request.and_then(Quantity::bytes).unwrap_or(0)
    }

    /// What is reserved for such a pod as it was received.
    pub fn before(&self) -> PodRequest {
        self.with_request(self.received_request())
    }

    /// What is reserved for such a pod as it is planned, or left.
    pub fn after(&self) -> PodRequest {
        self.with_request(self.plan().map_or_else(|| self.received_request(), |plan| plan.request.to))
    }

    /// Memory that such a pod declares: its Spark container's T, and what else is reserved for it. Bytes.
    pub fn declared(&self) -> u64 {
        let limit = self.resources.spark.memory_limit.and_then(Quantity::bytes);
        let total = self.plan().map(|plan| plan.total).or(limit).unwrap_or_else(|| self.received_request());
        self.with_request(total).memory
    }

    /// What is reserved for such a pod with this request on its Spark container.
    pub fn with_request(&self, request: u64) -> PodRequest {
        self.whole.reserved(PodRequest {
            memory: self.resources.reserved_memory(request).unwrap_or(u64::MAX),
            cpu_millis: self.resources.reserved_cpu().and_then(millis).unwrap_or(0),
        })
    }

    fn is_alike(&self, other: &Self) -> bool {
        let (shapes, of_other) = (&self.decision.shapes, &other.decision.shapes);
        self.decision.reason == other.decision.reason
            && self.decision.class_name == other.decision.class_name
            && self.resources == other.resources
            && self.whole == other.whole
            && self.own_placement == other.own_placement
            // The same question to the state has the same answer.
            && (Arc::ptr_eq(shapes, of_other) || shapes == of_other)
            && self.decision.executor == other.decision.executor
            && self.decision.plan == other.decision.plan
    }
}

/// The pod's own nodeSelector, affinity and tolerations.
pub fn no_class() -> ClassNodes {
    ClassNodes { tolerations: Vec::new(), ..SwapClass::built_in().nodes }
}

fn own_placement(spec: &Spec<'_>) -> Vec<u8> {
    placement(spec, &no_class()).map(|placement| placement.fingerprint()).unwrap_or_default()
}

/// As if the application named the class.
fn name_class(review: &mut Value, class: &str) {
    let Some(pod) = review.pointer_mut("/request/object").and_then(Value::as_object_mut) else { return };
    let metadata = pod.entry("metadata").or_insert_with(|| json!({}));
    let Some(metadata) = metadata.as_object_mut() else { return };
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    if labels.is_null() {
        *labels = json!({});
    }
    if let Some(labels) = labels.as_object_mut() {
        labels.insert(CLASS_LABEL.to_owned(), Value::from(class));
    }
}
