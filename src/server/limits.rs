//! What bounds the process: connections, reviews in flight, bytes and seconds.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::{Accept, TcpConfigAcceptor, TcpKeepaliveConfig, TcpSocketConfig};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::TcpStream;
use tower_service::Service;

use super::connections::{Connections, Slot, Stream};

/// The largest body of a review. The API server accepts objects of 3 MiB, and a review of an update holds two.
pub const MAX_BODY: usize = 8 << 20;

/// The bounds of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; one more makes the longest idle one go, and is closed at once where none is idle. Each API
    /// server keeps 25 idle ones per replica.
    pub max_connections: usize,
    /// Reviews in flight; one more is admitted as it is, at once.
    pub max_reviews: usize,
    /// Memory for the bodies of all reviews in flight; a pod for whose body there is no room is admitted as it is.
    pub body_memory: usize,
    /// For the TLS handshake.
    pub handshake_timeout: Duration,
    /// From the end of the handshake to the end of the first request's headers.
    pub first_request_timeout: Duration,
    /// From the end of the headers to the end of the body.
    pub body_timeout: Duration,
    /// For a connection without a request. Above the API server's own 90 s, so that it never writes into a connection
    /// that is being closed.
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_reviews: 256,
            body_memory: 64 << 20,
            handshake_timeout: Duration::from_secs(5),
            first_request_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(2),
        }
    }
}

/// How many connections may be open for a moment: those that had to make room need time to go.
pub fn most_open(max_connections: usize) -> usize {
    max_connections.saturating_add(most_leaving(max_connections))
}

/// How many of these were told to go.
pub(super) fn most_leaving(max_connections: usize) -> usize {
    max_connections.div_ceil(8)
}

/// Accepts connections within a limit, without Nagle's delay (40 ms on every new connection) and with keepalive.
#[derive(Clone, Debug)]
pub struct LimitedAcceptor {
    connections: Arc<Connections>,
    tcp: TcpConfigAcceptor,
    rejected: Counter,
}

impl LimitedAcceptor {
    /// At most `max_connections` at a time. One more makes the longest idle one go; where none is idle, it is closed
    /// itself.
    pub fn new(max_connections: usize, counts: ConnectionCounts) -> Self {
        let keepalive = TcpKeepaliveConfig::new()
            .time(Duration::from_secs(30))
            .interval(Duration::from_secs(10))
            .retries(3);
        let config = TcpSocketConfig::new().nodelay(true).keepalive(keepalive);
        Self {
            connections: Connections::new(max_connections, counts.open, counts.displaced),
            tcp: TcpConfigAcceptor::new(config),
            rejected: counts.rejected,
        }
    }
}

/// Where a [`LimitedAcceptor`] counts.
#[derive(Clone, Debug, Default)]
pub struct ConnectionCounts {
    /// Open connections.
    pub open: Gauge,
    /// Closed while idle, for a new one.
    pub displaced: Counter,
    /// Closed at once.
    pub rejected: Counter,
}

impl<S> Accept<TcpStream, S> for LimitedAcceptor {
    type Stream = Stream;
    type Service = Held<S>;
    type Future = Ready<io::Result<(Stream, Held<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Some(slot) = self.connections.admit() else {
            self.rejected.inc();
            return ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, "too many connections")));
        };
        let slot = Arc::new(slot);
        ready(
            self.tcp
                .accept(stream, service)
                .into_inner()
                .map(|(stream, service)| (Stream::new(stream, Arc::clone(&slot)), Held { service, slot })),
        )
    }
}

/// The service of one connection; it holds the connection's slot.
#[derive(Clone)]
pub struct Held<S> {
    service: S,
    slot: Arc<Slot>,
}

impl<S, R> Service<R> for Held<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let busy = self.slot.busy();
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(busy);
            answer
        })
    }
}
