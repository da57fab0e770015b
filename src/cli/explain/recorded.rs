//! The plan that a pod carries beside the one that an executor like it would get now.

use serde::Serialize;
use serde_json::Value;

use super::Explained;
use crate::admission::plan_annotation::{PLAN_ANNOTATION, PlanJson};
use crate::admission::pod::Pod;
use crate::cli::as_received::take_back_plan;
use crate::cli::table::{Align, Table};
use crate::sizing::bound::Bound;
use crate::sizing::class::Strategy;
use crate::sizing::fields::OneLine;
use crate::sizing::sizes::{both, exact};
use crate::sizing::state::State;
use crate::vocabulary::vocabulary;

vocabulary! {
    /// How the decision of now compares with the recorded one.
    Verdict {
        Same => "An executor like it would be planned the same now.",
        SameSizes => "An executor like it would be planned the same sizes now, for other reasons.",
        Different => "An executor like it would be planned otherwise now.",
        LeftAlone => "An executor like it would be left alone now.",
    }
}

/// What would be decided now about a pod that carries a plan.
#[derive(Debug)]
pub struct Now<'e> {
    /// The decision about the pod without its plan.
    pub explained: Explained<'e>,
    /// The plan that the pod carries; null where its annotation is none.
    recorded: &'e Value,
}

/// A member of the plan that is not what it was.
#[derive(Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its path in the plan, such as `request.to`.
    pub member: &'static str,
    /// As it is on the pod; null where it is missing.
    pub recorded: Value,
    /// As it would be now; null where it is missing.
    pub now: Value,
}

/// The members of a plan, in the order of the design, and whether the pod itself is written by them.
const MEMBERS: [(&str, &str, bool); 21] = [
    ("class", "/class", false),
    ("strategy", "/strategy", false),
    ("enforcement", "/enforcement", true),
    ("heap.from", "/heap/from", false),
    ("heap.to", "/heap/to", true),
    ("nonHeap", "/nonHeap", false),
    ("request.from", "/request/from", false),
    ("request.to", "/request/to", true),
    ("limit.from", "/limit/from", false),
    ("limit.to", "/limit/to", true),
    ("workingSet", "/workingSet", false),
    ("peak", "/peak", false),
    ("unswappable", "/unswappable", false),
    ("expectedSwap", "/expectedSwap", false),
    ("possibleSwap", "/possibleSwap", false),
    ("neededPermille", "/neededPermille", true),
    ("qosClass", "/qosClass", true),
    ("oomScoreAdj", "/oomScoreAdj", false),
    ("bound", "/bound", false),
    ("node.memory", "/node/memory", false),
    ("node.swap", "/node/swap", false),
];
/// Members that are no sizes in bytes.
const NO_SIZES: [&str; 2] = ["neededPermille", "oomScoreAdj"];
/// What made a plan a safety net although its class asks for more.
const FALLBACKS: [Bound; 4] =
    [Bound::GainTooSmall, Bound::NoRoomToGrow, Bound::UnswappableMemory, Bound::LimitRange];

/// The plan as it is on a pod; `None` without an annotation, null where that is no JSON.
pub fn plan_on(pod: &Pod<'_>) -> Option<Value> {
    let annotation = pod.annotation(PLAN_ANNOTATION)?;
    Some(serde_json::from_str(annotation).unwrap_or_default())
}

/// The review of a pod as Spark wrote it: with its plan taken back; `None` where it carries none.
pub fn review_without_plan(review: &[u8], state: &State) -> Option<Vec<u8>> {
    let mut review: Value = serde_json::from_slice(review).ok()?;
    let carried_one = take_back_plan(review.pointer_mut("/request/object")?, state);
    carried_one.then(|| review.to_string().into_bytes())
}

impl<'e> Now<'e> {
    /// The decision of now, beside the plan on the pod.
    pub fn new(explained: Explained<'e>, recorded: &'e Value) -> Self {
        Self { explained, recorded }
    }

    /// How they compare.
    pub fn verdict(&self) -> Verdict {
        let differences = self.differences();
        let is_written =
            |member: &str| MEMBERS.iter().any(|(name, _, is_written)| *name == member && *is_written);
        if self.explained.decision.plan.is_none() {
            Verdict::LeftAlone
        } else if differences.is_empty() {
            Verdict::Same
        } else if differences.iter().any(|difference| is_written(difference.member)) {
            Verdict::Different
        } else {
            Verdict::SameSizes
        }
    }

    /// The members that differ; none where no plan is made now. The name of a node is none: another one like it is as
    /// good.
    pub fn differences(&self) -> Vec<Difference> {
        let Some(plan) = &self.explained.decision.plan else { return Vec::new() };
        let now = serde_json::to_value(PlanJson::from(plan)).unwrap_or_default();
        let member = |plan: &Value, path: &str| plan.pointer(path).cloned().unwrap_or_default();
        let both = MEMBERS.iter().map(|&(name, path, _)| Difference {
            member: name,
            recorded: member(self.recorded, path),
            now: member(&now, path),
        });
        both.filter(|difference| difference.recorded != difference.now).collect()
    }

