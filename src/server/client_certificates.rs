//! Who may call the webhook: clients with a certificate of a known authority and, where names are given, of one of
//! these names. The authorities are replaced without touching the listener or open connections.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use tracing::debug;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// Decides about every client's certificate, by the authorities in force at that moment.
#[derive(Debug)]
pub struct ClientCertificates {
    authorities: ArcSwap<ClientAuthorities>,
    names: Vec<String>,
    ourselves: Arc<CertifiedKey>,
}

impl ClientCertificates {
    /// Lets in clients with a certificate of these authorities; with `names` only those that have one of them as common
    /// name, or as DNS name or URI among the alternative names.
    pub fn new(authorities: ClientAuthorities, names: Vec<String>) -> Result<Self, rcgen::Error> {
        let ourselves = Arc::new(own_certificate()?);
        Ok(Self { authorities: ArcSwap::from_pointee(authorities), names, ourselves })
    }

    /// Handshakes from now on need a certificate of these authorities; open connections go on.
    pub fn replace(&self, authorities: ClientAuthorities) {
        self.authorities.store(Arc::new(authorities));
    }

    /// With this certificate, which nobody else has, the process itself may call itself.
    pub fn ourselves(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.ourselves)
    }

    fn check_name(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        if self.names.is_empty() {
            return Ok(());
        }
        let (_, parsed) = parse_x509_certificate(certificate)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let names = names(&parsed);
        if names.iter().any(|name| self.names.iter().any(|allowed| allowed == name)) {
            return Ok(());
        }
        debug!(?names, allowed = ?self.names, "a client certificate of another name");
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }
}

impl ClientCertVerifier for ClientCertificates {
    /// No hints: they could not change with the authorities, and clients then show whatever they have.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.ourselves.end_entity_cert().is_ok_and(|own| own == end_entity) {
            return Ok(ClientCertVerified::assertion());
        }
        let verified = self.authorities.load().verifier.verify_client_cert(end_entity, intermediates, now)?;
        self.check_name(end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.load().verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.load().verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.load().verifier.supported_verify_schemes()
    }
}

/// The certificates of authorities that may issue clients theirs.
#[derive(Debug)]
pub struct ClientAuthorities {
    verifier: Arc<dyn ClientCertVerifier>,
}

impl ClientAuthorities {
    /// Reads one or more certificates of authorities.
    pub fn from_pem(text: &[u8]) -> Result<Self, AuthorityError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(text) {
            let certificate = certificate.map_err(AuthorityError::Pem)?;
            check_authority(&certificate)?;
            roots.add(certificate).map_err(|_| AuthorityError::Certificate)?;
        }
        if roots.is_empty() {
            return Err(AuthorityError::None);
        }
        let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|_| AuthorityError::None)?;
        Ok(Self { verifier })
    }
}

/// A certificate of a client in place of its authority's would let nobody in.
fn check_authority(certificate: &CertificateDer<'_>) -> Result<(), AuthorityError> {
    let (_, parsed) = parse_x509_certificate(certificate).map_err(|_| AuthorityError::Certificate)?;
    if parsed.is_ca() {
        return Ok(());
    }
    Err(AuthorityError::NoAuthority(parsed.subject().to_string()))
}

/// Why a PEM file does not say who may call.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Not PEM.
    #[error("not valid PEM: {0}")]
    Pem(pem::Error),
    /// PEM, but no X.509 inside.
    #[error("a section is not a valid X.509 certificate")]
    Certificate,
    /// A certificate that can issue none.
    #[error("{0} is no certificate authority: give the certificate (CA:TRUE) of whoever issued the client's")]
    NoAuthority(String),
    /// Empty.
    #[error("there is no certificate (no -----BEGIN CERTIFICATE----- section)")]
    None,
}

/// All names of a certificate that may be allowed.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative = alternative.iter().flat_map(|names| &names.value.general_names);
    let alternative = alternative.filter_map(|name| match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) => Some(*name),
        _ => None,
    });
    common.chain(alternative).map(str::to_owned).collect()
}

/// It is compared byte by byte, so what it says does not matter.
fn own_certificate() -> Result<CertifiedKey, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "spark-swap itself");
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = aws_lc_rs::sign::any_supported_type(&key).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}
