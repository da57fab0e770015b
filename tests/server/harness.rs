//! A server in the test's own runtime, on free ports, with an injected answer function.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use arc_swap::ArcSwap;
use kube::Client;
use serde_json::{Value, json};
use spark_swap::admission::answer::{Answer, Malformed, Record};
use spark_swap::admission::reason::Reason;
use spark_swap::cluster::certificates::authority::{Authority, Validity};
use spark_swap::cluster::events::Recorder;
use spark_swap::server::drain::{DrainTimes, Ended};
use spark_swap::server::events;
use spark_swap::server::limits::Limits;
use spark_swap::server::metrics::Metrics;
use spark_swap::server::mutate::AnswerFn;
use spark_swap::server::readiness::Readiness;
use spark_swap::server::telemetry::LogLevel;
use spark_swap::server::tls::{CertificatePair, ServedCertificate, TlsPolicy};
use spark_swap::server::{ServeError, Server};
use spark_swap::sizing::bound::Bound;
use spark_swap::sizing::state::State;
use time::OffsetDateTime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::{Registry, reload};

use crate::client::{Plain, Tls};

/// What a test may choose.
pub(crate) struct Setup {
    pub(crate) answer: AnswerFn,
    /// Events are written to this API server.
    pub(crate) api: Option<Client>,
    pub(crate) limits: Limits,
    pub(crate) drain: DrainTimes,
    /// Certificate authority (PEM) and what the server starts with; self-made by default.
    pub(crate) certificate: Option<(String, CertificatePair)>,
    pub(crate) tls: TlsPolicy,
    /// Without one it starts as long as its source has none.
    pub(crate) has_certificate: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            answer: patch,
            api: None,
            limits: Limits::default(),
            drain: DrainTimes::default(),
            certificate: None,
            has_certificate: true,
            tls: TlsPolicy::default(),
        }
    }
}

/// A running server.
pub(crate) struct Running {
    pub(crate) https: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) ca: String,
    pub(crate) certificate: Arc<ServedCertificate>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Arc<Readiness>,
    /// Nobody logs by it, but its levels can be changed as long as it is there.
    #[expect(dead_code, reason = "only held")]
    log_filter: reload::Layer<Targets, Registry>,
    pub(crate) task: JoinHandle<Result<Ended, ServeError>>,
    shutdown: Option<oneshot::Sender<()>>,
    abort: Option<oneshot::Sender<()>>,
}

impl Setup {
    pub(crate) fn start(self) -> Running {
        let (ca, pair) = self.certificate.unwrap_or_else(self_made);
        let certificate = Arc::new(ServedCertificate::default());
        if self.has_certificate {
            certificate.replace(pair);
        }
        let metrics = Arc::new(Metrics::new());
        let readiness = Arc::new(Readiness::default());
        let events = self.api.map(|client| {
            let (queue, notes) = events::queue(Arc::clone(&metrics));
            let recorder = Recorder::new(client, "spark-swap-0");
            drop(tokio::spawn(events::write(notes, recorder, Arc::clone(&metrics))));
            queue
        });
        let https = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").unwrap();
        let (https_address, admin_address) = (https.local_addr().unwrap(), admin.local_addr().unwrap());
        let (log_level, log_filter) = LogLevel::new("info".parse().unwrap());
        let (shutdown, on_shutdown) = oneshot::channel();
        let (abort, on_abort) = oneshot::channel();
        let server = Server {
            https,
            admin,
            certificate: Arc::clone(&certificate),
            tls: self.tls,
            state: Arc::new(ArcSwap::from_pointee(State::default())),
            answer: self.answer,
            events,
            log_level,
            metrics: Arc::clone(&metrics),
            readiness: Arc::clone(&readiness),
            limits: self.limits,
            drain: self.drain,
        };
        let task = tokio::spawn(server.run(event(on_shutdown), event(on_abort)));
        Running {
            https: https_address,
            admin: admin_address,
            ca,
            certificate,
            metrics,
            readiness,
            log_filter,
            task,
            shutdown: Some(shutdown),
            abort: Some(abort),
        }
    }
}

impl Running {
    pub(crate) async fn connect(&self) -> Tls {
        Tls::open(self.https, &self.ca).await
    }

    pub(crate) async fn admin(&self) -> Plain {
        Plain::open_plain(self.admin).await
    }

    pub(crate) fn shut_down(&mut self) {
        self.shutdown.take().unwrap().send(()).unwrap();
    }

    pub(crate) fn abort(&mut self) {
        self.abort.take().unwrap().send(()).unwrap();
    }

    /// The value of a series in `/metrics`, for example `spark_swap_panics_total`.
    pub(crate) async fn metric(&self, series: &str) -> Option<String> {
        let text = self.admin().await.get("/metrics").await.text();
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned))
    }

    /// Waits until this many reviews are in flight.
    pub(crate) async fn in_flight(&self, reviews: i64) {
        while self.metrics.reviews_in_flight.get() != reviews {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until this many connections are open.
    pub(crate) async fn connections(&self, connections: i64) {
        while self.metrics.connections.get() != connections {
            tokio::task::yield_now().await;
        }
    }
}

/// Resolves when the event is sent, and never when the sender is dropped.
async fn event(received: oneshot::Receiver<()>) {
    if received.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// An authority and a pair for localhost.
pub(crate) fn self_made() -> (String, CertificatePair) {
    let authority = Authority::new(validity()).unwrap();
    let issued = authority.issue(&["localhost".to_owned()], validity()).unwrap();
    let pair =
        CertificatePair::from_pem(issued.certificate_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
    (authority.certificate_pem(), pair)
}

pub(crate) fn validity() -> Validity {
    Validity::days_from(OffsetDateTime::now_utc(), 1)
}

/// A review with this uid, and more bytes to make it `length` long.
pub(crate) fn review(uid: &str, length: usize) -> Vec<u8> {
    let head = format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"{uid}","object":{{"x":""#
    );
    let tail = r#""}}}"#;
    let filling = length.saturating_sub(head.len() + tail.len());
    format!("{head}{}{tail}", "x".repeat(filling)).into_bytes()
}

/// Stands in for the core: a patch for every review.
pub(crate) fn patch(body: &[u8], _: &State) -> Result<Answer, Malformed> {
    let record = record(&uid(body)?);
    let response = json!({"uid": record.uid, "allowed": true, "patchType": "JSONPatch", "patch": "W10="});
    let review =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    Ok(Answer { body: serde_json::to_vec(&review).unwrap(), record })
}

/// Stands in for a bug in the core.
pub(crate) fn panics(body: &[u8], state: &State) -> Result<Answer, Malformed> {
    if body.windows(8).any(|window| window == b"harmless") {
        return patch(body, state);
    }
    panic!("a bug")
}

/// A planned review's record.
pub(crate) fn record(uid: &str) -> Record {
    Record {
        uid: uid.to_owned(),
        namespace: "analytics".to_owned(),
        name: "etl-exec-".to_owned(),
        reason: Reason::Planned,
        class: "batch".to_owned(),
        class_is_known: true,
        bound: Some(Bound::PeakOverSwap),
        patched: true,
        request_bytes_removed: 1000,
        expected_swap: 500,
        notices: Vec::new(),
        failed_proof: None,
        event: None,
    }
}

pub(crate) fn uid(body: &[u8]) -> Result<String, Malformed> {
    let review: Value =
        serde_json::from_slice(body).map_err(|error| Malformed::NotAReview(error.to_string()))?;
    review["request"]["uid"].as_str().map(str::to_owned).ok_or(Malformed::NoUid)
}
