//! Self-made certificates: an authority and the server certificates it issues.
//!
//! rcgen's defaults are traps (validity 1975 to 4096, one name for authority and leaf, no key identifiers), so
//! everything a verifier looks at is set here.

use std::net::IpAddr;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use time::{Duration, OffsetDateTime};

/// The names a self-made certificate is valid for when nothing else is asked for: this machine, and the Service
/// `spark-swap` in the namespace `spark-swap`.
pub const DEFAULT_NAMES: [&str; 5] =
    ["localhost", "127.0.0.1", "::1", "spark-swap.spark-swap.svc", "spark-swap.spark-swap.svc.cluster.local"];

/// A certificate authority; those made here have an ECDSA P-256 key.
pub struct Authority {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority named `spark-swap CA`. It signs server certificates only, no further authorities.
    pub fn new(validity: Validity) -> Result<Self, rcgen::Error> {
        Self::named("spark-swap CA", validity, new_key()?)
    }

    /// Makes a new authority for the certificates of clients.
    pub fn of_clients(validity: Validity) -> Result<Self, rcgen::Error> {
        Self::named("spark-swap client CA", validity, new_key()?)
    }

    /// Makes a new authority whose name no other has: verifiers find an issuer by its name, and of two authorities
    /// with one name some of them try only the first.
    pub fn distinct(validity: Validity) -> Result<Self, rcgen::Error> {
        let key = new_key()?;
        let identifier = CertificateParams::default().key_identifier(&key);
        let number = identifier.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        Self::named(&format!("spark-swap CA {number:08x}"), validity, key)
    }

    /// Takes up an authority that was kept as PEM. The key has to be the certificate's.
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, rcgen::Error> {
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, KeyPair::from_pem(key_pem)?)?;
        Ok(Self { certificate_pem: certificate_pem.to_owned(), issuer })
    }

    fn named(name: &str, validity: Validity, key: KeyPair) -> Result<Self, rcgen::Error> {
        let mut params = params(name, validity);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate_pem = params.self_signed(&key)?.pem();
        Ok(Self { certificate_pem, issuer: Issuer::new(params, key) })
    }

    /// The authority's certificate: what a `caBundle` holds.
    pub fn certificate_pem(&self) -> String {
        self.certificate_pem.clone()
    }

    /// The authority's private key, PKCS#8.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Issues a server certificate for host names and IP addresses.
    pub fn issue(&self, names: &[String], validity: Validity) -> Result<Issued, rcgen::Error> {
        let mut params = params("spark-swap", validity);
        params.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// Issues a client certificate with this common name.
    pub fn issue_client(&self, name: &str, validity: Validity) -> Result<Issued, rcgen::Error> {
        let mut params = params(name, validity);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Issued, rcgen::Error> {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = new_key()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}

/// A certificate of a server or client, and its key.
pub struct Issued {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// The private key, PKCS#8 in PEM.
    pub key_pem: String,
}

/// From when to when a certificate is valid.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

impl Validity {
    /// `days` from now, and five minutes back for clocks that are behind.
    pub fn days_from(now: OffsetDateTime, days: u32) -> Self {
        Self {
            not_before: now.saturating_sub(Duration::minutes(5)),
            not_after: now.saturating_add(Duration::days(days.into())),
        }
    }

    /// Exactly these times, to the second. None if a certificate cannot hold them.
    pub fn between(not_before: Timestamp, not_after: Timestamp) -> Option<Self> {
        let date = |time: Timestamp| OffsetDateTime::from_unix_timestamp(time.as_second()).ok();
        Some(Self { not_before: date(not_before)?, not_after: date(not_after)? })
    }
}

/// Checks a name for a certificate: an IP address or a DNS name, possibly with `*.` in front.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_')
    };
    let labels = name.strip_prefix("*.").unwrap_or(name);
    if name.len() <= 253 && labels.split('.').all(is_label) {
        Ok(())
    } else {
        Err("expected a DNS name such as spark-swap.spark-swap.svc, or an IP address".to_owned())
    }
}

fn params(common_name: &str, validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = validity.not_before;
    params.not_after = validity.not_after;
    params.use_authority_key_identifier_extension = true;
    params
}

fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}
