//! A plain HTTP client, for what the tests ask of the webhook itself.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// GET from the admin port.
pub(crate) fn get(port: u16, path: &str) -> Result<Answer, String> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let answer = TcpStream::connect(("127.0.0.1", port)).and_then(|stream| exchange(stream, &request));
    answer.map_err(|error| format!("GET {path}: {error}")).and_then(|answer| parse(&answer))
}

/// POST to the webhook's port, as the API server does.
pub(crate) fn post(port: u16, ca: &Path, path: &str, body: &Value) -> Result<Answer, String> {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = TcpStream::connect(("127.0.0.1", port))
        .and_then(|stream| exchange(StreamOwned::new(connection(ca), stream), &request));
    answer.map_err(|error| format!("POST {path}: {error}")).and_then(|answer| parse(&answer))
}

fn connection(ca: &Path) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn parse(answer: &str) -> Result<Answer, String> {
    let no_http = || format!("no HTTP: {answer}");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(no_http)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(no_http)?;
    Ok(Answer { status, body: body.to_owned() })
}
