//! Which class an executor is admitted under, and how its application's labels refine it.

use std::sync::Arc;

use crate::sizing::class::SwapClass;
use crate::sizing::plan::Terms;
use crate::sizing::state::{CLASS_LABEL, OPT_OUT, State};

use super::application::{application_id, fnv1a_64};
use super::pod::{Container, Pod};
use super::reason::{Note, Notice, Reason};

/// Who names an executor's class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The pod's label.
    Pod,
    /// The namespace's label.
    Namespace,
    /// Nobody, so it is the default class.
    Nobody,
}

/// Who names the executor's class, and the name.
pub fn named<'s>(pod: &'s Pod<'_>, namespace: &str, state: &'s State) -> (NamedBy, Option<&'s str>) {
    let of_namespace = || state.namespace(namespace).and_then(|facts| facts.class.as_deref());
    match pod.label(CLASS_LABEL) {
        Some(name) => (NamedBy::Pod, Some(name)),
        None => of_namespace().map_or((NamedBy::Nobody, None), |name| (NamedBy::Namespace, Some(name))),
    }
}

/// The class, by the pod's label, else its namespace's, else the default.
///
/// `Err` carries the name that was asked for: nobody is ever given another class than the one they named.
pub fn choose(pod: &Pod<'_>, namespace: &str, state: &State) -> Result<Arc<SwapClass>, (Reason, String)> {
    match named(pod, namespace, state).1 {
        None => Ok(Arc::clone(state.default_class())),
        Some(OPT_OUT) => Err((Reason::OptedOut, OPT_OUT.to_owned())),
        Some(name) => state.class(name).ok_or_else(|| (Reason::UnknownClass, name.to_owned())),
    }
}

/// The application is within the class's rollout: FNV-1a 64 of its id, modulo 100, below the percentage.
///
/// An application without an id is in only at 100 percent.
pub fn is_rolled_out(pod: &Pod<'_>, container: &Container<'_>, percent: u64) -> bool {
    match application_id(pod, Some(container)) {
        Some(id) => fnv1a_64(id.bytes()).checked_rem(100).is_some_and(|bucket| bucket < percent),
        None => percent >= 100,
    }
}

/// The class as it applies to this application: its labels raise the percentages freely and lower them to the class's
/// overrides; W never above P.
pub fn refine<'c>(class: &'c SwapClass, pod: &Pod<'_>, notes: &mut Vec<Note>) -> Terms<'c> {
    let mut refined = |key: &str, of_class: u64, least: u64| {
        let Some(text) = pod.label(key) else { return of_class };
        match percent(text) {
            None => {
                notes.push(Note::about(
                    Notice::LabelIgnored,
                    format!("label {key}={text:?} is not an integer from 1 to 100"),
                ));
                of_class
            }
            Some(asked) => {
                let floor = least.min(of_class);
                if asked < floor {
                    notes.push(Note::about(
                        Notice::LabelClamped,
                        format!("label {key}={asked} was raised to {floor}"),
                    ));
                }
                asked.max(floor)
            }
        }
    };
    let peak_percent = refined("spark-swap.io/peak-percent", class.peak_percent, class.min_peak_percent);
    let working_set = refined(
        "spark-swap.io/working-set-percent",
        class.working_set_percent,
        class.min_working_set_percent,
    );
    if working_set > peak_percent {
        notes.push(Note::about(
            Notice::LabelClamped,
            format!("the working set of {working_set} percent was lowered to the peak of {peak_percent}"),
        ));
    }
    Terms { class, working_set_percent: working_set.min(peak_percent), peak_percent }
}

fn percent(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|percent| digits && (1..=100).contains(percent))
}
