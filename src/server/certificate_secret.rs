//! Certificate and key from a Secret that somebody else fills and renews, such as cert-manager. It is never written.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use tracing::{info, warn};

use super::metrics::{Metrics, ReloadOutcome};
use super::tls::{CertificatePair, ServedCertificate};
use crate::cluster::one_object::{SecretName, Sighting, watch_one};

/// What is served from a Secret.
#[derive(Debug)]
pub struct CertificateSecret {
    secret: SecretName,
    /// What was read last, good or not: a Secret changes in other ways, too.
    read: Option<[Option<ByteString>; 2]>,
    /// Why the watch failed last: said once, not at every try.
    failure: Option<String>,
    served: Arc<ServedCertificate>,
    metrics: Arc<Metrics>,
}

impl CertificateSecret {
    /// Nothing is served from it yet.
    pub fn new(secret: SecretName, served: Arc<ServedCertificate>, metrics: Arc<Metrics>) -> Self {
        served.is_missing_because(format!("{secret} was not read yet"));
        Self { secret, read: None, failure: None, served, metrics }
    }

    /// Watches for ever and serves what is in it. The last good pair stays in force.
    pub async fn watch(mut self, client: Client) {
        let secrets: Api<Secret> = Api::namespaced(client, &self.secret.namespace);
        let mut sightings = Box::pin(watch_one(secrets, &self.secret.name));
        while let Some(sighting) = sightings.next().await {
            self.take(sighting);
        }
    }

    /// Takes in what the watch tells.
    pub fn take(&mut self, sighting: Sighting<Secret>) {
        match sighting {
            Sighting::Failed(problem) => {
                self.metrics.watch_failed("Secret");
                if self.failure.as_ref() != Some(&problem) {
                    warn!(secret = %self.secret, problem, "a watch failed; the last certificate stays in force");
                    self.served.is_missing_because(problem.clone());
                    self.failure = Some(problem);
                }
            }
            Sighting::Is(secret) => {
                self.failure = None;
                match secret.map(|secret| secret.data.unwrap_or_default()) {
                    None => {
                        self.read = None;
                        self.unusable(format!("there is no {}", self.secret));
                    }
                    Some(data) => self.serve(data),
                }
            }
        }
    }

    fn serve(&mut self, mut data: BTreeMap<String, ByteString>) {
        let read = ["tls.crt", "tls.key"].map(|key| data.remove(key));
        if self.read.as_ref() == Some(&read) {
            return;
        }
        let text =
            |index: usize| -> &[u8] { read.get(index).and_then(Option::as_ref).map_or(&[], |text| &text.0) };
        match CertificatePair::from_pem(text(0), text(1)) {
            Ok(pair) => {
                let expires = pair.expires();
                if self.served.expires().is_some() {
                    info!(secret = %self.secret, expires, "the certificate was renewed");
                    self.metrics.certificate_reload(ReloadOutcome::Replaced);
                } else {
                    info!(secret = %self.secret, expires, "the certificate is there");
                }
                self.served.replace(pair);
            }
            Err(problem) => {
                let key = if problem.is_about_key() { "tls.key" } else { "tls.crt" };
                self.unusable(format!("{}: {key}: {problem}", self.secret));
            }
        }
        self.read = Some(read);
    }

    fn unusable(&self, problem: String) {
        if self.served.expires().is_some() {
            warn!(problem, "the certificate cannot be renewed; the last good one stays in force");
            self.metrics.certificate_reload(ReloadOutcome::Failed);
        } else {
            warn!(problem, "there is no certificate yet");
        }
        self.served.is_missing_because(problem);
    }
}
