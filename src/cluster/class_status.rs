//! What is written into the status of SwapClasses: whether each is valid, with every problem listed. Written only when
//! it changes. Replicas do not coordinate: they compute the same, and of several writes the API server takes the first.

use std::collections::{BTreeMap, HashMap};

use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::sizing::fields::Problem;

/// The condition that tells whether a class can be used.
const READY: &str = "Ready";
/// The most bytes of a condition's message.
const LONGEST_MESSAGE: usize = 32_768;

/// The status that a SwapClass carries, and the version of the object that carries it.
#[derive(Clone, Debug)]
pub struct Seen {
    name: String,
    uid: String,
    resource_version: String,
    generation: i64,
    observed_generation: Option<i64>,
    conditions: Vec<Value>,
}

/// A status to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusPatch {
    /// The class.
    pub name: String,
    /// A merge patch of the subresource `status`, which applies only to the version of the object it was made for.
    pub body: Value,
}

/// The statuses of all SwapClasses: as they are, and as they should be.
#[derive(Debug, Default)]
pub struct Statuses {
    seen: BTreeMap<String, Seen>,
    /// What was written last, so that replicas that disagree (of two versions of spark-swap) do not take turns for ever.
    written: HashMap<String, (String, i64, Ready)>,
}

/// The condition, but for its time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ready {
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Seen {
    /// Reads it from an object; `None` for one that the API server did not store.
    pub fn new(class: &DynamicObject) -> Option<Self> {
        let status = class.data.get("status");
        let member = |name: &str| status.and_then(|status| status.get(name));
        Some(Self {
            name: class.metadata.name.clone()?,
            uid: class.metadata.uid.clone()?,
            resource_version: class.metadata.resource_version.clone()?,
            generation: class.metadata.generation.unwrap_or(0),
            observed_generation: member("observedGeneration").and_then(Value::as_i64),
            conditions: member("conditions").and_then(Value::as_array).cloned().unwrap_or_default(),
        })
    }

    fn ready(&self) -> Option<&Value> {
        self.conditions.iter().find(|condition| condition.get("type").is_some_and(|kind| kind == READY))
    }

    fn carries(&self, ready: &Ready) -> bool {
        let Some(condition) = self.ready() else { return false };
        let is = |name: &str, value: &str| condition.get(name).is_some_and(|found| found == value);
        self.observed_generation == Some(self.generation)
            && condition.get("observedGeneration").is_some_and(|found| *found == self.generation)
            && is("status", ready.status)
            && is("reason", ready.reason)
            && is("message", &ready.message)
    }
}

impl Statuses {
    /// An object arrived.
    pub fn saw(&mut self, seen: Seen) {
        self.seen.insert(seen.name.clone(), seen);
    }

    /// An object is gone.
    pub fn forget(&mut self, name: &str) {
        self.seen.remove(name);
        self.written.remove(name);
    }

    /// All objects are listed anew.
    pub fn forget_all(&mut self) {
        self.seen.clear();
    }

    /// A status could not be written: it is due again.
    pub fn not_written(&mut self, name: &str) {
        self.written.remove(name);
    }

    /// What has to be written. `problems_of` lists what is wrong with a class, `remark_on` what else there is to say;
    /// `now` is the time as RFC 3339.
    pub fn due<'p>(
        &mut self,
        problems_of: impl Fn(&str) -> &'p [Problem],
        remark_on: impl Fn(&str) -> Option<String>,
        now: &str,
    ) -> Vec<StatusPatch> {
        let mut patches = Vec::new();
        for seen in self.seen.values() {
            let ready = Ready::new(problems_of(&seen.name), remark_on(&seen.name));
            let version = (seen.uid.clone(), seen.generation, ready.clone());
            if seen.carries(&ready) || self.written.get(&seen.name) == Some(&version) {
                continue;
            }
            self.written.insert(seen.name.clone(), version);
            patches.push(StatusPatch { name: seen.name.clone(), body: patch(seen, &ready, now) });
        }
        patches
    }
}

impl Ready {
    fn new(problems: &[Problem], remark: Option<String>) -> Self {
        if problems.is_empty() {
            let message =
                remark.map_or_else(|| "in force".to_owned(), |remark| format!("in force; {remark}"));
            return Self { status: "True", reason: "Valid", message };
        }
        let mut message = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        Self { status: "False", reason: "Invalid", message }
    }
}

