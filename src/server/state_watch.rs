//! The state from a cluster, made anew when anything in it changes; the last one stays in force while the API server is
//! away.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use futures_util::StreamExt;
use jiff::Timestamp;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use tokio::task::JoinSet;
use tokio::time;
use tracing::{debug, warn};

use super::admin::unix_seconds;
use super::metrics::{Metrics, ReloadOutcome};
use super::readiness::Readiness;
use super::state_reload::in_force;
use crate::cluster::class_status::{StatusPatch, Statuses};
use crate::cluster::contact::Contact;
use crate::cluster::live_state::{Effect, Event, LiveState};
use crate::cluster::objects::Kind;
use crate::cluster::snapshot::{INSTALL_CRD, swap_classes};
use crate::cluster::watches::{Told, watch};
use crate::sizing::fields::Problem;
use crate::sizing::state::{Settings, State};

/// Changes that come together become one state: a thousand nodes that join must not make a thousand states.
const GATHER: Duration = Duration::from_millis(100);
/// What readiness waits for when every kind was listed.
const FIRST_STATE: &str = "the first state";
/// A status that could not be written is tried again after this.
const STATUS_RETRY: Duration = Duration::from_secs(30);

/// Watches a cluster and keeps the state in force.
#[derive(Debug)]
pub struct StateWatch {
    live: LiveState,
    contact: Arc<Contact>,
    statuses: Statuses,
    /// Why the list or watch of a kind failed last: said once, not at every try.
    failures: HashMap<Kind, String>,
    outputs: Outputs,
}

/// Where the state and what is known about it go.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// The state in force.
    pub state: Arc<ArcSwap<State>>,
    /// Counts and ages.
    pub metrics: Arc<Metrics>,
    /// Waits for the first list of every kind.
    pub readiness: Arc<Readiness>,
}

impl StateWatch {
    /// Not ready until every kind was listed.
    pub fn new(settings: Settings, outputs: Outputs) -> Self {
        for kind in Kind::ALL {
            outputs.readiness.wait_for(kind.plural());
        }
        outputs.readiness.wait_for(FIRST_STATE);
        let contact = Arc::new(Contact::none_yet(Instant::now()));
        outputs.metrics.show_age_of(Arc::clone(&contact));
        let (statuses, failures) = (Statuses::default(), HashMap::new());
        Self { live: LiveState::new(settings), contact, statuses, failures, outputs }
    }

    /// Watches for ever.
    pub async fn run(mut self, client: Client) {
        let mut told = watch(&self.contact.observe(client.clone()));
        let classes = swap_classes(client);
        let mut writes = JoinSet::new();
        // When gathering ends; when a failed write is tried again.
        let (mut due, mut retry) = (None, None);
        let mut is_changed = false;
        loop {
            let told = tokio::select! {
                biased;
                () = at(due) => {
                    due = None;
                    if std::mem::take(&mut is_changed) {
                        self.put_in_force().await;
                    }
                    let patches = self.due_statuses();
                    if !patches.is_empty() {
                        writes.spawn(write(classes.clone(), patches));
                    }
                    continue;
                }
                () = at(retry) => {
                    retry = None;
                    due = due.or_else(|| after(Duration::ZERO));
                    continue;
                }
                Some(Ok(failed)) = writes.join_next() => {
                    for name in failed {
                        self.statuses.not_written(&name);
                        retry = retry.or_else(|| after(STATUS_RETRY));
                    }
                    continue;
                }
                Some(told) = told.next() => told,
            };
            let was_complete = self.is_complete();
            let has_news = self.take(told, &mut is_changed);
            if self.is_complete() && has_news {
                let gather = if was_complete { GATHER } else { Duration::ZERO };
                due = due.or_else(|| after(gather));
            }
        }
    }

