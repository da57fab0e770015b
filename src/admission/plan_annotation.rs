//! The annotation `spark-swap.io/plan`: a plan as compact JSON, written and read back.

use serde::{Deserialize, Serialize};

use crate::sizing::bound::Bound;
use crate::sizing::class::{Enforcement, Strategy};
use crate::sizing::kubelet::QosClass;
use crate::sizing::plan::{Change, Plan, PlanNode};

/// The annotation's key.
pub const PLAN_ANNOTATION: &str = "spark-swap.io/plan";

/// The JSON of a plan, in the order of the design. All sizes are bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanJson<'p> {
    v: u8,
    class: &'p str,
    strategy: Strategy,
    enforcement: Enforcement,
    heap: Option<Change>,
    non_heap: Option<u64>,
    request: Change,
    limit: Change,
    working_set: u64,
    peak: u64,
    unswappable: u64,
    expected_swap: u64,
    possible_swap: u64,
    needed_permille: u64,
    qos_class: QosClass,
    oom_score_adj: Option<i64>,
    bound: Bound,
    node: Option<&'p PlanNode>,
}

impl<'p> From<&'p Plan> for PlanJson<'p> {
    fn from(plan: &'p Plan) -> Self {
        Self {
            v: 1,
            class: &plan.class,
            strategy: plan.strategy,
            enforcement: plan.enforcement,
            heap: plan.heap,
            non_heap: plan.non_heap,
            request: plan.request,
            limit: plan.limit,
            working_set: plan.working_set,
            peak: plan.peak,
            unswappable: plan.unswappable,
            expected_swap: plan.expected_swap,
            possible_swap: plan.possible_swap,
            needed_permille: plan.needed_permille,
            qos_class: plan.qos_class,
            oom_score_adj: plan.oom_score_adj,
            bound: plan.bound,
            node: plan.node.as_ref(),
        }
    }
}

/// The value of the annotation.
pub fn write(plan: &Plan) -> String {
    serde_json::to_string(&PlanJson::from(plan)).unwrap_or_default()
}

/// What matters of a plan found on a pod; everything may be missing, as anybody may write annotations.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FoundPlan {
    /// The class's name.
    pub class: String,
    enforcement: String,
    /// H.
    pub heap: Option<FoundChange>,
    /// R.
    pub request: Option<FoundChange>,
    /// L.
    pub limit: Option<FoundChange>,
    /// The permille that the node affinity asks for; 0 where there is none.
    #[serde(rename = "neededPermille")]
    pub needed_permille: u64,
}

/// A change that a plan on a pod tells of, bytes.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct FoundChange {
    /// As received.
    pub from: Option<u64>,
    /// As planned.
    pub to: Option<u64>,
}

impl FoundPlan {
    /// Reads an annotation; what is not a plan reads as one without content.
    pub fn read(annotation: &str) -> Self {
        serde_json::from_str(annotation).unwrap_or_default()
    }

    /// The plan was applied, not only recorded.
    pub fn is_enforced(&self) -> bool {
        self.enforcement == Enforcement::Enforce.as_str()
    }

    /// The plan was applied, and one of the pod's values now is neither what it set nor what it found; one that is gone, too.
    pub fn was_changed_since(&self, request: Option<u64>, limit: Option<u64>, heap: Option<u64>) -> bool {
        let differs = |planned: &Option<FoundChange>, now: Option<u64>| {
            planned.as_ref().is_some_and(|change| now != change.to && now != change.from)
        };
        self.is_enforced()
            && (differs(&self.request, request) || differs(&self.limit, limit) || differs(&self.heap, heap))
    }
}
