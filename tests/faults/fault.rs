//! The faults, and for each the time in which it costs something by its nature.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::{Api, JSON_PATCH, WEBHOOK};
use crate::control_plane::ControlPlane;
use crate::replica::Deployment;
use crate::wait;

/// From a change of the webhook configuration until the API server acts on it.
const API_SERVER_WATCH: Duration = Duration::from_millis(500);
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
    BlankedBundle,
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
            Self::BlankedBundle => "blanked caBundle".to_owned(),
        }
    }

    /// Brings the fault about, and returns when it is over.
    pub(crate) fn happen(self, stage: &mut Stage<'_>) -> Option<Window> {
        let from = Instant::now();
        let spares = match self {
            Self::Nothing => {
                sleep(Duration::from_secs(3));
                return None;
            }
            Self::RollingRestart => {
                stage.deployment.roll();
                return None;
            }
            Self::Rotations(times) => {
                for _ in 0..times {
                    stage.deployment.rotate(stage.api);
                }
                return None;
            }
            Self::ApiServerRestart => {
                stage.cluster.kill_api_server();
                sleep(AWAY);
                stage.cluster.restart_api_server();
                Spared::Unaccepted
            }
            Self::Kill => {
                stage.deployment.kill_busiest();
                Spared::Unmutated
            }
            Self::BlankedBundle => {
                let path = "/webhooks/0/clientConfig/caBundle";
                stage.api.patch(WEBHOOK, JSON_PATCH, &json!([{"op": "replace", "path": path, "value": ""}]));
                wait::until("caBundle", wait::LIMIT, || {
                    let bundle = stage.api.runtime().block_on(stage.api.ca_bundle())?;
                    if bundle.is_empty() { Err("it is empty".to_owned()) } else { Ok(()) }
                });
                sleep(API_SERVER_WATCH);
                Spared::Unmutated
            }
        };
        let window = Window { from, to: Instant::now(), spares };
        stage.deployment.complete();
        Some(window)
    }
}
