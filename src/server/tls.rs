//! TLS as the API server needs it: HTTP/1.1 only, no tickets, and a certificate that is replaced without touching
//! the listener or open connections.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::parse_x509_certificate;

use super::client_certificates::ClientCertificates;
use super::trust::Trust;

/// The TLS configuration, made once; the certificate changes inside `certificate`.
///
/// Draws random bytes: aws-lc seeds its generator then, which would otherwise delay the first handshake.
pub fn server_config(
    certificate: Arc<ServedCertificate>,
    policy: &TlsPolicy,
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    provider.secure_random.fill(&mut [0; 32]).map_err(|_| rustls::Error::FailedToGetRandomBytes)?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(policy.min_version.and_later())?;
    let builder = match &policy.clients {
        Some(clients) => builder.with_client_cert_verifier(Arc::<ClientCertificates>::clone(clients)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(certificate);
    // The API server speaks HTTP/1.1 to webhooks (kubernetes issue 75791) and over h2 every 36th call stalls.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Its client keeps no sessions, and tickets in flight delay the first answer of a connection.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// Which TLS is spoken, and with whom.
#[derive(Clone, Debug, Default)]
pub struct TlsPolicy {
    /// The oldest version.
    pub min_version: MinVersion,
    /// Who may call; everybody where there is none.
    pub clients: Option<Arc<ClientCertificates>>,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3, which every API server speaks.
    #[default]
    Tls13,
}

impl MinVersion {
    fn and_later(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        static LATEST: [&SupportedProtocolVersion; 1] = [&TLS13];
        match self {
            Self::Tls12 => &BOTH,
            Self::Tls13 => &LATEST,
        }
    }
}

/// The certificate in force, which every handshake gets, and what is known of the API server's trust in it.
#[derive(Debug, Default)]
pub struct ServedCertificate {
    pair: ArcSwapOption<CertificatePair>,
    missing_because: ArcSwapOption<String>,
    trust: ArcSwap<Trust>,
}

impl ServedCertificate {
    /// Serves this pair until it is replaced. [`Self::default`] has none yet: handshakes fail until there is one.
    pub fn new(pair: CertificatePair) -> Self {
        Self { pair: ArcSwapOption::from_pointee(pair), ..Self::default() }
    }

    /// Handshakes from now on get this pair; open connections go on.
    pub fn replace(&self, pair: CertificatePair) {
        self.pair.store(Some(Arc::new(pair)));
    }

    /// What the API server trusts, as far as it is known now. Where it trusts nobody any more, somebody emptied the
    /// caBundle, and it will be filled again with what was in it: meanwhile every replica is as useless as every other,
    /// so that none leaves the Service, into which all would come back only seconds after the caBundle.
    pub fn judge_by(&self, trust: Trust) {
        if matches!(trust, Trust::Nobody(_)) && matches!(**self.trust.load(), Trust::In(..)) {
            return;
        }
        self.trust.store(Arc::new(trust));
    }

    /// Why there is none yet, as far as it is known.
    pub fn is_missing_because(&self, reason: String) {
        self.missing_because.store(Some(Arc::new(reason)));
    }

    /// Why nothing is served; `None` when something is.
    pub(super) fn missing(&self) -> Option<String> {
        if self.pair.load().is_some() {
            return None;
        }
        let waiting = "waiting for the first certificate";
        Some(match self.missing_because.load().as_ref() {
            Some(reason) => format!("{waiting}: {reason}"),
            None => waiting.to_owned(),
        })
    }

    /// When the served chain expires, in seconds since 1970; `None` while there is none.
    pub fn expires(&self) -> Option<i64> {
        self.pair.load().as_ref().map(|pair| pair.expires)
    }

    /// The pair in force.
    pub(super) fn pair(&self) -> Option<Arc<CertificatePair>> {
        self.pair.load_full()
    }

    /// What [`Self::judge_by`] was told last.
    pub(super) fn trust(&self) -> Arc<Trust> {
        self.trust.load_full()
    }
}

impl ResolvesServerCert for ServedCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.pair.load().as_ref().map(|pair| Arc::clone(&pair.key))
    }
}

/// A certificate chain and the private key of its first certificate: they fit together.
#[derive(Debug)]
pub struct CertificatePair {
    key: Arc<CertifiedKey>,
    expires: i64,
}

impl CertificatePair {
    /// Reads a chain (leaf first, then intermediates) and a key in PKCS#8, PKCS#1 or SEC1 form.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, PairError> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(PairError::CertificatePem)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => PairError::NoKey,
            error => PairError::KeyPem(error),
        })?;
        Self::new(chain, &key)
    }

    /// When the first certificate of the chain to expire does so, in seconds since 1970.
    pub fn expires(&self) -> i64 {
        self.expires
    }

    /// Leaf first.
    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.key.cert
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'_>) -> Result<Self, PairError> {
        let mut expires = None;
        for certificate in &chain {
            let (_, parsed) = parse_x509_certificate(certificate).map_err(|_| PairError::Certificate)?;
            let not_after = parsed.validity().not_after.timestamp();
            expires = Some(expires.map_or(not_after, |earliest: i64| earliest.min(not_after)));
        }
        let expires = expires.ok_or(PairError::NoCertificate)?;
        let key = aws_lc_rs::sign::any_supported_type(key).map_err(|_| PairError::Key)?;
        let key = CertifiedKey::new(chain, key);
        key.keys_match().map_err(|_| PairError::Mismatch)?;
        Ok(Self { key: Arc::new(key), expires })
    }
}

/// Why two PEM files are not a usable pair. The messages never hold key material.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// Certificate: not PEM.
    #[error("the certificate is not valid PEM: {0}")]
    CertificatePem(pem::Error),
    /// Certificate: PEM, but no X.509 inside.
    #[error("the certificate is not a valid X.509 certificate")]
    Certificate,
    /// Certificate: none.
    #[error("there is no certificate (no -----BEGIN CERTIFICATE----- section)")]
    NoCertificate,
    /// Key: not PEM.
    #[error("the private key is not valid PEM: {0}")]
    KeyPem(pem::Error),
    /// Key: PEM, but unusable.
    #[error(
        "the private key is of a kind that TLS cannot use (RSA, ECDSA P-256/P-384/P-521 and Ed25519 are fine)"
    )]
    Key,
    /// Key: none.
    #[error("there is no private key (no PKCS#8, PKCS#1 or SEC1 section)")]
    NoKey,
    /// Both are fine, but do not belong together.
    #[error("the private key does not belong to the first certificate")]
    Mismatch,
}

impl PairError {
    /// The problem is in the key file, not in the certificate file.
    pub fn is_about_key(&self) -> bool {
        matches!(self, Self::KeyPem(_) | Self::Key | Self::NoKey)
    }
}
