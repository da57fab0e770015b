//! Where the certificate comes from: the flags, and what they come to.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use crate::cli::certs::parse_name;
use crate::cli::{Failure, duration, names};
use crate::cluster::certificates::RotationPolicy;
use crate::cluster::one_object::SecretName;
use crate::server::self_managed::Settings;
use crate::sizing::label_syntax::check_dns_subdomain;

/// What spark-swap, its namespace, its Service and its webhook configuration are called where nothing else is said.
const DEFAULT_NAME: &str = "spark-swap";

/// The flags about the certificate.
#[derive(Args, Debug)]
#[command(next_help_heading = "Certificate")]
pub(super) struct CertificateFlags {
    /// Where the certificate comes from [default: files with --tls-cert, memory without a cluster or with --write-ca,
    /// else self]
    #[arg(long, value_enum, value_name = "SOURCE", env = "SPARK_SWAP_TLS_SOURCE")]
    tls_source: Option<SourceKind>,
    /// The server's certificate chain (PEM, leaf first). Read again by content every 5 s, with the key
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "SPARK_SWAP_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM: PKCS#8, PKCS#1 or SEC1)
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "SPARK_SWAP_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// A further name of the certificate that is made here: DNS name or IP address; repeatable
    #[arg(
        long, value_name = "NAME", value_delimiter = ',', value_parser = parse_name, conflicts_with = "tls_cert",
        env = "SPARK_SWAP_TLS_SAN"
    )]
    tls_san: Vec<String>,
    /// Write the authority of a certificate in memory (PEM) to this file instead of printing it
    #[arg(long, value_name = "FILE", conflicts_with = "tls_cert", env = "SPARK_SWAP_WRITE_CA")]
    write_ca: Option<PathBuf>,
    /// The Secret of the certificate, for the sources self and secret [default namespace: that of --namespace]
    #[arg(
        long, value_name = "[NAMESPACE/]NAME", default_value = "spark-swap-tls", value_parser = parse_secret,
        env = "SPARK_SWAP_TLS_SECRET"
    )]
    tls_secret: SecretFlag,
    /// The namespace that spark-swap is installed in [default: the pod's own, else spark-swap]
    #[arg(long, value_name = "NAME", value_parser = names::namespace, env = "SPARK_SWAP_NAMESPACE")]
    namespace: Option<String>,
    /// The Service that the API server calls; the certificate is made for its names
    #[arg(
        long, value_name = "NAME", default_value = DEFAULT_NAME, value_parser = names::label,
        env = "SPARK_SWAP_SERVICE_NAME"
    )]
    service_name: String,
    /// The MutatingWebhookConfiguration by which the API server calls: ready is who serves a certificate that its
    /// caBundle trusts [default: spark-swap for the source self, else none]
    #[arg(long, value_name = "NAME", value_parser = parse_object_name, env = "SPARK_SWAP_WEBHOOK_CONFIGURATION")]
    webhook_configuration: Option<String>,
    /// Whether the source self keeps the caBundle of the webhook configuration up to date. false: somebody else does,
    /// and is given the time of --ca-propagation
    #[arg(
        long, value_name = "true|false", default_value_t = true, action = ArgAction::Set,
        env = "SPARK_SWAP_MANAGE_CA_BUNDLE"
    )]
    manage_ca_bundle: bool,
    /// How long an authority made by the source self is valid. It is replaced in good time
    #[arg(
        long, value_name = "DURATION", default_value = "365d", value_parser = duration::parse,
        env = "SPARK_SWAP_CA_LIFETIME"
    )]
    ca_lifetime: Duration,
    /// How long a certificate made by the source self is valid. It is renewed in good time
    #[arg(
        long, value_name = "DURATION", default_value = "60d", value_parser = duration::parse,
        env = "SPARK_SWAP_TLS_LIFETIME"
    )]
    tls_lifetime: Duration,
    /// How long a new authority is published before it is used, so that every API server knows it
    #[arg(
        long, value_name = "DURATION", default_value = "10m", value_parser = duration::parse,
        env = "SPARK_SWAP_CA_PROPAGATION"
    )]
    ca_propagation: Duration,
}

/// The word of `--tls-source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SourceKind {
    /// Made and rotated here, kept in a Secret that all replicas share, and published as the caBundle
    #[value(name = "self")]
    SelfManaged,
    /// A Secret that somebody else fills, such as cert-manager (keys tls.crt and tls.key)
    Secret,
    /// --tls-cert and --tls-key
    Files,
    /// Made at every start and kept nowhere; its authority is printed, or written by --write-ca
    Memory,
}

/// The value of `--tls-secret`.
#[derive(Clone, Debug)]
struct SecretFlag {
    namespace: Option<String>,
    name: String,
}

