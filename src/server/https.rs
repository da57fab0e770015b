//! The HTTPS port: TLS, HTTP/1.1 and the limits of a connection.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use rustls::{AlertDescription, Error as TlsError, ServerConfig};
use tracing::{debug, warn};

use super::limits::{ConnectionCounts, LimitedAcceptor, Limits};
use super::metrics::Metrics;
use super::refused_clients::RefusedClients;

/// Enough for headers and for reading bodies at speed; hyper's own limit is 400 KiB per connection.
const READ_BUFFER: usize = 64 << 10;

/// Serves until the handle is told to shut down.
pub(super) async fn serve(
    listener: TcpListener,
    config: ServerConfig,
    router: Router,
    limits: Limits,
    metrics: Arc<Metrics>,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    let counts = ConnectionCounts {
        open: metrics.connections.clone(),
        displaced: metrics.connections_displaced.clone(),
        rejected: metrics.connections_rejected.clone(),
    };
    let slots = LimitedAcceptor::new(limits.max_connections, counts);
    let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(Arc::new(config)))
        .handshake_timeout(limits.handshake_timeout)
        .acceptor(slots);
    let failures = ConnectionFailures { refused: RefusedClients::new(Arc::clone(&metrics)), metrics };
    let mut server = axum_server::from_tcp(listener)?
        .acceptor(acceptor)
        .http1_only()
        .first_request_timeout(limits.first_request_timeout)
        .accept_error_handler(move |client, error| failures.note(client, error))
        .handle(handle);
    // hyper's header timeout also runs while a connection is idle.
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(READ_BUFFER);
    server.serve(router.into_make_service()).await
}

/// Takes note of connections that do not get as far as a request.
struct ConnectionFailures {
    metrics: Arc<Metrics>,
    refused: RefusedClients,
}

impl ConnectionFailures {
    fn note(&self, client: Option<&SocketAddr>, error: &io::Error) {
        let Some(client) = client else {
            warn!(%error, "accepting connections fails; trying on");
            return;
        };
        if error.kind() == io::ErrorKind::QuotaExceeded {
            debug!(%client, %error, "over the limit of connections");
            return;
        }
        self.metrics.handshake_failures.inc();
        if distrusts_us(error) {
            warn!(%client, %error, "the client does not trust the certificate: does the caBundle fit it?");
        } else {
            debug!(%client, %error, "handshake failed");
        }
        self.refused.note(client, error);
    }
}

/// The client hung up because of our certificate.
fn distrusts_us(error: &io::Error) -> bool {
    matches!(
        error.get_ref().and_then(|error| error.downcast_ref()),
        Some(TlsError::AlertReceived(
            AlertDescription::BadCertificate
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
        ))
    )
}
