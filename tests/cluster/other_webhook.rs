//! Somebody else's mutating webhook beside ours, in the test's own process.

use std::net::TcpListener;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use spark_swap::admission::answer::{Answer, Malformed, Record};
use spark_swap::admission::reason::Reason;
use spark_swap::cluster::certificates::authority::{Authority, Validity};
use spark_swap::server::Server;
use spark_swap::server::drain::DrainTimes;
use spark_swap::server::limits::Limits;
use spark_swap::server::metrics::Metrics;
use spark_swap::server::readiness::Readiness;
use spark_swap::server::telemetry::LogLevel;
use spark_swap::server::tls::{CertificatePair, ServedCertificate, TlsPolicy};
use spark_swap::sizing::state::State;
use time::OffsetDateTime;
use tokio::runtime::{Builder, Runtime};

use crate::control_plane::ControlPlane;
use crate::pods;
use crate::wait;

/// What it is.
pub(crate) trait Neighbour {
    /// Of its configuration: the API server calls webhooks in the order of their configurations' names. Ours starts
    /// with an s.
    const FIRST_LETTER: char;
    /// `IfNeeded`: it wants to be called again when a later one changed the pod.
    const REINVOCATION_POLICY: &str;

    fn change(pod: &mut Value);
}

/// A running one.
pub(crate) struct OtherWebhook<'a> {
    cluster: &'a ControlPlane,
    configuration: String,
    metrics: Arc<Metrics>,
    /// Its server ends with it.
    runtime: Option<Runtime>,
}

impl<'a> OtherWebhook<'a> {
    /// Starts one that is called for the pods of a namespace.
    pub(crate) fn start<N: Neighbour>(cluster: &'a ControlPlane, namespace: &str) -> Self {
        let authority = Authority::new(validity()).unwrap();
        let issued = authority.issue(&["127.0.0.1".to_owned()], validity()).unwrap();
        let pair = CertificatePair::from_pem(issued.certificate_pem.as_bytes(), issued.key_pem.as_bytes());
        let [https, admin] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let port = https.local_addr().unwrap().port();
        let metrics = Arc::new(Metrics::new());
        let server = Server {
            https,
            admin,
            certificate: Arc::new(ServedCertificate::new(pair.unwrap())),
            tls: TlsPolicy::default(),
            state: Arc::new(ArcSwap::from_pointee(State::default())),
            answer: answer::<N>,
            events: None,
            log_level: LogLevel::new("off".parse().unwrap()).0,
            metrics: Arc::clone(&metrics),
            readiness: Arc::new(Readiness::default()),
            limits: Limits::default(),
            drain: DrainTimes::default(),
        };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(server.run(std::future::pending(), std::future::pending()));
        let configuration = format!("{}-neighbour-in-{namespace}", N::FIRST_LETTER);
        let this = Self { cluster, configuration, metrics, runtime: Some(runtime) };
        this.register(namespace, port, &authority.certificate_pem(), N::REINVOCATION_POLICY);
        this
    }

    /// How often it was called.
    fn calls(&self) -> u64 {
        let metrics = self.metrics.encode().unwrap();
        let reviews = metrics.lines().filter(|line| line.starts_with("spark_swap_reviews_total{"));
        reviews.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    fn register(&self, namespace: &str, port: u16, ca: &str, reinvocation_policy: &str) {
        self.cluster.create(&json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": self.configuration},
            "webhooks": [{
                "name": "neighbour.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "clientConfig": {"url": format!("https://127.0.0.1:{port}/mutate"), "caBundle": STANDARD.encode(ca)},
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "reinvocationPolicy": reinvocation_policy, "failurePolicy": "Fail",
            }],
        }));
        // The API server learns of it by a watch.
        let mut probe = pods::executor("probe", 1024, 384);
        probe["metadata"]["labels"] = json!({"app": "no-executor"});
        wait::until("call of the other webhook", wait::LIMIT, || {
            self.cluster.try_create(&probe, &["-n", namespace, "--dry-run=server"])?;
            if self.calls() > 0 { Ok(()) } else { Err("it was not called".to_owned()) }
        });
    }
}

impl Drop for OtherWebhook<'_> {
    fn drop(&mut self) {
        // A failed test says more than this would.
        drop(self.cluster.try_kubectl(&["delete", "mutatingwebhookconfiguration", &self.configuration]));
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn validity() -> Validity {
    Validity::days_from(OffsetDateTime::now_utc(), 1)
}

#[expect(clippy::unnecessary_wraps, reason = "the server wants a function that may refuse")]
fn answer<N: Neighbour>(body: &[u8], _: &State) -> Result<Answer, Malformed> {
    let review: Value = serde_json::from_slice(body).unwrap();
    let (uid, pod) = (review["request"]["uid"].as_str().unwrap(), &review["request"]["object"]);
    let mut changed = pod.clone();
    N::change(&mut changed);
    let patch = serde_json::to_vec(&json_patch::diff(pod, &changed)).unwrap();
    let response =
        json!({"uid": uid, "allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(patch)});
    let review =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    let record = Record {
        uid: uid.to_owned(),
        namespace: String::new(),
        name: String::new(),
        reason: Reason::Planned,
        class: String::new(),
        class_is_known: false,
        bound: None,
        patched: true,
        request_bytes_removed: 0,
        expected_swap: 0,
        notices: Vec::new(),
        failed_proof: None,
        event: None,
    };
    Ok(Answer { body: serde_json::to_vec(&review).unwrap(), record })
}