/// Where the certificate comes from, with all that this takes.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) source: Source,
    /// The webhook configuration to look at.
    pub(super) webhook_configuration: Option<String>,
}

/// Where the certificate comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// Made and rotated here.
    SelfManaged(Settings),
    /// Somebody else's Secret.
    Secret(SecretName),
    /// Files that somebody else renews.
    Files { certificate: PathBuf, key: PathBuf },
    /// Made at the start, with these names besides the usual ones.
    Memory { names: Vec<String>, write_ca: Option<PathBuf> },
}

impl CertificateFlags {
    /// What the flags come to. `own_namespace` is that of the pod we run in.
    pub(super) fn resolve(
        &self,
        has_cluster: bool,
        own_namespace: Option<String>,
    ) -> Result<Certificate, Failure> {
        let kind = self.kind(has_cluster)?;
        let needs_cluster = matches!(kind, SourceKind::SelfManaged | SourceKind::Secret);
        if needs_cluster && !has_cluster {
            return Err(bad_input(
                "--tls-source: self and secret need a cluster, and there is none; name one with --kubeconfig",
            ));
        }
        if self.webhook_configuration.is_some() && !has_cluster {
            return Err(bad_input("--webhook-configuration needs a cluster, and there is none"));
        }
        let namespace = self.namespace.clone().or(own_namespace).unwrap_or_else(|| DEFAULT_NAME.to_owned());
        let SecretFlag { namespace: apart, name } = self.tls_secret.clone();
        let secret = SecretName { namespace: apart.unwrap_or_else(|| namespace.clone()), name };
        let mut webhook_configuration = self.webhook_configuration.clone();
        let source = match kind {
            SourceKind::SelfManaged => {
                let configuration = webhook_configuration.take().unwrap_or_else(|| DEFAULT_NAME.to_owned());
                let service = format!("{}.{namespace}.svc", self.service_name);
                let of_service = [
                    service.clone(),
                    format!("{}.{namespace}", self.service_name),
                    format!("{service}.cluster.local"),
                ];
                let policy = RotationPolicy {
                    ca_lifetime: self.ca_lifetime,
                    tls_lifetime: self.tls_lifetime,
                    ca_propagation: self.ca_propagation,
                    names: of_service.into_iter().chain(self.tls_san.iter().cloned()).collect(),
                    manage_ca_bundle: self.manage_ca_bundle,
                };
                policy.check().map_err(|problem| bad_input(&format!("--{problem}")))?;
                Source::SelfManaged(Settings { secret, configuration, service, policy })
            }
            SourceKind::Secret => Source::Secret(secret),
            SourceKind::Files => match (self.tls_cert.clone(), self.tls_key.clone()) {
                (Some(certificate), Some(key)) => Source::Files { certificate, key },
                _ => return Err(bad_input("--tls-source files: needs --tls-cert and --tls-key")),
            },
            SourceKind::Memory => {
                Source::Memory { names: self.tls_san.clone(), write_ca: self.write_ca.clone() }
            }
        };
        Ok(Certificate { source, webhook_configuration })
    }

    /// The source that is named, if the other flags are for it, else the one that they are for.
    fn kind(&self, has_cluster: bool) -> Result<SourceKind, Failure> {
        let derived = if self.tls_cert.is_some() {
            SourceKind::Files
        } else if self.write_ca.is_some() || !has_cluster {
            SourceKind::Memory
        } else {
            SourceKind::SelfManaged
        };
        let kind = self.tls_source.unwrap_or(derived);
        let is_made_here = matches!(kind, SourceKind::SelfManaged | SourceKind::Memory);
        let foreign = [
            ("--tls-cert", self.tls_cert.is_some() && kind != SourceKind::Files, "files"),
            ("--write-ca", self.write_ca.is_some() && kind != SourceKind::Memory, "memory"),
            ("--tls-san", !self.tls_san.is_empty() && !is_made_here, "self or memory"),
        ];
        match foreign.into_iter().find(|(_, is_foreign, _)| *is_foreign) {
            Some((flag, _, source)) => Err(bad_input(&format!("{flag} is for --tls-source {source}"))),
            None => Ok(kind),
        }
    }
}

fn bad_input(problem: &str) -> Failure {
    Failure::BadInput(problem.to_owned())
}

fn parse_secret(text: &str) -> Result<SecretFlag, String> {
    let (namespace, name) = match text.split_once('/') {
        Some((namespace, name)) => (Some(names::namespace(namespace)?), name),
        None => (None, text),
    };
    Ok(SecretFlag { namespace, name: parse_object_name(name)? })
}

fn parse_object_name(name: &str) -> Result<String, String> {
    check_dns_subdomain(name).map_err(|problem| format!("{name:?} {problem}"))?;
    Ok(name.to_owned())
}
