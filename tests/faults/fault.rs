//! The faults, and for each the time in which it costs something by its nature.

use std::time::{Duration, Instant};

use crate::api::Api;
use crate::control_plane::ControlPlane;
use crate::load::Load;
use crate::replica::Deployment;
use crate::wait;

/// The calls between two blanks are those of this time.
const BETWEEN_BLANKS: Duration = Duration::from_millis(1_730);
/// The API server stays away for the calls of this time.
const AWAY: Duration = Duration::from_secs(3);
/// Nothing happens for the calls of this time.
const NOTHING: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// For comparison.
    Nothing,
    RollingRestart,
    Rotations(usize),
    ApiServerRestart,
    Kill,
    BlankedBundle(usize),
}

/// A time in which something may go wrong.
pub(crate) struct Window {
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    pub(crate) spares: Spared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spared {
    /// Creates that no API server was there to accept.
    Unaccepted,
    /// Executors whose review found no webhook, or none that could be trusted.
    Unmutated,
}

impl Window {
    fn of(spares: Spared, happen: impl FnOnce()) -> Self {
        let from = Instant::now();
        happen();
        Self { from, to: Instant::now(), spares }
    }
}

/// What faults happen to.
pub(crate) struct Stage<'a> {
    pub(crate) cluster: &'a ControlPlane,
    pub(crate) api: &'a Api,
    pub(crate) deployment: Deployment<'a>,
}

impl Fault {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Nothing => "none".to_owned(),
            Self::RollingRestart => "rolling restart".to_owned(),
            Self::Rotations(1) => "1 rotation".to_owned(),
            Self::Rotations(times) => format!("{times} rotations"),
            Self::ApiServerRestart => "API server restart".to_owned(),
            Self::Kill => "SIGKILL of a replica".to_owned(),
            Self::BlankedBundle(1) => "blanked caBundle".to_owned(),
            Self::BlankedBundle(times) => format!("{times} blanked caBundles"),
        }
    }

    /// Brings the fault about, and returns when it is over.
    pub(crate) fn happen(self, stage: &mut Stage<'_>, load: &Load) -> Vec<Window> {
        match self {
            Self::Nothing => {
                load.wait_for_calls_of(NOTHING);
                Vec::new()
            }
            Self::RollingRestart => {
                stage.deployment.roll();
                Vec::new()
            }
            Self::Rotations(times) => {
                (0..times).for_each(|_| stage.deployment.rotate(stage.api));
                Vec::new()
            }
            Self::ApiServerRestart => {
                let away = Window::of(Spared::Unaccepted, || {
                    stage.cluster.kill_api_server();
                    load.wait_for_calls_of(AWAY);
                    stage.cluster.restart_api_server();
                });
                vec![away]
            }
            Self::Kill => {
                let dead = Window::of(Spared::Unmutated, || stage.deployment.kill_busiest());
                stage.deployment.complete();
                vec![dead]
            }
            Self::BlankedBundle(times) => (0..times)
                .map(|_| {
                    let blank = Window::of(Spared::Unmutated, || {
                        blank_ca_bundle(stage.api);
                        stage.api.wait_until_webhooks_are_seen();
                    });
                    load.wait_for_calls_of(BETWEEN_BLANKS);
                    blank
                })
                .collect(),
        }
    }
}

/// Empties the caBundle as a GitOps tool does, and waits until it is back.
fn blank_ca_bundle(api: &Api) {
    api.set_ca_bundle("");
    let blanked = Instant::now();
    while api.runtime().block_on(api.ca_bundle()).unwrap().is_empty() {
        assert!(blanked.elapsed() < wait::LIMIT, "the caBundle stays empty");
    }
    eprintln!("    the caBundle was empty for {} ms", blanked.elapsed().as_millis());
}
