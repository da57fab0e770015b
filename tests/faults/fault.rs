//! The faults, and for each the time in which it costs something by its nature.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::api::Api;
use crate::control_plane::ControlPlane;
use crate::replica::Deployment;
use crate::wait;

/// From a change of the webhook configuration until the API server acts on it.
const API_SERVER_WATCH: Duration = Duration::from_millis(500);
const BETWEEN_BLANKS: Duration = Duration::from_millis(1_730);
/// How long the API server stays away.
const AWAY: Duration = Duration::from_secs(3);

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
    pub(crate) fn happen(self, stage: &mut Stage<'_>) -> Vec<Window> {
        match self {
            Self::Nothing => {
                sleep(Duration::from_secs(3));
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
                    sleep(AWAY);
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
                        sleep(API_SERVER_WATCH);
                    });
                    sleep(BETWEEN_BLANKS);
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
