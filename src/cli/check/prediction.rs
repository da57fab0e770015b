//! What should become of an executor, by everything that a client can see: the same decision that the webhook makes.

use serde_json::Value;

use super::facts::{Answer, Facts, Probe, Seen};
use super::webhook::{self, selects, selects_namespace};
use crate::admission::decision::{Decision, decide};
use crate::admission::plan_annotation;
use crate::admission::pod::Pod;
use crate::admission::reason::Reason;
use crate::admission::review;
use crate::cli::explain::Explained;
use crate::cli::explain::cause::{Cause, cause};
use crate::cli::pod_input::{Input, Subject};
use crate::cluster::objects::Kind;
use crate::sizing::state::{CLASS_LABEL, State};

/// What should become of an executor.
#[derive(Debug)]
pub enum Prediction {
    /// It is changed, or audited: the plan annotation, parsed.
    Planned(Value),
    /// It is left alone.
    LeftAlone {
        /// Why, in a word.
        reason: Reason,
        /// Why, in a sentence or two.
        why: String,
        /// What to do.
        advice: &'static str,
    },
    /// The API server does not send it to the webhook: why not.
    NotSent(String),
    /// What it depends on could not be read: what that is.
    Unknown(String),
}

/// Predicts what becomes of the probe.
pub fn predict(facts: &Facts, probe: &Probe) -> Prediction {
    if let Some(why) = not_sent(facts, &probe.sent) {
        return Prediction::NotSent(why);
    }
    let unread: Vec<&str> = facts.unread_kinds.iter().map(|kind| kind.plural()).collect();
    if !unread.is_empty() {
        return Prediction::Unknown(unread.join(", "));
    }
    let mut input = Input::new(Some(&facts.namespace));
    input.add_text("the dry-run executor", &as_received(probe).to_string());
    let Some(subject) = input.subjects.pop() else {
        return Prediction::Unknown(input.problems.join("\n"));
    };
    let state = State::new(facts.parts.clone(), facts.settings.clone());
    let request = match review::read(&subject.review) {
        Ok(request) => request,
        Err(error) => return Prediction::Unknown(error.to_string()),
    };
    let decision = decide(&request, &state);
    described(&subject, request.object.as_ref(), &state, &decision)
}

/// The executor that came back is not as the plan on it says: a webhook after ours changed it.
pub fn is_changed_since(came_back: &Value) -> bool {
    let mut input = Input::new(None);
    input.add_text("the dry-run executor", &came_back.to_string());
    let review = input.subjects.pop().map(|subject| subject.review).unwrap_or_default();
    review::read(&review)
        .is_ok_and(|request| decide(&request, &State::default()).reason == Reason::ChangedSince)
}

/// The executor as it reaches the webhook: what other parts of the API server make of it shows on the one that opts out.
fn as_received(probe: &Probe) -> Value {
    let mut pod = match &probe.opted_out {
        Answer::Created { pod, .. } => pod.clone(),
        Answer::Refused { .. } | Answer::Failed(_) => probe.sent.clone(),
    };
    if let Some(labels) = pod.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(CLASS_LABEL);
    }
    pod
}

fn not_sent(facts: &Facts, sent: &Value) -> Option<String> {
    if matches!(facts.configurations, Seen::Unread) {
        return None;
    }
    let Some(entry) = facts.entry() else { return Some("there is no webhook configuration".to_owned()) };
    let pairs = sent.pointer("/metadata/labels").and_then(Value::as_object);
    let pairs: Vec<(&str, &str)> = pairs
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect();
    if !selects(entry.object_selector.as_ref(), &webhook::labels(&pairs)) {
        return Some("the objectSelector does not select it".to_owned());
    }
    let is_known = facts.has_read(Kind::Namespace);
    if is_known && !selects_namespace(entry, &facts.namespace, facts) {
        return Some(format!("the namespaceSelector does not select the namespace {}", facts.namespace));
    }
    None
}

fn described(subject: &Subject, pod: Option<&Pod<'_>>, state: &State, decision: &Decision) -> Prediction {
    if let Some(plan) = &decision.plan {
        let plan = serde_json::from_str(&plan_annotation::write(plan));
        return plan.map_or_else(|error| Prediction::Unknown(error.to_string()), Prediction::Planned);
    }
    let reason = decision.reason;
    let Cause { why, advice } =
        cause(&Explained { subject, pod, state, decision, notes: &[], recorded: None, now: None })
            .unwrap_or_else(|| Cause { why: String::new(), advice: "" });
    let why = if why.is_empty() { reason.text().to_owned() } else { format!("{} {why}", reason.text()) };
    Prediction::LeftAlone { reason, why, advice }
}