    /// What has changed since, as far as the plan on the pod tells.
    pub fn causes(&self) -> Vec<String> {
        if self.recorded.is_null() {
            return Vec::new();
        }
        let causes = [self.other_class(), self.changed_class(), self.changed_node()];
        let mut causes: Vec<String> = causes.into_iter().flatten().collect();
        if causes.is_empty() && self.verdict() == Verdict::Different {
            causes.push(
                "Neither the class nor the node on which the plan rests tells why: see the bounds and the nodes below."
                    .to_owned(),
            );
        }
        causes
    }

    fn text(&self, path: &str) -> &str {
        self.recorded.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    fn size(&self, path: &str) -> Option<u64> {
        self.recorded.pointer(path).and_then(Value::as_u64)
    }

    fn other_class(&self) -> Option<String> {
        let (then, now) = (self.text("/class"), &self.explained.decision.class_name);
        (!then.is_empty() && !now.is_empty() && then != now)
            .then(|| format!("The class is another one: {then} when the pod was created, {now} now."))
    }

    /// Some members of a plan are the class's alone, or what labels make of it.
    fn changed_class(&self) -> Option<String> {
        let decision = self.explained.decision;
        let class = decision.class.as_ref().filter(|class| class.name == self.text("/class"))?;
        let then = self.text("/strategy");
        let was_fallback = FALLBACKS.iter().any(|bound| bound.as_str() == self.text("/bound"));
        let other_strategy =
            then != class.strategy.as_str() && (then != Strategy::SafetyNet.as_str() || !was_fallback);
        let other_mode = self.text("/enforcement") != class.enforcement.as_str();
        let plan = decision.plan.as_ref();
        let other_working_set = plan.is_some_and(|plan| self.size("/workingSet") != Some(plan.working_set));
        let changed: Vec<String> = [
            other_strategy.then(|| format!("strategy {} instead of {then}", class.strategy)),
            other_mode.then(|| {
                format!("enforcement {} instead of {}", class.enforcement, self.text("/enforcement"))
            }),
            other_working_set.then(|| "another workingSetPercent".to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!changed.is_empty())
            .then(|| format!("The class {} has changed: {}.", class.name, changed.join(", ")))
    }

    /// The node that granted least, on which the plan rests.
    fn changed_node(&self) -> Option<String> {
        let name = self.text("/node/name");
        let Some((memory, swap)) = self.size("/node/memory").zip(self.size("/node/swap")) else {
            let is_known = !self.explained.state.nodes().is_empty();
            return is_known.then(|| "No node was known when the pod was created.".to_owned());
        };
        let then = describe(memory, swap);
        let nodes = self.explained.state.nodes().nodes();
        if nodes.is_empty() {
            return Some(format!("No node is known now; the plan rests on {name} with {then}."));
        }
        let Some(node) = nodes.iter().find(|node| node.name == name) else {
            return Some(format!(
                "The node {name} with {then}, on which the plan rests, is not there any more."
            ));
        };
        if (node.memory, node.swap) != (memory, swap) {
            let now = describe(node.memory, node.swap);
            return Some(format!("The node {name}, on which the plan rests, has {now} now, not {then}."));
        }
        let decisive = self.explained.decision.plan.as_ref()?.node.as_ref()?;
        ((decisive.memory, decisive.swap) != (memory, swap)).then(|| {
            let now = describe(decisive.memory, decisive.swap);
            format!("The node that grants least is {} with {now} now, not {name} with {then}.", decisive.name)
        })
    }

    /// The differences as a table; empty without any.
    pub fn table(&self) -> String {
        let mut table = Table::new(&[Align::Left, Align::Right, Align::Right]);
        let differences = self.differences();
        if !differences.is_empty() {
            table.row(["", "as planned", "now"]);
        }
        for Difference { member, recorded, now } in differences {
            let [recorded, now] = [recorded, now].map(|value| shown(member, &value));
            table.row([member, &recorded, &now]);
        }
        table.render()
    }
}

fn describe(memory: u64, swap: u64) -> String {
    format!("{} of memory and {} of swap", exact(memory), exact(swap))
}

fn shown(member: &str, value: &Value) -> String {
    match value {
        Value::Null => "unknown".to_owned(),
        Value::String(text) => OneLine(text).to_string(),
        other => match other.as_u64().filter(|_| !NO_SIZES.contains(&member)) {
            Some(size) => both(size),
            None => OneLine(&other.to_string()).to_string(),
        },
    }
}
