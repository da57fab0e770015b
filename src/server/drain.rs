//! The end of the process, without losing a request.
//!
//! Endpoints and the API server's pooled connections outlive the signal by seconds (kubernetes issue 127335). So the
//! process first says that it is not ready, goes on serving for a while with `Connection: close` on every response,
//! and only then stops accepting and waits for open requests.

use std::net::SocketAddr;
use std::time::Duration;

use axum_server::Handle;
use tracing::{info, warn};

use super::metrics::Metrics;
use super::readiness::Readiness;

/// How long the end takes.
#[derive(Clone, Copy, Debug)]
pub struct DrainTimes {
    /// How long serving goes on after the signal.
    pub delay: Duration,
    /// How long open requests then have.
    pub timeout: Duration,
}

impl Default for DrainTimes {
    fn default() -> Self {
        Self { delay: Duration::from_secs(10), timeout: Duration::from_secs(10) }
    }
}

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every open request was answered.
    Drained,
    /// Some open requests were not answered in time.
    Cut,
    /// Stopped at once, on request.
    Aborted,
}

/// Waits for the shutdown and leads the server out. Returns when it is still not done after [`DrainTimes::timeout`];
/// usually the server ends before.
pub(super) async fn lead_out(
    shutdown: impl Future<Output = ()>,
    readiness: &Readiness,
    server: &Handle<SocketAddr>,
    metrics: &Metrics,
    times: DrainTimes,
) -> Ended {
    shutdown.await;
    readiness.drain();
    info!(delay = ?times.delay, "draining: not ready, serving on");
    tokio::time::sleep(times.delay).await;
    info!(connections = server.connection_count(), "finishing open requests");
    server.graceful_shutdown(None);
    tokio::time::sleep(times.timeout).await;
    match metrics.reviews_in_flight.get() {
        0 => Ended::Drained,
        reviews => {
            warn!(reviews, "open requests were cut off");
            Ended::Cut
        }
    }
}
