//! The client: HTTP/1.1 over TLS with keep-alive, as the API server speaks it, with as little work as possible.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::server::Server;

const BODY: &[u8] = include_bytes!("../data/executor-typical.json");

pub struct Client {
    address: SocketAddr,
    connector: TlsConnector,
    request: Arc<[u8]>,
}

/// The latencies of a load.
pub struct Load {
    latencies: Vec<Duration>,
    elapsed: Duration,
}

pub struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    pub fn new(server: &Server) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(server.authority.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        // The API server resumes no sessions.
        config.resumption = rustls::client::Resumption::disabled();
        let head = format!(
            "POST /mutate?timeout=2s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            BODY.len()
        );
        let request = [head.as_bytes(), BODY].concat().into();
        Self { address: server.address, connector: TlsConnector::from(Arc::new(config)), request }
    }

    /// As fast as it goes on this many connections.
    pub async fn saturate(&self, connections: u64, requests: u64) -> Load {
        let left = Arc::new(AtomicU64::new(requests));
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(self.connect().await);
        }
        let started = Instant::now();
        let tasks: Vec<_> = open
            .into_iter()
            .map(|mut connection| {
                let (left, request) = (Arc::clone(&left), Arc::clone(&self.request));
                tokio::spawn(async move {
                    let mut latencies = Vec::new();
                    while left
                        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                        .is_ok()
                    {
                        latencies.push(connection.call(&request).await);
                    }
                    latencies
                })
            })
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await.unwrap());
        }
        Load::new(latencies, started.elapsed())
    }

    /// One request per interval on one connection.
    pub async fn steady(&self, requests: u64, every: Duration) -> Load {
        let mut connection = self.connect().await;
        let mut interval = tokio::time::interval(every);
        let started = Instant::now();
        let mut latencies = Vec::new();
        for _ in 0..requests {
            interval.tick().await;
            latencies.push(connection.call(&self.request).await);
        }
        Load::new(latencies, started.elapsed())
    }

    /// A new connection for each request; the handshake counts.
    pub async fn fresh(&self, connections: u64) -> Load {
        let started = Instant::now();
        let mut latencies = Vec::new();
        for _ in 0..connections {
            let begun = Instant::now();
            self.connect().await.call(&self.request).await;
            latencies.push(begun.elapsed());
        }
        Load::new(latencies, started.elapsed())
    }

    pub async fn connect(&self) -> Connection {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = self.connector.connect(name, tcp).await.unwrap();
        Connection { stream, buffer: vec![0; 16 << 10] }
    }
}

impl Connection {
    /// One answer, headers and all.
    pub async fn ask(&mut self, client: &Client) -> String {
        let filled = self.exchange(&client.request).await;
        String::from_utf8_lossy(&self.buffer[..filled]).into_owned()
    }

    async fn call(&mut self, request: &[u8]) -> Duration {
        let started = Instant::now();
        self.exchange(request).await;
        started.elapsed()
    }

    /// Sends a request and returns how many bytes of the buffer the answer takes.
    async fn exchange(&mut self, request: &[u8]) -> usize {
        self.stream.write_all(request).await.unwrap();
        self.stream.flush().await.unwrap();
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            assert!(read > 0, "the server closed the connection");
            filled += read;
            if is_complete(&self.buffer[..filled]) {
                return filled;
            }
        }
    }
}

/// The response has arrived; it must be a 200.
fn is_complete(response: &[u8]) -> bool {
    let Some(end) = response.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = std::str::from_utf8(&response[..end]).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    response.len() >= end + 4 + length.expect("content-length")
}

impl Load {
    fn new(mut latencies: Vec<Duration>, elapsed: Duration) -> Self {
        latencies.sort_unstable();
        Self { latencies, elapsed }
    }

    /// Microseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        let place = ((self.latencies.len() - 1) as f64 * share).round() as usize;
        self.latencies[place].as_secs_f64() * 1e6
    }

    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }
}
