//! Readiness is a real call: a TLS handshake with ourselves, and the certificate that comes of it judged as the API
//! server would judge it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::client_certificates::ClientCertificates;
use super::handshake::{Outcome, shake_hands};
use super::limits::Limits;
use super::metrics::Metrics;
use super::tls::{CertificatePair, ServedCertificate};
use super::trust::Trust;

/// Whoever does not get through to himself in the time that the API server waits (`timeoutSeconds`) does not serve it
/// either. Not less: a machine that is slow for a moment must not take all replicas out of the Service at once.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Probes that come faster get the last result.
const KEPT_FOR: Duration = Duration::from_secs(1);
/// Where no name is known by which the API server calls.
const ANY_NAME: &str = "localhost";

/// Calls our own HTTPS port, one call at a time.
#[derive(Debug)]
pub struct SelfCall {
    address: SocketAddr,
    certificate: Arc<ServedCertificate>,
    /// Where clients need a certificate.
    clients: Option<Arc<ClientCertificates>>,
    metrics: Arc<Metrics>,
    max_connections: usize,
    last: Mutex<Option<Last>>,
}

/// What came of the last call, and what it was about.
#[derive(Debug)]
struct Last {
    at: Instant,
    pair: Option<Arc<CertificatePair>>,
    trust: Arc<Trust>,
    obstacle: Option<String>,
}

impl SelfCall {
    /// `bound` is where the HTTPS port listens.
    pub fn new(
        bound: SocketAddr,
        certificate: Arc<ServedCertificate>,
        clients: Option<Arc<ClientCertificates>>,
        metrics: Arc<Metrics>,
        limits: Limits,
    ) -> Self {
        let last = Mutex::default();
        Self {
            address: reachable(bound),
            certificate,
            clients,
            metrics,
            max_connections: limits.max_connections,
            last,
        }
    }

    /// Why the API server would not get an answer; `None` when it would.
    pub(super) async fn obstacle(&self) -> Option<String> {
        let mut last = self.last.lock().await;
        let (pair, trust) = (self.certificate.pair(), self.certificate.trust());
        if let Some(last) = last.as_ref().filter(|last| last.is_about(pair.as_ref(), &trust)) {
            return last.obstacle.clone();
        }
        let obstacle = self.call(pair.as_deref(), &trust).await;
        *last = Some(Last { at: Instant::now(), pair, trust, obstacle: obstacle.clone() });
        obstacle
    }

    async fn call(&self, pair: Option<&CertificatePair>, trust: &Trust) -> Option<String> {
        let rejected = self.metrics.connections_rejected.get();
        if self.is_full() {
            return distrust(trust, pair?);
        }
        let name = match trust {
            Trust::In(_, name) => name.as_str(),
            Trust::Unknown | Trust::Nobody(_) => ANY_NAME,
        };
        let shown = self.clients.as_ref().map(|clients| clients.ourselves());
        let call = timeout(TIMEOUT, shake_hands(self.address.to_string(), name.to_owned(), shown)).await;
        let problem = match call.map(|shaken| shaken.outcome) {
            Ok(Outcome::Served(chain)) => {
                let is_ours = |pair: &CertificatePair| pair.chain().first() == chain.first();
                if !pair.is_some_and(is_ours) && !self.certificate.pair().as_deref().is_some_and(is_ours) {
                    return Some(format!("{} serves another certificate than ours", self.address));
                }
                return trust.verify(&chain, Timestamp::now()).err().map(|problem| not_trusted(&problem));
            }
            Ok(Outcome::Unreachable(problem) | Outcome::NoTls(problem)) => problem,
            Err(_) => "no answer in time".to_owned(),
        };
        // Busy is not broken: our own call may have been one too many.
        if self.is_full() || self.metrics.connections_rejected.get() > rejected {
            return distrust(trust, pair?);
        }
        Some(format!("no TLS handshake with {}: {problem}", self.address))
    }

    fn is_full(&self) -> bool {
        usize::try_from(self.metrics.connections.get()).is_ok_and(|open| open >= self.max_connections)
    }
}

impl Last {
    fn is_about(&self, pair: Option<&Arc<CertificatePair>>, trust: &Arc<Trust>) -> bool {
        self.at.elapsed() < KEPT_FOR
            && self.pair.as_ref().map(Arc::as_ptr) == pair.map(Arc::as_ptr)
            && Arc::ptr_eq(&self.trust, trust)
    }
}

/// Without a call: what would be served.
fn distrust(trust: &Trust, pair: &CertificatePair) -> Option<String> {
    trust.verify(pair.chain(), Timestamp::now()).err().map(|problem| not_trusted(&problem))
}

fn not_trusted(problem: &str) -> String {
    format!("the API server would not trust the served certificate: {problem}")
}

/// Where we reach ourselves: every address includes loopback.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let host = match bound.ip() {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    SocketAddr::new(host, bound.port())
}
