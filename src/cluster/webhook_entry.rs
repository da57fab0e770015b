//! Our entry in a MutatingWebhookConfiguration: by which name the API server calls us, and whom it trusts for it.

use http::Uri;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhook, MutatingWebhookConfiguration, WebhookClientConfig,
};

/// The name of the webhook configuration's entry: by it the webhook is known, whatever the configuration is called.
pub const ENTRY: &str = "executors.spark-swap.io";

/// Namespaces that the webhook is not asked about: what keeps the cluster up must not wait for it.
pub const NEVER_ASKED: [&str; 2] = ["kube-system", "kube-node-lease"];

/// Our entry, if the configuration has it.
pub fn entry(configuration: &MutatingWebhookConfiguration) -> Option<&MutatingWebhook> {
    configuration.webhooks.iter().flatten().find(|entry| entry.name == ENTRY)
}

/// The certificates that are published, PEM; `None` while there are none.
pub fn ca_bundle(client: &WebhookClientConfig) -> Option<&[u8]> {
    client
        .ca_bundle
        .as_ref()
        .map(|bundle| bundle.0.as_slice())
        .filter(|bundle| !bundle.trim_ascii().is_empty())
}

/// The name that the API server wants in the certificate.
pub fn server_name(client: &WebhookClientConfig) -> Option<String> {
    if let Some(service) = &client.service {
        return Some(format!("{}.{}.svc", service.name, service.namespace));
    }
    let url: Uri = client.url.as_ref()?.parse().ok()?;
    Some(url.host()?.trim_matches(['[', ']']).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn client(client: &Value) -> WebhookClientConfig {
        serde_json::from_value(client.clone()).unwrap()
    }

    #[test]
    fn the_name_is_the_services_or_the_urls_host() {
        let service = json!({"service": {"namespace": "tools", "name": "swap", "port": 8443}});
        for (config, name) in [
            (service, "swap.tools.svc"),
            (json!({"url": "https://swap.example:8443/mutate"}), "swap.example"),
            (json!({"url": "https://127.0.0.1:8443/mutate"}), "127.0.0.1"),
            (json!({"url": "https://[::1]:8443/mutate"}), "::1"),
        ] {
            assert_eq!(server_name(&client(&config)).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_blank_ca_bundle_is_none() {
        // What GitOps tools and hand-written manifests leave there: nothing, an empty string, a line break.
        for blank in [json!({}), json!({"caBundle": ""}), json!({"caBundle": "Cg=="})] {
            assert_eq!(ca_bundle(&client(&blank)), None, "{blank}");
        }
        assert_eq!(ca_bundle(&client(&json!({"caBundle": "eA=="}))), Some(&b"x"[..]));
    }

    #[test]
    fn entries_of_others_are_not_ours() {
        let configuration = |names: &[&str]| -> MutatingWebhookConfiguration {
            let entry = |name| json!({"name": name, "admissionReviewVersions": [], "clientConfig": {}, "sideEffects": "None"});
            let entries: Vec<Value> = names.iter().map(entry).collect();
            serde_json::from_value(json!({"webhooks": entries})).unwrap()
        };
        assert!(entry(&configuration(&["a.example", ENTRY])).is_some());
        assert!(entry(&configuration(&["a.example"])).is_none());
        assert!(entry(&MutatingWebhookConfiguration::default()).is_none());
    }
}
