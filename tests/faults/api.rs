//! The API server, asked without a process for every request.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::control_plane::ControlPlane;
use crate::pool::Pool;
use crate::wait;

const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
/// The webhook configuration.
pub(crate) const WEBHOOK: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/spark-swap";

const TIMEOUT: Duration = Duration::from_secs(30);
/// As many as a handful of drivers have. Without a bound an API server that starts again drowns in handshakes.
const CONNECTIONS: usize = 20;

/// How a patch is to be read.
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";

/// A cluster administrator.
#[derive(Clone)]
pub(crate) struct Api {
    runtime: Handle,
    pool: Arc<Pool>,
    host: String,
    token: String,
    /// How many markers there were.
    markers: Arc<AtomicU32>,
}

impl Api {
    pub(crate) fn new(cluster: &ControlPlane, runtime: &Handle) -> Self {
        let host = cluster.server().trim_start_matches("https://").to_owned();
        let ca = fs::read(cluster.ca()).unwrap();
        let pool = Pool::new(host.parse().unwrap(), "127.0.0.1", &ca, CONNECTIONS).bounded(CONNECTIONS);
        Self {
            runtime: runtime.clone(),
            pool: Arc::new(pool),
            host,
            token: cluster.token().to_owned(),
            markers: Arc::default(),
        }
    }

    /// The status of an answer and its body; an error where there was none.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(u16, Bytes), String> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.host)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", content_type)
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let answer = tokio::time::timeout(TIMEOUT, self.pool.call(request)).await;
        let answer = answer.map_err(|_| format!("no answer within {TIMEOUT:?}"))??;
        Ok((answer.status().as_u16(), answer.into_body()))
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, String> {
        self.runtime.block_on(self.object("GET", path, "", Vec::new()))
    }

    pub(crate) fn create(&self, path: &str, object: &Value) -> Result<Value, String> {
        self.runtime.block_on(self.object("POST", path, "application/json", object.to_string().into_bytes()))
    }

    pub(crate) fn patch(&self, path: &str, content_type: &str, body: &Value) -> Value {
        let patched =
            self.runtime.block_on(self.object("PATCH", path, content_type, body.to_string().into_bytes()));
        patched.unwrap_or_else(|error| panic!("PATCH {path}: {error}"))
    }

    /// The certificates (PEM) that the webhook configuration holds; empty where there are none.
    pub(crate) async fn ca_bundle(&self) -> Result<Vec<u8>, String> {
        let configuration = self.object("GET", WEBHOOK, "", Vec::new()).await?;
        let bundle = configuration["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap_or_default();
        Ok(STANDARD.decode(bundle).unwrap())
    }

    /// What an administrator, or his GitOps, does to the caBundle.
    pub(crate) fn set_ca_bundle(&self, pem: &str) {
        let path = "/webhooks/0/clientConfig/caBundle";
        self.patch(WEBHOOK, JSON_PATCH, &json!([{"op": "add", "path": path, "value": STANDARD.encode(pem)}]));
    }

    /// Waits until the API server acts on what was written into webhook configurations before. It hears of them in order:
    /// it has, when it acts on one that is written now.
    pub(crate) fn wait_until_webhooks_are_seen(&self) {
        const MARKER: &str = "marker.spark-swap.io";
        let number = self.markers.fetch_add(1, Ordering::Relaxed).to_string();
        let labels = json!({MARKER: number});
        self.create(
            WEBHOOKS,
            &json!({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
                "metadata": {"name": format!("marker-{number}")},
                // Nobody listens there, so what it is called for is refused.
                "webhooks": [{
                    "name": MARKER, "clientConfig": {"url": "https://127.0.0.1:1/"}, "failurePolicy": "Fail",
                    "timeoutSeconds": 1, "sideEffects": "None", "admissionReviewVersions": ["v1"],
                    "objectSelector": {"matchLabels": labels},
                    "rules": [{
                        "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
                        "operations": ["CREATE"],
                    }],
                }],
            }),
        )
        .unwrap();
        let marked = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "marked", "labels": labels},
        });
        wait::until("API server that acts on a webhook configuration", wait::LIMIT, || {
            match self.create("/api/v1/namespaces/default/configmaps?dryRun=All", &marked) {
                Err(refusal) if refusal.contains(MARKER) => Ok(()),
                Err(other) => Err(other),
                Ok(_) => Err("it does not know it yet".to_owned()),
            }
        });
        let path = format!("{WEBHOOKS}/marker-{number}");
        self.runtime.block_on(self.object("DELETE", &path, "", Vec::new())).unwrap();
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    async fn object(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Value, String> {
        let (status, body) = self.ask(method, path, content_type, body).await?;
        let text = String::from_utf8_lossy(&body);
        if !(200..300).contains(&status) {
            return Err(format!("{status}: {text}"));
        }
        serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))
    }
}
