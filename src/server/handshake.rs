//! TLS handshakes with the webhook, to see the certificate that it serves. Nothing is sent over them.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A TLS handshake with the webhook.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// `host:port`.
    pub address: String,
    /// The name that the certificate must be valid for.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a handshake.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The chain that is served, leaf first.
    Served(Vec<CertificateDer<'static>>),
    /// No connection.
    Unreachable(String),
    /// A connection, and no TLS on it.
    NoTls(String),
}

/// For the connection, and again for the handshake.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Shakes hands with `address` (`host:port`) as with a server of this name, and shows a certificate where there is one
/// to show.
pub async fn shake_hands(address: String, name: String, shown: Option<Arc<CertifiedKey>>) -> Handshake {
    let outcome = attempt(&address, &name, shown).await;
    Handshake { address, name, outcome }
}

async fn attempt(address: &str, name: &str, shown: Option<Arc<CertifiedKey>>) -> Outcome {
    let stream = match timeout(TIMEOUT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Outcome::Unreachable(error.to_string()),
        Err(_) => return Outcome::Unreachable("no answer in time".to_owned()),
    };
    let seen = Arc::new(Witness::new());
    let connector = match configuration(&seen, shown) {
        Ok(configuration) => TlsConnector::from(Arc::new(configuration)),
        Err(error) => return Outcome::NoTls(error.to_string()),
    };
    let Ok(name) = ServerName::try_from(name.to_owned()) else {
        return Outcome::NoTls(format!("{name:?} is no name of a server"));
    };
    let shaken = timeout(TIMEOUT, connector.connect(name, stream)).await;
    // What was served counts, even when the handshake went wrong later.
    if let Some(chain) = seen.chain() {
        return Outcome::Served(chain);
    }
    match shaken {
        Ok(Ok(_)) => Outcome::NoTls("no certificate".to_owned()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Outcome::NoTls("the connection was closed".to_owned())
        }
        Ok(Err(error)) => Outcome::NoTls(error.to_string()),
        Err(_) => Outcome::NoTls("no answer in time".to_owned()),
    }
}

fn configuration(witness: &Arc<Witness>, shown: Option<Arc<CertifiedKey>>) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(&witness.provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Witness>::clone(witness));
    let mut configuration = match shown {
        Some(shown) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown))),
        None => builder.with_no_client_auth(),
    };
    configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(configuration)
}

/// Takes down the chain and accepts it: it is judged later, against the caBundle and with a reason.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Option<Vec<CertificateDer<'static>>>>,
}

impl Witness {
    fn new() -> Self {
        Self { provider: Arc::new(aws_lc_rs::default_provider()), chain: Mutex::default() }
    }

    fn chain(&self) -> Option<Vec<CertificateDer<'static>>> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.clone().into_owned());
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = Some(chain.collect());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn who_hangs_up_speaks_no_tls_and_who_is_not_there_cannot_be_reached() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let hang_up = async { drop(listener.accept().await.unwrap()) };
        let (handshake, ()) =
            tokio::join!(shake_hands(address.clone(), "localhost".to_owned(), None), hang_up);
        assert!(matches!(handshake.outcome, Outcome::NoTls(_)), "{handshake:?}");
        drop(listener);
        let handshake = shake_hands(address, "localhost".to_owned(), None).await;
        assert!(matches!(handshake.outcome, Outcome::Unreachable(_)), "{handshake:?}");
    }
}
