//! Whether the API server would trust a certificate that is served: judged as its own verifier judges.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::aws_lc_rs;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::cluster::certificates::certificate::Certificate;

/// What is known of the API server's trust in the webhook.
#[derive(Debug, Default)]
pub enum Trust {
    /// Nothing: whatever is served may be what it trusts.
    #[default]
    Unknown,
    /// It trusts these authorities, and calls the webhook by this name.
    In(Authorities, String),
    /// It trusts nobody yet: why.
    Nobody(String),
}

impl Trust {
    /// Would the API server trust this chain?
    ///
    /// # Errors
    /// Why not.
    pub fn verify(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), String> {
        match self {
            Self::Unknown => Ok(()),
            Self::In(authorities, name) => authorities.verify(chain, name, now),
            Self::Nobody(why) => Err(why.clone()),
        }
    }
}

/// Authorities that a certificate may be from, and what they are known by.
#[derive(Clone, Debug)]
pub struct Authorities {
    of: String,
    certificates: Vec<Certificate>,
}

impl Authorities {
    /// Reads one certificate or more. `of` is what they are from: `caBundle`.
    ///
    /// # Errors
    /// Something in it is no certificate, or nothing is one.
    pub fn from_pem(of: &str, pem: &[u8]) -> Result<Self, String> {
        let certificates = Certificate::read_all(pem).map_err(|problem| format!("{of} {problem}"))?;
        if certificates.is_empty() {
            return Err(format!("{of} holds no certificate (no -----BEGIN CERTIFICATE----- section)"));
        }
        Ok(Self { of: of.to_owned(), certificates })
    }

    /// At least one.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Would a client that trusts these take the chain for that of `name`?
    ///
    /// # Errors
    /// Why not.
    pub fn verify(&self, chain: &[CertificateDer<'_>], name: &str, now: Timestamp) -> Result<(), String> {
        let (leaf, intermediates) = chain.split_first().ok_or("no certificate is served")?;
        let parsed = Certificate::parse(leaf.clone().into_owned())
            .map_err(|problem| format!("what is served {problem}"))?;
        // webpki takes no interest in the validity of an authority; the API server does.
        let valid: Vec<&Certificate> =
            self.certificates.iter().filter(|root| root.is_valid_at(now)).collect();
        if valid.is_empty() {
            return Err(format!("no authority in {} is valid now", self.of));
        }
        if valid.iter().any(|root| root.der() == leaf) && parsed.is_valid_at(now) {
            // Trusted by itself, whether or not it may sign others.
            return is_for(chain, name);
        }
        let server_name = server_name(name)?;
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(valid.iter().map(|root| root.der().clone()));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
        let verifier = verifier.map_err(|error| format!("{}: {error}", self.of))?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now.as_second().unsigned_abs()));
        let outcome = verifier.verify_server_cert(leaf, intermediates, &server_name, &[], time);
        outcome.map(drop).map_err(|error| match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                format!(
                    "the certificate is not from an authority in {}; its issuer is {}",
                    self.of,
                    parsed.issuer()
                )
            }
            error => explained(&error, &parsed, name),
        })
    }
}

/// The first certificate of a chain is valid for this name.
///
/// # Errors
/// Why not.
pub fn is_for(chain: &[CertificateDer<'_>], name: &str) -> Result<(), String> {
    let leaf = chain.first().ok_or("no certificate is served")?;
    let parsed = Certificate::parse(leaf.clone().into_owned())
        .map_err(|problem| format!("what is served {problem}"))?;
    let server_name = server_name(name)?;
    ParsedCertificate::try_from(leaf)
        .and_then(|leaf| verify_server_name(&leaf, &server_name))
        .map_err(|error| explained(&error, &parsed, name))
}

fn server_name(name: &str) -> Result<ServerName<'_>, String> {
    ServerName::try_from(name).map_err(|_| format!("{name:?} is no name of a server"))
}

fn explained(error: &Error, leaf: &Certificate, name: &str) -> String {
    let Error::InvalidCertificate(problem) = error else { return error.to_string() };
    match problem {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the certificate is not for {name}; it is for {}", names(leaf))
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate expired on {}", date(leaf.not_after()))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate is not valid before {}", date(leaf.not_before()))
        }
        problem => problem.to_string(),
    }
}

fn names(leaf: &Certificate) -> String {
    if leaf.names().is_empty() { "no name".to_owned() } else { leaf.names().join(", ") }
}

/// The day of a time: `2027-01-01`.
pub fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}
