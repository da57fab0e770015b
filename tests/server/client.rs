//! A client that speaks HTTP/1.1 byte by byte, so that tests can stop anywhere.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) type Tls = Connection<TlsStream<TcpStream>>;
pub(crate) type Plain = Connection<TcpStream>;

/// An open connection.
pub(crate) struct Connection<S> {
    pub(crate) stream: S,
    buffer: Vec<u8>,
}

/// A response, complete.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line =
            self.head.lines().find(|line| line.split(':').next().unwrap().eq_ignore_ascii_case(name))?;
        Some(line.split_once(':').unwrap().1.trim())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Tls {
    /// Connects, trusting `ca`.
    pub(crate) async fn open(address: SocketAddr, ca: &str) -> Self {
        Self::try_open(address, client_config(ca, &[b"http/1.1"])).await.unwrap()
    }

    pub(crate) async fn try_open(address: SocketAddr, config: ClientConfig) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(Self { stream, buffer: Vec::new() })
    }
}

impl Plain {
    pub(crate) async fn open_plain(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), buffer: Vec::new() }
    }
}

pub(crate) fn client_config(ca: &str, protocols: &[&[u8]]) -> ClientConfig {
    let mut config = of_versions(ca, rustls::ALL_VERSIONS).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config
}

/// A client that speaks only these versions of TLS, before it is said which certificate it shows.
pub(crate) fn of_versions(
    ca: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Sends a review, all at once.
    pub(crate) async fn post(&mut self, body: &[u8]) -> Response {
        self.try_post(body).await.expect("an answer")
    }

    pub(crate) async fn try_post(&mut self, body: &[u8]) -> std::io::Result<Response> {
        let mut request = head(body.len()).into_bytes();
        request.extend_from_slice(body);
        self.stream.write_all(&request).await?;
        self.stream.flush().await?;
        self.response().await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response {
        self.request("GET", path).await
    }

    /// A request without a body.
    pub(crate) async fn request(&mut self, method: &str, path: &str) -> Response {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await;
        self.response().await.unwrap()
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads one response.
    pub(crate) async fn response(&mut self) -> std::io::Result<Response> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let head = String::from_utf8(self.buffer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        self.buffer.drain(..end + 4);
        let mut response = Response { status, head, body: Vec::new() };
        let length: usize = response.header("content-length").unwrap_or("0").parse().unwrap();
        while self.buffer.len() < length {
            self.fill().await?;
        }
        response.body = self.buffer.drain(..length).collect();
        Ok(response)
    }

    /// Waits until the server closes the connection, and returns what it sent before.
    pub(crate) async fn closed(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.buffer);
        // A connection may also be reset; both are closed.
        drop(self.stream.read_to_end(&mut rest).await);
        rest
    }

    async fn fill(&mut self) -> std::io::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// The head of a POST with a body of this length.
pub(crate) fn head(length: usize) -> String {
    format!("POST /mutate?timeout=2s HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
}
