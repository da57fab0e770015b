//! The decision for one request: the whole flow from the review to the patch, as one pure function.

use std::sync::Arc;

use crate::sizing::class::{Enforcement, SwapClass};
use crate::sizing::executor::Executor;
use crate::sizing::limit_range::NamespaceLimits;
use crate::sizing::nodes::NodeShape;
use crate::sizing::plan::{Plan, Site};
use crate::sizing::state::State;
use crate::sizing::{planner, proof};

use super::class_choice;
use super::executor::{self, HEAP_ENV, SparkContainer};
use super::operation::Operation;
use super::patch;
use super::plan_annotation::{FoundPlan, PLAN_ANNOTATION};
use super::pod::Pod;
use super::pod_placement::placement;
use super::reason::{Note, Notice, Reason};
use super::review::Request;
use super::text::Text;

/// What was decided, with everything that led to it.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The outcome.
    pub reason: Reason,
    /// The class's name as asked for or found; empty where none was looked up.
    pub class_name: String,
    /// The class, where it exists.
    pub class: Option<Arc<SwapClass>>,
    /// What the executor asked for, where it was read.
    pub executor: Option<Executor>,
    /// W and P in percent of T, where they were refined.
    pub percentages: Option<(u64, u64)>,
    /// The eligible nodes, where they were looked up.
    pub shapes: Arc<[NodeShape]>,
    /// The plan, where one was made and proven.
    pub plan: Option<Plan>,
    /// The patch; empty where the pod stays as it is.
    pub operations: Vec<Operation>,
    /// What somebody should know.
    pub notes: Vec<Note>,
    /// For `ProofFailed`: what failed.
    pub failed_proof: Option<String>,
}

/// Decides. Total: every request has a decision.
pub fn decide(request: &Request<'_, Pod<'_>>, state: &State) -> Decision {
    let mut decision = Decision {
        reason: Reason::NotExecutor,
        class_name: String::new(),
        class: None,
        executor: None,
        percentages: None,
        shapes: Arc::default(),
        plan: None,
        operations: Vec::new(),
        notes: Vec::new(),
        failed_proof: None,
    };
    decision.reason = match decision.judge(request, state) {
        Ok(reason) | Err(reason) => reason,
    };
    decision
}

impl Decision {
    /// Admission warnings.
    pub fn warnings(&self) -> Vec<String> {
        self.notes.iter().map(Note::warning).collect()
    }

    /// The pod came with a plan.
    pub fn is_planned_before(&self) -> bool {
        matches!(self.reason, Reason::AlreadyPlanned | Reason::ChangedSince)
    }

    fn judge(&mut self, request: &Request<'_, Pod<'_>>, state: &State) -> Result<Reason, Reason> {
        let pod = request.object.as_ref().filter(|_| request.creates_pod()).ok_or(Reason::NotExecutor)?;
        let spark = executor::recognise(pod)?;
        if let Some(annotation) = pod.annotation(PLAN_ANNOTATION) {
            return Err(self.already_planned(annotation, &spark));
        }
        let namespace = namespace(request, pod);
        let class = match class_choice::choose(pod, namespace, state) {
            Ok(class) => class,
            Err((reason, name)) => {
                if reason == Reason::UnknownClass {
                    let detail = if name.is_empty() {
                        "the label spark-swap.io/class is empty, the pod is unchanged".to_owned()
                    } else {
                        format!("there is no valid SwapClass {name:?}, the pod is unchanged")
                    };
                    self.notes.push(Note::about(Notice::UnknownClass, detail));
                }
                self.class_name = name;
                return Err(reason);
            }
        };
        self.class_name.clone_from(&class.name);
        self.class = Some(Arc::clone(&class));
        if !class_choice::is_rolled_out(pod, spark.container, class.rollout_percent) {
            return Err(Reason::OutsideRollout);
        }
        self.plan(pod, &spark, &class, namespace, state)
    }

    fn already_planned(&mut self, annotation: &str, spark: &SparkContainer<'_, '_>) -> Reason {
        let found = FoundPlan::read(annotation);
        let now = executor::present_sizes(spark.container);
        self.class_name.clone_from(&found.class);
        if !found.was_changed_since(now.request, now.limit, now.heap) {
            return Reason::AlreadyPlanned;
        }
        let detail =
            format!("memory or {HEAP_ENV} is neither as planned nor as received; the plan no longer holds");
        self.notes.push(Note::about(Notice::ChangedSince, detail));
        Reason::ChangedSince
    }

    fn plan(
        &mut self,
        pod: &Pod<'_>,
        spark: &SparkContainer<'_, '_>,
        class: &Arc<SwapClass>,
        namespace: &str,
        state: &State,
    ) -> Result<Reason, Reason> {
        let allowed = &state.settings().allowed_runtime_classes;
        let executor = self.executor.insert(executor::read(pod, spark, allowed, &mut self.notes)?);
        let terms = class_choice::refine(class, pod, &mut self.notes);
        self.percentages = Some((terms.working_set_percent, terms.peak_percent));
        let placement = placement(spark.spec, &class.nodes)?;
        self.shapes = state.nodes().eligible(&placement);
        let unbounded = NamespaceLimits::default();
        let facts = state.namespace(namespace);
        let site = Site {
            nodes_are_known: !state.nodes().is_empty(),
            shapes: &self.shapes,
            is_bound_to_node: placement.node_name.is_some(),
            limits: facts.map_or(&unbounded, |facts| &facts.limits),
            has_cpu_limit_quota: facts.is_some_and(|facts| facts.cpu_limit_quota),
        };
        let plan = planner::plan(executor, &terms, &site, &mut self.notes)?;
        if let Err(broken) = proof::prove(&plan, executor, &terms, &site) {
            self.failed_proof = Some(format!("{broken}: {plan:?}"));
            self.notes.push(Notice::ProofFailed.into());
            return Err(Reason::ProofFailed);
        }
        self.operations = patch::patch(pod, spark, class, &plan)?;
        let reason = match plan.enforcement {
            Enforcement::Enforce => Reason::Planned,
            Enforcement::Audit => Reason::Audited,
        };
        self.plan = Some(plan);
        Ok(reason)
    }
}

/// The request's namespace, else the pod's own, else `default`.
pub(super) fn namespace<'r>(request: &'r Request<'_, Pod<'_>>, pod: &'r Pod<'_>) -> &'r str {
    let of_pod = pod.metadata.as_ref().and_then(|metadata| metadata.namespace.as_ref());
    let mut named = [request.namespace.as_ref(), of_pod].into_iter().flatten().map(Text::as_str);
    named.find(|name| !name.is_empty()).unwrap_or("default")
}
