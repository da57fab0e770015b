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

/// Watches the configuration for ever, so that readiness judges the served certificate by what is published.
pub async fn watch(client: Client, name: String, served: Arc<ServedCertificate>, metrics: Arc<Metrics>) {
    let mut sightings = Box::pin(watch_one(Api::all(client), &name));
    let mut failure = None;
    while let Some(sighting) = sightings.next().await {
        match sighting {
            Sighting::Is(configuration) => {
                failure = None;
                served.judge_by(configuration.as_deref().map_or(Trust::Unknown, |found| trust(&name, found)));
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

/// Whom the API server trusts for our entry. Where nothing is published, its own authorities: a public one may have signed
/// for the host of a URL, but none signs for a Service.
fn trust(name: &str, configuration: &MutatingWebhookConfiguration) -> Trust {
    if let Some(trust) = published_trust(name, configuration) {
        return trust;
    }
    if entry(configuration).is_some_and(|entry| entry.client_config.service.is_some()) {
        return Trust::Nobody(format!(
            "{} is empty, and no public authority signs for a Service",
            described(name)
        ));
    }
    Trust::Unknown
}

/// What the configuration of this name publishes for our entry; `None` while it publishes nothing that can be used.
pub(super) fn published_trust(name: &str, configuration: &MutatingWebhookConfiguration) -> Option<Trust> {
    let client = &entry(configuration)?.client_config;
    let authorities = Authorities::from_pem(&described(name), ca_bundle(client)?).ok()?;
    Some(Trust::In(authorities, server_name(client)?))
}

/// What a caBundle is called in sentences.
pub(super) fn described(name: &str) -> String {
    format!("caBundle of mutatingwebhookconfiguration/{name}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trusted(client: &serde_json::Value) -> Trust {
        let entry = json!({
            "name": "executors.spark-swap.io", "clientConfig": client, "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        });
        trust("spark-swap", &serde_json::from_value(json!({"webhooks": [entry]})).unwrap())
    }

    /// cert-manager's injector has not been there yet, for example.
    #[test]
    fn an_empty_ca_bundle_trusts_nobody_for_a_service_and_public_authorities_for_a_url() {
        let service = json!({"service": {"namespace": "spark-swap", "name": "spark-swap"}});
        let url = json!({"url": "https://swap.example/mutate"});
        assert!(matches!(trusted(&service), Trust::Nobody(why) if why.contains("is empty")));
        assert!(matches!(trusted(&url), Trust::Unknown));
    }

    #[test]
    fn a_configuration_without_our_entry_says_nothing() {
        assert!(matches!(trust("spark-swap", &MutatingWebhookConfiguration::default()), Trust::Unknown));
    }
}