    /// Takes in what a watch tells. True when the state or a status may be another one now.
    fn take(&mut self, told: Told, is_changed: &mut bool) -> bool {
        let (kind, event, seen) = match told {
            Told::Event(kind, event, seen) => {
                self.failures.remove(&kind);
                (kind, event, seen)
            }
            Told::NoSuchKind(kind) => {
                let problem = format!("the cluster does not know this kind; install it with: {INSTALL_CRD}");
                self.failed(kind, problem, false);
                self.contact.heard(kind);
                // The classes that were there would have been deleted one by one: it is the API server that forgot.
                if !self.live.is_missing(kind) {
                    return false;
                }
                // No classes, then. The CRD may be installed at any time: the watch tries again.
                self.live.take(kind, Event::ListBegins);
                (kind, Event::ListEnds, None)
            }
            Told::Failed(kind, problem) => {
                let is_new = self.contact.lost(kind, Instant::now());
                self.failed(kind, problem, is_new);
                return false;
            }
        };
        if let Event::Applied(identity, Err(problems)) = &event
            && !self.live.knows(identity, problems)
        {
            for problem in problems {
                warn!(
                    kind = kind.as_str(), name = %identity, %problem,
                    "an object cannot be used; its last good version stays in force"
                );
            }
        }
        if matches!(event, Event::ListBegins) {
            // Until the list is there, nobody knows what was missed.
            self.contact.lost(kind, Instant::now());
        }
        let is_of_class = kind == Kind::SwapClass;
        match (&event, seen) {
            (Event::ListBegins, _) if is_of_class => self.statuses.forget_all(),
            (Event::Deleted(identity), _) if is_of_class => self.statuses.forget(&identity.name),
            (_, Some(seen)) => self.statuses.saw(*seen),
            _ => {}
        }
        let effect = self.live.take(kind, event);
        self.count_problems();
        *is_changed |= effect == Effect::Changed;
        if !self.live.is_missing(kind) {
            self.outputs.readiness.arrived(kind.plural());
            self.outputs.metrics.state_objects(kind, self.live.count(kind));
        }
        is_of_class || effect == Effect::Changed
    }

    /// Counts a failure and tells of it, unless it is the one before once more.
    fn failed(&mut self, kind: Kind, problem: String, is_new: bool) {
        self.outputs.metrics.watch_failed(kind.as_str());
        if is_new || self.failures.get(&kind) != Some(&problem) {
            warn!(kind = kind.as_str(), problem, "a watch failed; the last state stays in force");
            self.failures.insert(kind, problem);
        }
    }

    fn is_complete(&self) -> bool {
        Kind::ALL.iter().all(|kind| !self.live.is_missing(*kind))
    }

    async fn put_in_force(&self) {
        let Outputs { state, metrics, .. } = &self.outputs;
        let new = self.live.state();
        if metrics.state_loaded.get() == 0 {
            in_force(&new, metrics);
        } else {
            debug!(classes = new.classes().count(), nodes = new.nodes().nodes().len(), "state in force");
            let known = state.load();
            for problem in new.problems().iter().filter(|problem| !known.problems().contains(problem)) {
                warn!(problem, "a problem in the state");
            }
        }
        metrics.state_loaded.set(unix_seconds(SystemTime::now()));
        metrics.state_reload(ReloadOutcome::Replaced);
        let before = state.swap(Arc::new(new));
        self.count_problems();
        self.outputs.readiness.arrived(FIRST_STATE);
        // Freeing tens of thousands of objects must not hold up reviews.
        drop(tokio::task::spawn_blocking(move || drop(before)).await);
    }

    fn count_problems(&self) {
        let Outputs { state, metrics, .. } = &self.outputs;
        let of_objects = self.live.problems().map(|(_, problems)| problems.len());
        let problems = of_objects.fold(state.load().problems().len(), usize::saturating_add);
        metrics.state_problems.set(i64::try_from(problems).unwrap_or(i64::MAX));
    }

    fn due_statuses(&mut self) -> Vec<StatusPatch> {
        let problems: Vec<(&str, &[Problem])> = self
            .live
            .problems()
            .filter(|(identity, _)| identity.kind == Kind::SwapClass)
            .map(|(identity, problems)| (identity.name.as_str(), problems))
            .collect();
        let state = self.outputs.state.load();
        let problems_of = |name: &str| {
            problems.iter().find(|(of, _)| *of == name).map_or::<&[Problem], _>(&[], |(_, problems)| problems)
        };
        self.statuses.due(
            problems_of,
            |name| state.remark_on(name),
            &Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        )
    }
}

/// Writes statuses one after the other and returns the names of those that could not be written.
async fn write(classes: Api<DynamicObject>, patches: Vec<StatusPatch>) -> Vec<String> {
    let mut failed = Vec::new();
    for StatusPatch { name, body } in patches {
        let written = classes.patch_status(&name, &PatchParams::default(), &Patch::Merge(body)).await;
        match written {
            Ok(_) => debug!(name, "status written"),
            // Another replica was first, or the object changed or is gone: the watch will tell.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                debug!(name, "status not written: {}", status.message);
                failed.push(name);
            }
            Err(error) => {
                warn!(name, %error, "the status of a SwapClass cannot be written");
                failed.push(name);
            }
        }
    }
    failed
}

fn after(delay: Duration) -> Option<time::Instant> {
    time::Instant::now().checked_add(delay)
}

async fn at(time: Option<time::Instant>) {
    match time {
        Some(time) => time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
