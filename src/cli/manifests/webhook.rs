//! The MutatingWebhookConfiguration: which pods the API server shows to the webhook, and how.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::target::{Service, Target};
use crate::cli::Failure;
use crate::cluster::webhook_entry::{ENTRY, NEVER_ASKED};
use crate::server::mutate;
use crate::sizing::state::{CLASS_LABEL, OPT_OUT};

/// The configuration for a webhook at `target`, whose own namespace is never acted on. `ca` is a file of certificates.
pub(super) fn configuration(
    name: &str,
    target: &Target,
    ca: Option<&Path>,
    own_namespace: &str,
) -> Result<Value, Failure> {
    let mut client = match (&target.url, &target.service) {
        (Some(url), _) => json!({"url": url}),
        (None, Some(service)) => client_of(service),
        (None, None) => client_of(&Service::default_in(own_namespace)),
    };
    if let (Some(path), Some(client)) = (ca, client.as_object_mut()) {
        client.insert("caBundle".to_owned(), Value::String(ca_bundle(path)?));
    }
    let opted_in = json!({"key": CLASS_LABEL, "operator": "NotIn", "values": [OPT_OUT]});
    let [system, leases] = NEVER_ASKED;
    let never = [system, leases, own_namespace];
    Ok(json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/name": "spark-swap",
                "app.kubernetes.io/instance": name,
                "app.kubernetes.io/component": "webhook",
                "app.kubernetes.io/version": env!("CARGO_PKG_VERSION"),
            },
        },
        "webhooks": [{
            "name": ENTRY,
            "admissionReviewVersions": ["v1"],
            "clientConfig": client,
            "rules": [{
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
                "scope": "Namespaced",
            }],
            "objectSelector": {
                "matchLabels": {"spark-role": "executor"},
                "matchExpressions": [opted_in],
            },
            "namespaceSelector": {
                "matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": never},
                    opted_in,
                ],
            },
            "matchConditions": [
                {"name": "not-opted-out", "expression": format!(
                    "{} || object.metadata.labels['{CLASS_LABEL}'] != '{OPT_OUT}'", lacks("labels", CLASS_LABEL)
                )},
                {"name": "not-a-mirror-pod", "expression": lacks("annotations", "kubernetes.io/config.mirror")},
                {"name": "not-planned", "expression": lacks("annotations", "spark-swap.io/plan")},
            ],
            "matchPolicy": "Equivalent",
            "failurePolicy": "Ignore",
            "timeoutSeconds": 2,
            "reinvocationPolicy": "IfNeeded",
            // Events about executors, none of them for a dry run.
            "sideEffects": "NoneOnDryRun",
        }],
    }))
}

fn client_of(Service { namespace, name, port }: &Service) -> Value {
    json!({"service": {"namespace": namespace, "name": name, "port": port, "path": mutate::PATH}})
}

/// The CEL expression that holds when a label or annotation is absent, also when there are none at all.
fn lacks(map: &str, key: &str) -> String {
    format!("!has(object.metadata.{map}) || !('{key}' in object.metadata.{map})")
}

/// The file's certificates and nothing else of it, so that a key beside them is not published.
fn ca_bundle(path: &Path) -> Result<String, Failure> {
    let bad = |problem: String| Failure::bad_input(path.display(), problem);
    let text = fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad(format!("not valid PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(bad("there is no certificate (no -----BEGIN CERTIFICATE----- section)".to_owned()));
    }
    let mut bundle = String::new();
    let mut is_certificate = false;
    for line in text.lines() {
        is_certificate |= line.starts_with("-----BEGIN CERTIFICATE-----");
        if is_certificate {
            bundle.push_str(line);
            bundle.push('\n');
        }
        is_certificate &= !line.starts_with("-----END CERTIFICATE-----");
    }
    Ok(STANDARD.encode(bundle))
}
