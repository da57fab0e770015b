//! An X.509 certificate with what rotation and readiness look at, and a private key that is never shown.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use pem::{EncodeConfig, LineEnding, Pem};
use rcgen::{KeyPair, PublicKeyData};
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::aws_lc_rs;
use rustls::server::ParsedCertificate;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// An X.509 certificate. Two are the same if their DER is.
#[derive(Clone)]
pub struct Certificate {
    der: CertificateDer<'static>,
    subject: String,
    issuer: String,
    not_before: Timestamp,
    not_after: Timestamp,
    names: Vec<String>,
    is_authority: bool,
    public_key: Vec<u8>,
}

impl Certificate {
    /// Reads a DER certificate. Dates beyond the calendar count as its last day.
    ///
    /// # Errors
    /// It is none; the sentence goes on after its name.
    pub fn parse(der: CertificateDer<'static>) -> Result<Self, String> {
        let (_, parsed) =
            parse_x509_certificate(&der).map_err(|error| format!("is no X.509 certificate: {error}"))?;
        let time = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
        let names = parsed.subject_alternative_name().ok().flatten().map(|extension| extension.value);
        let names = names.iter().flat_map(|names| &names.general_names).filter_map(text).collect();
        Ok(Self {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            not_before: time(parsed.validity().not_before.timestamp()),
            not_after: time(parsed.validity().not_after.timestamp()),
            names,
            is_authority: parsed.is_ca(),
            public_key: parsed.public_key().raw.to_vec(),
            der,
        })
    }

    /// Reads every certificate of a PEM text.
    pub fn read_all(pem: &[u8]) -> Result<Vec<Self>, String> {
        let ders = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        ders.map_err(|error| format!("is not PEM: {error}"))?.into_iter().map(Self::parse).collect()
    }

    /// Reads the first certificate of a PEM text.
    pub fn read(pem: &[u8]) -> Result<Self, String> {
        let first = Self::read_all(pem)?.into_iter().next();
        first.ok_or_else(|| "holds no certificate (no -----BEGIN CERTIFICATE----- section)".to_owned())
    }

    /// The certificate in PEM.
    pub fn pem(&self) -> String {
        let block = Pem::new("CERTIFICATE", self.der.as_ref());
        pem::encode_config(&block, EncodeConfig::new().set_line_ending(LineEnding::LF))
    }

    /// The certificate in DER.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// Whose it is.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Who signed it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The DNS names and IP addresses it is for.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// From when it is valid.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// It may sign others.
    pub fn is_authority(&self) -> bool {
        self.is_authority
    }

    /// Verifiers accept its dates at this time.
    pub fn is_valid_at(&self, time: Timestamp) -> bool {
        (self.not_before..=self.not_after).contains(&time)
    }

    /// It is valid for this DNS name or IP address.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.contains(&canonical(name))
    }

    /// `authority` signed it, as a TLS client sees it; whether both are still valid is another question.
    pub fn is_signed_by(&self, authority: &Self) -> bool {
        let mut roots = RootCertStore::empty();
        if !authority.is_authority || roots.add(authority.der.clone()).is_err() {
            return false;
        }
        let Ok(leaf) = ParsedCertificate::try_from(&self.der) else { return false };
        let Ok(seconds) = u64::try_from(self.not_before.as_second()) else { return false };
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&leaf, &roots, &[], time, algorithms).is_ok()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Certificate({}, {} to {})", self.subject, self.not_before, self.not_after)
    }
}

/// A private key in PEM; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey {
    pem: String,
}

impl PrivateKey {
    /// Reads a key and checks that it belongs to the certificate.
    pub fn read(pem: &[u8], certificate: &Certificate) -> Result<Self, String> {
        let pem = str::from_utf8(pem).map_err(|_| "is not PEM")?;
        let key = KeyPair::from_pem(pem).map_err(|_| "holds no usable private key (PKCS#8 in PEM)")?;
        if key.subject_public_key_info() != certificate.public_key {
            return Err("does not belong to the certificate".to_owned());
        }
        Ok(Self { pem: pem.to_owned() })
    }

    /// The key in PEM. Handle with care.
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PrivateKey { .. }")
    }
}

/// A name of a certificate as text.
fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(canonical(name)),
        GeneralName::IPAddress(octets) => {
            let address = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            let address = address.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// One spelling per name.
fn canonical(name: &str) -> String {
    name.parse::<IpAddr>().map_or_else(|_| name.to_ascii_lowercase(), |address| address.to_string())
}
