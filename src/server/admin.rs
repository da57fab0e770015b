//! The admin port, plain HTTP: `/livez`, `/readyz`, `/metrics` and `/log-level`.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State as Shared};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum_server::Handle;
use hyper_util::rt::TokioTimer;

use super::limits::{ConnectionCounts, LimitedAcceptor};
use super::metrics::{CONTENT_TYPE, Metrics};
use super::readiness::Readiness;
use super::self_call::SelfCall;
use super::telemetry::{LogLevel, LogLevels};
use super::tls::ServedCertificate;

/// Enough for probes and scrapers; more must not take the webhook's file descriptors.
const MAX_CONNECTIONS: usize = 64;
/// For a connection without a request, and for the headers of one.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// Log levels are a few words.
const MAX_BODY: usize = 4 << 10;
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// What the admin port shows.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Every metric.
    pub metrics: Arc<Metrics>,
    /// Decides about `/readyz`.
    pub readiness: Arc<Readiness>,
    /// An expired one is not ready.
    pub certificate: Arc<ServedCertificate>,
    /// What is logged.
    pub log_level: LogLevel,
    /// Ready is who gets through to itself as the API server would.
    pub self_call: Arc<SelfCall>,
}

impl Admin {
    /// The routes of the admin port.
    pub fn router(self) -> Router {
        Router::new()
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .route("/log-level", get(log_level).put(change_log_level))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(self)
    }
}

/// Serves until the handle is told to shut down.
pub async fn serve(listener: TcpListener, router: Router, handle: Handle<SocketAddr>) -> io::Result<()> {
    let slots = LimitedAcceptor::new(MAX_CONNECTIONS, ConnectionCounts::default());
    let mut server = axum_server::from_tcp(listener)?
        .acceptor(slots)
        .http1_only()
        .first_request_timeout(FIRST_REQUEST_TIMEOUT)
        .handle(handle);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT);
    server.serve(router.into_make_service_with_connect_info::<SocketAddr>()).await
}

async fn readyz(Shared(admin): Shared<Admin>) -> Response {
    let mut obstacles = admin.readiness.obstacles();
    match admin.certificate.expires() {
        None => obstacles.extend(admin.certificate.missing()),
        Some(expires) if expires <= unix_seconds(SystemTime::now()) => {
            obstacles.push("the served certificate has expired".to_owned());
        }
        // Who is about to end says so at once.
        Some(_) if admin.readiness.is_draining() => {}
        Some(_) => obstacles.extend(admin.self_call.obstacle().await),
    }
    if obstacles.is_empty() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", obstacles.join("\n"))).into_response()
    }
}

async fn metrics(Shared(admin): Shared<Admin>) -> Response {
    admin.metrics.certificate_expiry.set(admin.certificate.expires().unwrap_or(0));
    match admin.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn log_level(Shared(admin): Shared<Admin>) -> String {
    format!("{}\n", admin.log_level.current())
}

/// Debug logs of a busy server are a load and tell names: who may ask for them can already run something beside it.
async fn change_log_level(
    Shared(admin): Shared<Admin>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    body: String,
) -> Response {
    if !peer.ip().to_canonical().is_loopback() {
        return (StatusCode::FORBIDDEN, NOT_FROM_AFAR).into_response();
    }
    let levels: LogLevels = match body.trim().parse() {
        Ok(levels) => levels,
        Err(problem) => return (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    };
    match admin.log_level.change(levels) {
        Ok(()) => log_level(Shared(admin)).await.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

const NOT_FROM_AFAR: &str = "\
log levels are changed from the machine or pod itself only. From afar, by kubectl port-forward, or by kubectl exec in a
container of the pod that has curl:
  kubectl port-forward -n NAMESPACE POD 8080
  curl -X PUT -d debug localhost:8080/log-level
";

/// Seconds since 1970; 0 before.
pub fn unix_seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
