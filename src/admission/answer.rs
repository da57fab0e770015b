//! From the bytes of an AdmissionReview to the bytes of the answer, and the record of what was decided.

use crate::sizing::bound::Bound;
use crate::sizing::class::Enforcement;
use crate::sizing::state::State;

use super::decision::decide;
use super::event_note;
use super::reason::{Notice, Reason};
use super::review::{self, AuditAnnotations};
use super::text::Text;

/// The answer to a review.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The JSON of an AdmissionReview response, always `allowed: true`.
    pub body: Vec<u8>,
    /// What was decided, for metrics and logs.
    pub record: Record,
}

/// What was decided: no pod content beyond names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The request's uid.
    pub uid: String,
    /// The pod's namespace, possibly empty.
    pub namespace: String,
    /// The pod's name or generateName, possibly empty.
    pub name: String,
    /// The outcome.
    pub reason: Reason,
    /// The class as named by the pod, its namespace or the default; empty where none was looked up.
    pub class: String,
    /// The class exists, or is `none`; only then may its name be a metric label.
    pub class_is_known: bool,
    /// What decided the plan; `None` without a plan.
    pub bound: Option<Bound>,
    /// A patch was sent.
    pub patched: bool,
    /// Bytes of memory request removed by an enforced plan; 0 for a dry run.
    pub request_bytes_removed: u64,
    /// Swap an enforced plan expects to be granted, bytes; 0 for a dry run.
    pub expected_swap: u64,
    /// What somebody should know.
    pub notices: Vec<Notice>,
    /// For `ProofFailed`: what failed.
    pub failed_proof: Option<String>,
    /// The key of the Event that the application's owner should see; [`event_note::of_review`] makes it.
    pub event: Option<u64>,
}

/// A body that is not a review: answered with 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The body is not JSON, or not of the shape of an AdmissionReview.
    #[error("the body is not an AdmissionReview: {0}")]
    NotAReview(String),
    /// Another apiVersion or kind.
    #[error(
        "expected apiVersion admission.k8s.io/v1 and kind AdmissionReview, got {api_version:?} and {kind:?}"
    )]
    WrongKind {
        /// `apiVersion` as received.
        api_version: String,
        /// `kind` as received.
        kind: String,
    },
    /// There is no request, or it has no uid.
    #[error("request.uid is missing")]
    NoUid,
}

/// Answers a review. Total: whatever the body holds, there is an answer or a reason why it is not a review.
pub fn answer(body: &[u8], state: &State) -> Result<Answer, Malformed> {
    let request = review::read(body)?;
    let decision = decide(&request, state);
    let uid = request.uid.as_ref().map_or("", Text::as_str);
    let bound = decision.plan.as_ref().map(|plan| plan.bound);
    let audit = AuditAnnotations {
        reason: decision.reason.as_str(),
        class: &decision.class_name,
        bound: bound.map(Bound::as_str),
    };
    let body = review::write(uid, &decision.operations, Some(audit), &decision.warnings());
    let is_enforced = |enforcement| enforcement == Enforcement::Enforce && !request.is_dry_run();
    let enforced = decision.plan.as_ref().filter(|plan| is_enforced(plan.enforcement));
    let owned = |text: Option<&Text<'_>>| text.map_or_else(String::new, |text| text.as_str().to_owned());
    let metadata = request.object.as_ref().and_then(|pod| pod.metadata.as_ref());
    let name = [
        request.name.as_ref(),
        metadata.and_then(|metadata| metadata.name.as_ref()),
        metadata.and_then(|metadata| metadata.generate_name.as_ref()),
    ];
    let record = Record {
        uid: uid.to_owned(),
        namespace: owned(request.namespace.as_ref()),
        name: owned(name.into_iter().flatten().find(|name| !name.as_str().is_empty())),
        reason: decision.reason,
        class_is_known: decision.class.is_some() || decision.reason == Reason::OptedOut,
        class: decision.class_name,
        bound,
        patched: !decision.operations.is_empty(),
        request_bytes_removed: enforced.map_or(0, |plan| plan.request.from.saturating_sub(plan.request.to)),
        expected_swap: enforced.map_or(0, |plan| plan.expected_swap),
        notices: decision.notes.iter().map(|note| note.notice).collect(),
        failed_proof: decision.failed_proof,
        event: event_note::key(&request, decision.reason),
    };
    Ok(Answer { body, record })
}
