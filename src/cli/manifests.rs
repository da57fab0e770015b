//! `spark-swap manifests`: the objects that make an API server call the webhook.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::{Failure, print};
use crate::server::mutate;
use crate::sizing::state::{CLASS_LABEL, OPT_OUT};

/// Print the MutatingWebhookConfiguration, ready for `kubectl apply -f -`.
///
/// It calls the webhook for Spark executors only (label spark-role=executor, CREATE), never for kube-system, for our own
/// namespace, for pods and namespaces that opted out (label spark-swap.io/class=none), for mirror pods or for pods that
/// carry a plan already. When the webhook cannot be reached within 2 seconds, pods are admitted unchanged.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Manifests {
    #[command(flatten)]
    target: Target,
    /// The certificate authority (PEM) that the API server trusts for the webhook. Without it, caBundle is left out: for
    /// a public authority, or when something else (cert-manager, spark-swap itself) fills it in
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The name of the configuration
    #[arg(long, default_value = "spark-swap", value_parser = parse_dns_name)]
    name: String,
    /// The namespace of spark-swap itself, which the webhook never acts on [default: the namespace of --service, else
    /// spark-swap]
    #[arg(long, value_parser = parse_label)]
    namespace: Option<String>,
    /// The format
    #[arg(short, long, value_enum, default_value_t = Output::Yaml)]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  spark-swap manifests --service spark-swap/spark-swap --ca certs/ca.crt | kubectl apply -f -
  spark-swap manifests --url https://192.0.2.7:8443/mutate --ca ca.crt -o json";

/// Where the API server finds the webhook.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Target {
    /// The webhook's URL, as the API server reaches it; without a path, /mutate is added
    #[arg(long, value_parser = parse_url)]
    url: Option<String>,
    /// The webhook's Service
    #[arg(long, value_name = "NAMESPACE/NAME[:PORT]", value_parser = parse_service)]
    service: Option<Service>,
}

#[derive(Clone, Debug)]
struct Service {
    namespace: String,
    name: String,
    port: u16,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Yaml,
    Json,
}

impl Manifests {
    /// Runs the command.
    pub fn run(self) -> Result<(), Failure> {
        let configuration = self.configuration()?;
        let text = match self.output {
            Output::Yaml => serde_saphyr::to_string(&configuration).map_err(|error| error.to_string()),
            Output::Json => serde_json::to_string_pretty(&configuration).map_err(|error| error.to_string()),
        };
        let text = text.map_err(|error| Failure::bad_input("output", error))?;
        print(&format!("{}\n", text.trim_end()))
    }

    fn configuration(&self) -> Result<Value, Failure> {
        let mut client = match &self.target.service {
            Some(Service { namespace, name, port }) => {
                json!({"service": {"namespace": namespace, "name": name, "port": port, "path": mutate::PATH}})
            }
            None => json!({"url": self.target.url}),
        };
        if let (Some(path), Some(client)) = (&self.ca, client.as_object_mut()) {
            client.insert("caBundle".to_owned(), Value::String(ca_bundle(path)?));
        }
        let own_namespace = match (&self.namespace, &self.target.service) {
            (Some(namespace), _) | (None, Some(Service { namespace, .. })) => namespace,
            (None, None) => "spark-swap",
        };
        let opted_in = json!({"key": CLASS_LABEL, "operator": "NotIn", "values": [OPT_OUT]});
        let never = ["kube-system", "kube-node-lease", own_namespace];
        Ok(json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {
                "name": self.name,
                "labels": {
                    "app.kubernetes.io/name": "spark-swap",
                    "app.kubernetes.io/instance": self.name,
                    "app.kubernetes.io/component": "webhook",
                    "app.kubernetes.io/version": env!("CARGO_PKG_VERSION"),
                },
            },
            "webhooks": [{
                "name": "executors.spark-swap.io",
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
                "sideEffects": "None",
            }],
        }))
    }
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

fn parse_url(text: &str) -> Result<String, String> {
    let expected = || "expected https://HOST[:PORT][/PATH]".to_owned();
    let rest = text.strip_prefix("https://").ok_or_else(expected)?;
    if rest.is_empty() || rest.contains(['@', '?', '#', ' ']) {
        return Err(expected());
    }
    match rest.split_once('/') {
        None => Ok(format!("{text}{}", mutate::PATH)),
        Some(("", _)) => Err(expected()),
        Some((_, "")) => Ok(format!("{}{}", text.trim_end_matches('/'), mutate::PATH)),
        Some(_) => Ok(text.to_owned()),
    }
}

fn parse_service(text: &str) -> Result<Service, String> {
    let expected =
        || "expected NAMESPACE/NAME or NAMESPACE/NAME:PORT, such as spark-swap/spark-swap:443".to_owned();
    let (namespace, rest) = text.split_once('/').ok_or_else(expected)?;
    let (name, port) = match rest.split_once(':') {
        None => (rest, 443),
        Some((name, port)) => (name, port.parse().ok().filter(|port| *port > 0).ok_or_else(expected)?),
    };
    let namespace = parse_label(namespace).map_err(|_| expected())?;
    let name = parse_label(name).map_err(|_| expected())?;
    Ok(Service { namespace, name, port })
}

/// An RFC 1123 label, as names of namespaces and services are.
fn parse_label(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.len() <= 63
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
    fits.then(|| text.to_owned()).ok_or_else(|| "expected lower-case letters, digits and '-'".to_owned())
}

/// An RFC 1123 subdomain, as names of configurations are.
fn parse_dns_name(text: &str) -> Result<String, String> {
    text.split('.').try_for_each(|label| parse_label(label).map(drop))?;
    if text.len() > 63 { Err("longer than 63 letters".to_owned()) } else { Ok(text.to_owned()) }
}
