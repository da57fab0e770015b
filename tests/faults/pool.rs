//! HTTP/1.1 over TLS with a pool of connections, and the failures that Go's client, so the API server, would see.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

/// As Go's transport has them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections to one address.
pub(crate) struct Pool {
    address: SocketAddr,
    name: ServerName<'static>,
    connector: TlsConnector,
    most_idle: usize,
    /// Calls that may be under way at a time; further ones wait.
    slots: Semaphore,
    idle: Mutex<Vec<Idle>>,
    sent_again: AtomicU64,
}

struct Idle {
    connection: SendRequest<Full<Bytes>>,
    since: Instant,
}

impl Pool {
    /// Any number of connections to `address` whose certificate is for `name` and by one of the authorities in `ca` (PEM).
    pub(crate) fn new(address: SocketAddr, name: &str, ca: &[u8], most_idle: usize) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            address,
            name: ServerName::try_from(name.to_owned()).unwrap(),
            connector: TlsConnector::from(Arc::new(config)),
            most_idle,
            slots: Semaphore::new(Semaphore::MAX_PERMITS),
            idle: Mutex::default(),
            sent_again: AtomicU64::new(0),
        }
    }

    /// The same with so many connections at most.
    pub(crate) fn bounded(self, connections: usize) -> Self {
        Self { slots: Semaphore::new(connections), ..self }
    }

    /// Sends a request and reads its answer. A POST is sent again where Go does so: when a connection that was used before
    /// turned out to be closed and nothing was written into it.
    pub(crate) async fn call(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, String> {
        let _slot = self.slots.acquire().await.unwrap();
        loop {
            let (mut connection, is_reused) = match self.take_idle() {
                Some(connection) => (connection, true),
                None => (self.connect().await?, false),
            };
            match connection.try_send_request(request).await {
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    let body = body.collect().await.map_err(|error| chain(&error))?.to_bytes();
                    self.give_back(connection).await;
                    return Ok(Response::from_parts(head, body));
                }
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if is_reused => {
                        request = unsent;
                        self.sent_again.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => return Err(chain(failed.error())),
                },
            }
        }
    }

    /// How often a request was sent again.
    pub(crate) fn sent_again(&self) -> u64 {
        self.sent_again.load(Ordering::Relaxed)
    }

    /// The one that was used last.
    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap();
        idle.retain(|idle| !idle.connection.is_closed() && idle.since.elapsed() < IDLE_TIMEOUT);
        idle.pop().map(|idle| idle.connection)
    }

    async fn give_back(&self, mut connection: SendRequest<Full<Bytes>>) {
        // An error: the answer asked to close it.
        if connection.ready().await.is_ok() {
            let mut idle = self.idle.lock().unwrap();
            if idle.len() < self.most_idle {
                idle.push(Idle { connection, since: Instant::now() });
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let connect = async {
            let tcp = TcpStream::connect(self.address).await?;
            tcp.set_nodelay(true)?;
            self.connector.connect(self.name.clone(), tcp).await
        };
        let stream = match tokio::time::timeout(CONNECT_TIMEOUT, connect).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(format!("connect: {error}")),
            Err(_) => return Err("connect: no handshake in time".to_owned()),
        };
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| chain(&error))?;
        // It ends with its sender; what is wrong with it the sender learns.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