/// Conditions of other types stay; the transition time changes with the status alone.
fn patch(seen: &Seen, ready: &Ready, now: &str) -> Value {
    let before = seen.ready();
    let is_same = before.and_then(|before| before.get("status")).is_some_and(|status| status == ready.status);
    let since = before.filter(|_| is_same).and_then(|before| before.get("lastTransitionTime"));
    let condition = json!({
        "type": READY, "status": ready.status, "reason": ready.reason, "message": ready.message,
        "observedGeneration": seen.generation,
        "lastTransitionTime": since.cloned().unwrap_or_else(|| json!(now)),
    });
    let others = seen.conditions.iter().filter(|other| other.get("type").is_none_or(|kind| kind != READY));
    let conditions: Vec<Value> = others.cloned().chain([condition]).collect();
    json!({
        "metadata": {"uid": seen.uid, "resourceVersion": seen.resource_version},
        "status": {"observedGeneration": seen.generation, "conditions": conditions},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(generation: i64, status: &Value) -> Seen {
        let class: DynamicObject = serde_json::from_value(json!({
            "metadata": {"name": "batch", "uid": "u", "resourceVersion": "5", "generation": generation},
            "spec": {}, "status": status,
        }))
        .unwrap();
        Seen::new(&class).unwrap()
    }

    fn due(statuses: &mut Statuses, problems: &[Problem]) -> Vec<StatusPatch> {
        statuses.due(|_| problems, |_| None, "2026-01-02T03:04:05Z")
    }

    fn problem() -> Vec<Problem> {
        ["a", "b"].map(|path| Problem { path: path.to_owned(), problem: "is wrong".to_owned() }).to_vec()
    }

    #[test]
    fn a_new_class_is_told_that_it_is_in_force() {
        let mut statuses = Statuses::default();
        statuses.saw(class(1, &Value::Null));
        let patches = due(&mut statuses, &[]);
        assert_eq!(
            patches,
            [StatusPatch {
                name: "batch".to_owned(),
                body: json!({
                    "metadata": {"uid": "u", "resourceVersion": "5"},
                    "status": {"observedGeneration": 1, "conditions": [{
                        "type": "Ready", "status": "True", "reason": "Valid", "message": "in force",
                        "observedGeneration": 1, "lastTransitionTime": "2026-01-02T03:04:05Z",
                    }]},
                }),
            }]
        );
        statuses.saw(class(1, &patches[0].body["status"]));
        assert_eq!(due(&mut statuses, &[]), [], "what it carries is not written again");
    }

    #[test]
    fn every_problem_is_listed_and_the_time_changes_with_the_status_alone() {
        let before = json!({"observedGeneration": 1, "conditions": [
            {"type": "Other", "status": "True"},
            {"type": "Ready", "status": "False", "reason": "Invalid", "message": "old", "observedGeneration": 1,
             "lastTransitionTime": "2020-01-01T00:00:00Z"},
        ]});
        let mut statuses = Statuses::default();
        statuses.saw(class(2, &before));
        let status = due(&mut statuses, &problem())[0].body["status"].clone();
        assert_eq!(status["conditions"][0], json!({"type": "Other", "status": "True"}));
        assert_eq!(status["conditions"][1]["message"], "a: is wrong\nb: is wrong");
        assert_eq!(status["conditions"][1]["lastTransitionTime"], "2020-01-01T00:00:00Z");
        statuses.saw(class(3, &status));
        let status = due(&mut statuses, &[])[0].body["status"].clone();
        assert_eq!(status["conditions"][1]["lastTransitionTime"], "2026-01-02T03:04:05Z");
    }

    #[test]
    fn replicas_that_disagree_write_once_for_each_generation_and_not_in_turns() {
        let mut statuses = Statuses::default();
        let other = |generation| {
            class(
                generation,
                &json!({"observedGeneration": generation, "conditions": [
                {"type": "Ready", "status": "True", "reason": "Valid", "message": "of another version",
                 "observedGeneration": generation}]}),
            )
        };
        statuses.saw(other(1));
        assert_eq!(due(&mut statuses, &[]).len(), 1);
        statuses.saw(other(1));
        assert_eq!(due(&mut statuses, &[]).len(), 0);
        statuses.saw(other(2));
        assert_eq!(due(&mut statuses, &[]).len(), 1);
    }

    #[test]
    fn a_failed_write_is_due_again_and_a_deleted_class_is_not() {
        let mut statuses = Statuses::default();
        statuses.saw(class(1, &Value::Null));
        assert_eq!(due(&mut statuses, &[]).len(), 1);
        statuses.not_written("batch");
        assert_eq!(due(&mut statuses, &[]).len(), 1);
        statuses.not_written("batch");
        statuses.forget("batch");
        assert_eq!(due(&mut statuses, &[]).len(), 0);
    }
}
