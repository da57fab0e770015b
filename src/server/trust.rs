//! Whether the API server would trust a certificate that is served: judged as its own verifier judges.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::aws_lc_rs;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

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
    pub fn verify(&self, chain: &[CertificateDer<'_>], now: i64) -> Result<(), String> {
        match self {
            Self::Unknown => Ok(()),
            Self::In(authorities, name) => authorities.verify(chain, name, now),
            Self::Nobody(why) => Err(why.clone()),
        }
    }
}

/// A certificate, and what matters of it.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: CertificateDer<'static>,
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// In seconds since 1970, as the following one.
    pub not_before: i64,
    /// The last second of its validity.
    pub not_after: i64,
}

impl Certificate {
    /// Reads a certificate.
    ///
    /// # Errors
    /// It is none; the sentence goes on after its name.
    pub fn parse(der: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, parsed) =
            parse_x509_certificate(der).map_err(|error| format!("is no X.509 certificate: {error}"))?;
        let validity = parsed.validity();
        Ok(Self {
            der: der.clone().into_owned(),
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }

    /// It is in its time.
    pub fn is_valid_at(&self, time: i64) -> bool {
        (self.not_before..=self.not_after).contains(&time)
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
        let ders = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let ders = ders.map_err(|error| format!("{of} is not PEM: {error}"))?;
        if ders.is_empty() {
            return Err(format!("{of} holds no certificate (no -----BEGIN CERTIFICATE----- section)"));
        }
        let parse = |der| Certificate::parse(der).map_err(|problem| format!("{of}: {problem}"));
        let certificates = ders.iter().map(parse).collect::<Result<_, _>>()?;
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
    pub fn verify(&self, chain: &[CertificateDer<'_>], name: &str, now: i64) -> Result<(), String> {
        let (leaf, intermediates) = chain.split_first().ok_or("no certificate is served")?;
        let parsed = Certificate::parse(leaf).map_err(|problem| format!("what is served {problem}"))?;
        // webpki takes no interest in the validity of an authority; the API server does.
        let valid: Vec<&Certificate> =
            self.certificates.iter().filter(|root| root.is_valid_at(now)).collect();
        if valid.is_empty() {
            return Err(format!("no authority in {} is valid now", self.of));
        }
        if valid.iter().any(|root| root.der == *leaf) && parsed.is_valid_at(now) {
            // Trusted by itself, whether or not it may sign others.
            return is_for(chain, name);
        }
        let server_name = server_name(name)?;
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(valid.iter().map(|root| root.der.clone()));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
        let verifier = verifier.map_err(|error| format!("{}: {error}", self.of))?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now.unsigned_abs()));
        let outcome = verifier.verify_server_cert(leaf, intermediates, &server_name, &[], time);
        outcome.map(drop).map_err(|error| match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                format!(
                    "the certificate is not from an authority in {}; its issuer is {}",
                    self.of, parsed.issuer
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
    let parsed = Certificate::parse(leaf).map_err(|problem| format!("what is served {problem}"))?;
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
            format!("the certificate is not for {name}; it is for {}", names(&leaf.der))
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate expired on {}", date(leaf.not_after))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate is not valid before {}", date(leaf.not_before))
        }
        problem => problem.to_string(),
    }
}

fn names(leaf: &CertificateDer<'_>) -> String {
    let Ok((_, parsed)) = parse_x509_certificate(leaf) else { return "no name".to_owned() };
    let alternatives = parsed.subject_alternative_name().ok().flatten();
    let names = alternatives.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    let names: Vec<String> = names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .collect();
    if names.is_empty() { "no name".to_owned() } else { names.join(", ") }
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| IpAddr::from(bytes).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| IpAddr::from(bytes).to_string())).ok()
}

/// The day of a second since 1970: `2027-01-01`.
pub fn date(second: i64) -> String {
    Timestamp::from_second(second)
        .map_or_else(|_| "a day beyond the calendar".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
}
