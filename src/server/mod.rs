//! The server: HTTPS for the API server, plain HTTP for probes and metrics, around the pure [`crate::admission`].
//!
//! [`Server::run`] takes bound listeners and futures for the shutdown, so that tests run it in-process on port 0.
//! [`mutate`] answers reviews, within [`limits`]; [`tls`] holds the certificate, which comes from [`self_managed`],
//! [`certificate_secret`], [`certificate_files`] or memory, and [`published`] tells whom the API server trusts for it;
//! [`client_certificates`] says who may call; [`state_reload`] renews the state; [`events`] tells of decisions; [`drain`]
//! ends the process without losing a request.

pub mod admin;
mod body;
pub mod certificate_files;
pub mod certificate_secret;
pub mod client_ca_file;
pub mod client_certificates;
mod connections;
pub mod drain;
pub mod events;
pub mod handshake;
mod https;
pub mod limits;
pub mod metrics;
pub mod mutate;
pub mod published;
pub mod readiness;
pub mod refused_clients;
mod seldom;
pub mod self_call;
pub mod self_managed;
pub mod state_reload;
pub mod state_watch;
pub mod telemetry;
pub mod tls;
pub mod trust;
pub mod watched;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum_server::Handle;
use tokio::task::JoinError;
use tracing::error;

use self::admin::Admin;
use self::drain::{DrainTimes, Ended};
use self::events::EventQueue;
use self::limits::Limits;
use self::metrics::Metrics;
use self::mutate::{AnswerFn, Mutate};
use self::readiness::Readiness;
use self::self_call::SelfCall;
use self::telemetry::LogLevel;
use self::tls::{ServedCertificate, TlsPolicy};
use crate::sizing::state::State;

/// Everything a server is made of.
#[derive(Debug)]
pub struct Server {
    /// The bound socket of the webhook.
    pub https: TcpListener,
    /// The bound socket of probes and metrics.
    pub admin: TcpListener,
    /// The certificate, which may be replaced while the server runs.
    pub certificate: Arc<ServedCertificate>,
    /// Which TLS is spoken, and with whom.
    pub tls: TlsPolicy,
    /// The state, which may be replaced while the server runs.
    pub state: Arc<ArcSwap<State>>,
    /// The pure core.
    pub answer: AnswerFn,
    /// Tells the owners of executors, where there is a cluster to tell it.
    pub events: Option<EventQueue>,
    /// What is logged, which may be changed while the server runs.
    pub log_level: LogLevel,
    /// Counts what happens.
    pub metrics: Arc<Metrics>,
    /// Whether requests are wanted.
    pub readiness: Arc<Readiness>,
    /// The bounds.
    pub limits: Limits,
    /// How long the end takes.
    pub drain: DrainTimes,
}

impl Server {
    /// Serves until `shutdown` resolves and the drain after it is over, or until `abort` resolves.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()>,
        abort: impl Future<Output = ()>,
    ) -> Result<Ended, ServeError> {
        let Self {
            https,
            admin,
            certificate,
            tls,
            state,
            answer,
            events,
            log_level,
            metrics,
            readiness,
            limits,
            drain,
        } = self;
        let config = tls::server_config(Arc::clone(&certificate), &tls)?;
        let router =
            Mutate::new(answer, state, events, Arc::clone(&metrics), limits).router(Arc::clone(&readiness));
        let address = https.local_addr().map_err(|error| ServeError::stopped("https", Ok(Err(error))))?;
        let (own, counts) = (Arc::clone(&certificate), Arc::clone(&metrics));
        let self_call = SelfCall::new(address, own, tls.clients.clone(), counts, limits);
        let probes = Admin {
            metrics: Arc::clone(&metrics),
            readiness: Arc::clone(&readiness),
            certificate,
            log_level,
            self_call: Arc::new(self_call),
        };

        let https_handle = Handle::new();
        let admin_handle = Handle::new();
        // Tasks of their own, so that connections are accepted by the workers and not by the thread that waits here.
        let serve = https::serve(https, config, router, limits, Arc::clone(&metrics), https_handle.clone());
        let mut https = tokio::spawn(serve);
        let mut admin = tokio::spawn(admin::serve(admin, probes.router(), admin_handle.clone()));

        let ended = tokio::select! {
            biased;
            () = abort => Ok(Ended::Aborted),
            result = &mut https => match result {
                Ok(Ok(())) if readiness.is_draining() => Ok(Ended::Drained),
                result => Err(ServeError::stopped("https", result)),
            },
            result = &mut admin => Err(ServeError::stopped("admin", result)),
            ended = drain::lead_out(shutdown, &readiness, &https_handle, &metrics, drain) => Ok(ended),
        };
        for (handle, task) in [(https_handle, https), (admin_handle, admin)] {
            handle.shutdown();
            if !task.is_finished() && task.await.is_err() {
                error!("a server task panicked while it was ending");
            }
        }
        ended
    }
}

/// The server could not start or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// A port is not served any more.
    #[error("the {port} port: {problem}")]
    Stopped {
        /// `https` or `admin`.
        port: &'static str,
        /// Why.
        problem: String,
    },
}

impl ServeError {
    fn stopped(port: &'static str, result: Result<io::Result<()>, JoinError>) -> Self {
        let problem = match result {
            Ok(Ok(())) => "stopped by itself".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Self::Stopped { port, problem }
    }
}
