//! What somebody who runs an application is told about its executors, once for each reason: the content of a
//! Kubernetes Event about the driver pod. Who submits to a cluster sees neither admission warnings nor metrics.

use crate::sizing::plan::{Change, Plan};
use crate::sizing::sizes::{mi, short};
use crate::sizing::state::State;

use super::advice::what_to_do;
use super::application::{application_id, fnv1a_64};
use super::decision::{Decision, decide, namespace};
use super::executor::recognise;
use super::plan_annotation::PLAN_ANNOTATION;
use super::pod::{OwnerReference, Pod};
use super::reason::{Note, Reason};
use super::review::{self, Request};

/// The most bytes of a note that the API server takes.
const LONGEST_TEXT: usize = 1024;

/// What an Event is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// Worth knowing.
    Normal,
    /// Somebody made a mistake, or two policies contradict each other.
    Warning,
}

/// An Event about the owner of an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventNote {
    /// The same for every executor of an application that has the same reason and owner, on every replica and for ever.
    pub key: u64,
    /// The namespace of executor and owner.
    pub namespace: String,
    /// What it is about.
    pub owner: Owner,
    /// Why the executors were changed or left alone.
    pub reason: Reason,
    /// Its type.
    pub event_type: EventType,
    /// `Plan` or `Admit`: what was done.
    pub action: &'static str,
    /// For people, at most 1024 bytes.
    pub text: String,
}

/// The owner of an executor: its driver pod, or what an allocator makes executors from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its `kind`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl EventType {
    /// As Kubernetes calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// The type of the Event for a reason; `None` for what nobody has to be told: it was asked for, or there is nothing to
/// gain from knowing it.
pub const fn event_type(reason: Reason) -> Option<EventType> {
    match reason {
        Reason::NotExecutor
        | Reason::OptedOut
        | Reason::OutsideRollout
        | Reason::AlreadyBelowLimit
        | Reason::AlreadyPlanned => None,
        Reason::Planned
        | Reason::Audited
        | Reason::NoMemory
        | Reason::NoLimit
        | Reason::WouldLoseGuaranteed
        | Reason::CriticalPod
        | Reason::PodLevelResources
        | Reason::RuntimeClass
        | Reason::NoSwapNode => Some(EventType::Normal),
        Reason::AmbiguousContainer
        | Reason::UnknownClass
        | Reason::HeapExceedsLimit
        | Reason::ChangedSince
        | Reason::NotGuaranteed
        | Reason::NodesUnknown
        | Reason::PinConflict
        | Reason::LimitRange
        | Reason::ProofFailed => Some(EventType::Warning),
    }
}

/// The key of the Event for a reason; `None` where there is none: nothing worth telling, nobody to tell it about (a
/// driver in client mode owns nothing), or nothing but a dry run.
///
/// Cheap, because every review asks for it; the Event itself is [`of_review`]'s, which is asked once for each key.
pub(super) fn key(request: &Request<'_, Pod<'_>>, reason: Reason) -> Option<u64> {
    event_type(reason).filter(|_| !request.is_dry_run())?;
    let pod = request.object.as_ref()?;
    let owner = pod.owner()?;
    let of_container = || application_id(pod, Some(recognise(pod).ok()?.container));
    let application = application_id(pod, None).or_else(of_container).unwrap_or_default();
    let parts = [application, reason.as_str(), owner.uid.as_str()];
    Some(fnv1a_64(parts.iter().flat_map(|part| part.bytes().chain([0]))))
}

/// The Event that a review calls for. Decides once more.
pub fn of_review(body: &[u8], state: &State) -> Option<EventNote> {
    let request = review::read(body).ok()?;
    of_decision(&request, &decide(&request, state))
}

/// The Event that a decision calls for.
pub fn of_decision(request: &Request<'_, Pod<'_>>, decision: &Decision) -> Option<EventNote> {
    let pod = request.object.as_ref()?;
    Some(EventNote {
        key: key(request, decision.reason)?,
        namespace: namespace(request, pod).to_owned(),
        owner: Owner::from(pod.owner()?),
        reason: decision.reason,
        event_type: event_type(decision.reason)?,
        action: if decision.plan.is_some() { "Plan" } else { "Admit" },
        text: text(decision),
    })
}

impl From<&OwnerReference<'_>> for Owner {
    fn from(owner: &OwnerReference<'_>) -> Self {
        Self {
            api_version: owner.api_version.as_str().to_owned(),
            kind: owner.kind.as_str().to_owned(),
            name: owner.name.as_str().to_owned(),
            uid: owner.uid.as_str().to_owned(),
        }
    }
}

fn text(decision: &Decision) -> String {
    let first = match &decision.plan {
        Some(plan) => planned(decision.reason, plan),
        None => left_alone(decision),
    };
    let remarks = decision.notes.iter().filter(|note| note.notice.as_str() != decision.reason.as_str());
    let mut text = [first].into_iter().chain(remarks.map(remark)).collect::<Vec<_>>().join(" ");
    if text.len() > LONGEST_TEXT {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT.saturating_sub(3)));
        text.push_str("...");
    }
    text
}

/// `Executors are sized by SwapClass batch (Density). The first one: memory request 9011Mi -> 6008Mi, …`
fn planned(reason: Reason, plan: &Plan) -> String {
    let Plan { class, strategy, bound, .. } = plan;
    let mut sizes = vec![format!("memory request {}", change(plan.request))];
    if plan.limit.from != plan.limit.to {
        sizes.push(format!("limit {}", change(plan.limit)));
    }
    if let Some(heap) = plan.heap.filter(|heap| heap.from != heap.to) {
        sizes.push(format!("heap {}", change(heap)));
    }
    sizes.push(match (plan.expected_swap, plan.possible_swap) {
        (0, 0) => "swap as its node grants it".to_owned(),
        (0, possible) => format!("up to {} of swap where the kubelet of its node grants it", short(possible)),
        (expected, _) => format!("at least {} of swap", short(expected)),
    });
    let sizes = sizes.join(", ");
    let why = bound.text();
    if reason == Reason::Audited {
        let advice = what_to_do(reason);
        return format!(
            "Executors stay as Spark made them, because SwapClass {class} only audits. An executor would get, by \
             {strategy}: {sizes}. {why} {advice}"
        );
    }
    format!(
        "Executors are sized by SwapClass {class} ({strategy}). The first one: {sizes}. {why} \
         Every executor pod has its plan in the annotation {PLAN_ANNOTATION}."
    )
}

/// `Executors stay as Spark made them: <why>. <what to do>`
fn left_alone(decision: &Decision) -> String {
    let Decision { reason, class_name, notes, .. } = decision;
    let exactly =
        notes.iter().find(|note| note.notice.as_str() == reason.as_str() && !note.detail.is_empty());
    let why =
        exactly.map_or_else(|| reason.text().trim_end_matches('.').to_owned(), |note| note.detail.clone());
    let class = match &decision.class {
        Some(_) => format!(" (SwapClass {class_name})"),
        None => String::new(),
    };
    let advice = what_to_do(*reason);
    if *reason == Reason::ChangedSince {
        return format!("Executors are not as planned: {why}. {advice}");
    }
    format!("Executors stay as Spark made them{class}: {why}. {advice}")
}

fn remark(note: &Note) -> String {
    let text = if note.detail.is_empty() { note.notice.text() } else { &note.detail };
    format!("{}: {}.", note.notice, text.trim_end_matches('.'))
}

fn change(change: Change) -> String {
    if change.from == change.to {
        return mi(change.to);
    }
    format!("{} -> {}", mi(change.from), mi(change.to))
}
