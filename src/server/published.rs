//! Whom the API server trusts for the webhook: the caBundle of our webhook configuration.

use std::sync::Arc;

use futures_util::StreamExt;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::Client;
use kube::api::Api;
use tracing::warn;

use super::metrics::Metrics;
use super::tls::ServedCertificate;
use super::trust::{Authorities, Trust};
use crate::cluster::one_object::{Sighting, watch_one};
use crate::cluster::webhook_entry::{ca_bundle, entry, server_name};

/// What the configuration is called in metrics.
pub(super) const CONFIGURATION: &str = "MutatingWebhookConfiguration";

/// Watches the configuration for ever, so that readiness judges the served certificate by what is published. While
/// nothing is, somebody else is about to publish it, or the webhook is called with a certificate of a public authority.
pub async fn watch(client: Client, name: String, served: Arc<ServedCertificate>, metrics: Arc<Metrics>) {
    let mut sightings = Box::pin(watch_one(Api::all(client), &name));
    let mut failure = None;
    while let Some(sighting) = sightings.next().await {
        match sighting {
            Sighting::Is(configuration) => {
                failure = None;
                let published = configuration.as_deref().and_then(|found| published(&name, found));
                served.judge_by(published.unwrap_or_default());
            }
            Sighting::Failed(problem) => {
                metrics.watch_failed(CONFIGURATION);
                if failure.as_ref() != Some(&problem) {
                    warn!(
                        configuration = name,
                        problem,
                        "a watch failed; the served certificate is judged by what was published last"
                    );
                    failure = Some(problem);
                }
            }
        }
    }
}

/// What the configuration of this name publishes for our entry; `None` while it publishes nothing that can be used.
pub(super) fn published(name: &str, configuration: &MutatingWebhookConfiguration) -> Option<Trust> {
    let client = &entry(configuration)?.client_config;
    let authorities = Authorities::from_pem(&described(name), ca_bundle(client)?).ok()?;
    Some(Trust::In(authorities, server_name(client)?))
}

/// What a caBundle is called in sentences.
pub(super) fn described(name: &str) -> String {
    format!("caBundle of mutatingwebhookconfiguration/{name}")
}
