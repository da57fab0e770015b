//! The state from files, made anew when they change; the last good one stays in force.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use tracing::{error, info, warn};

use super::admin::unix_seconds;
use super::metrics::{Metrics, ReloadOutcome};
use crate::cluster::state_files::{StateProblems, Watched};
use crate::sizing::state::{Settings, State, StateParts};

/// How often the files are read: a change is in force within 10 s.
pub const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// State files and the settings that a state is made with.
#[derive(Debug)]
pub struct StateReload {
    files: Watched,
    settings: Settings,
}

impl StateReload {
    /// Reads the files for the first time. No paths: the state without a cluster.
    pub fn load(paths: Vec<PathBuf>, settings: Settings) -> Result<(Self, State), StateProblems> {
        let mut files = Watched::new(paths);
        let parts = files.poll().transpose()?.unwrap_or_else(StateParts::default);
        let state = State::new(parts, settings.clone());
        Ok((Self { files, settings }, state))
    }

    /// The new state, if the files changed. Problems are told once per change.
    pub fn poll(&mut self) -> Option<Result<State, StateProblems>> {
        let polled = self.files.poll()?;
        Some(polled.map(|parts| State::new(parts, self.settings.clone())))
    }

    /// Polls for ever and puts what it finds in force.
    pub async fn watch(mut self, every: Duration, state: Arc<ArcSwap<State>>, metrics: Arc<Metrics>) {
        loop {
            tokio::time::sleep(every).await;
            // Reading and parsing thousands of nodes must not hold up reviews.
            let polled = tokio::task::spawn_blocking(move || {
                let change = self.poll();
                (self, change)
            });
            let change = match polled.await {
                Ok((files, change)) => {
                    self = files;
                    change
                }
                Err(panic) => {
                    error!(error = %panic, "reading the state failed; it is not renewed any more");
                    return;
                }
            };
            match change {
                None => {}
                Some(Ok(new)) => {
                    in_force(&new, &metrics);
                    metrics.state_reload(ReloadOutcome::Replaced);
                    state.store(Arc::new(new));
                }
                Some(Err(StateProblems(problems))) => {
                    for problem in &problems {
                        warn!(%problem, "the state cannot be renewed; the last good one stays in force");
                    }
                    metrics.state_problems.set(i64::try_from(problems.len()).unwrap_or(i64::MAX));
                    metrics.state_reload(ReloadOutcome::Failed);
                }
            }
        }
    }
}

/// Says what is in force now, with what an operator should know about it.
pub fn in_force(state: &State, metrics: &Metrics) {
    let (classes, nodes) = (state.classes().count(), state.nodes().nodes().len());
    info!(classes, nodes, default_class = state.default_class().name, "state in force");
    for problem in state.problems() {
        warn!(problem, "a problem in the state");
    }
    metrics.state_problems.set(i64::try_from(state.problems().len()).unwrap_or(i64::MAX));
    metrics.state_loaded.set(unix_seconds(SystemTime::now()));
}
