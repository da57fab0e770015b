//! The Service: one address, behind it the replicas that are ready, as endpoints controller and kube-proxy have it.
//!
//! Connections are balanced, not requests. Who is ready shows in `/readyz`, and everybody acts on it a while later:
//! until then new connections still go to a replica that drains, or to one that is dead, which refuses them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::wait;

/// How often a replica is asked whether it is ready: more often than a kubelet asks.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);
/// How long it has to answer, and how many probes in a row have to fail: as installed.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
const FAILURE_THRESHOLD: u32 = 2;

pub(crate) struct Balancer {
    runtime: Handle,
    /// From readiness to its effect.
    lag: Duration,
    endpoints: Arc<Mutex<Vec<Arc<Endpoint>>>>,
}

struct Endpoint {
    name: String,
    https: SocketAddr,
    admin: SocketAddr,
    readiness: Mutex<Readiness>,
    /// Nobody waits for its readiness any more.
    is_gone: AtomicBool,
    connections: AtomicUsize,
}

/// What probes found, and what is acted on by now.
#[derive(Default)]
struct Readiness {
    acted_on: bool,
    found: VecDeque<(Instant, bool)>,
}

impl Endpoint {
    /// New connections may come here, as everybody knows who is `lag` behind.
    fn is_in_rotation(&self, lag: Duration) -> bool {
        let mut readiness = self.readiness.lock().unwrap();
        while let Some(&(at, is_ready)) = readiness.found.front()
            && at.elapsed() >= lag
        {
            readiness.found.pop_front();
            readiness.acted_on = is_ready;
        }
        readiness.acted_on
    }
}

impl Balancer {
    /// Listens at the Service's address.
    pub(crate) fn start(runtime: &Handle, address: SocketAddr, lag: Duration) -> Self {
        let endpoints: Arc<Mutex<Vec<Arc<Endpoint>>>> = Arc::default();
        let listener = runtime
            .block_on(TcpListener::bind(address))
            .unwrap_or_else(|error| panic!("the Service's address {address}: {error}"));
        runtime.spawn(accept(listener, Arc::clone(&endpoints), lag));
        Self { runtime: runtime.clone(), lag, endpoints }
    }

    /// A replica has started.
    pub(crate) fn add(&self, name: &str, https: SocketAddr, admin: SocketAddr) {
        let endpoint = Arc::new(Endpoint {
            name: name.to_owned(),
            https,
            admin,
            readiness: Mutex::default(),
            is_gone: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        });
        self.endpoints.lock().unwrap().push(Arc::clone(&endpoint));
        self.runtime.spawn(follow(endpoint));
    }

    /// A replica has ended; it leaves the rotation when that is noticed.
    pub(crate) fn remove(&self, name: &str) {
        let endpoints = self.endpoints.lock().unwrap();
        let ended = endpoints.iter().filter(|endpoint| endpoint.name == name);
        ended.for_each(|endpoint| endpoint.is_gone.store(true, Ordering::Release));
    }

    pub(crate) fn wait_until_in_rotation(&self, name: &str) {
        wait::until("endpoint", wait::LIMIT, || {
            if self.is_in_rotation(name) { Ok(()) } else { Err(format!("{name} is not ready")) }
        });
    }

    pub(crate) fn wait_until_out_of_rotation(&self, name: &str) {
        wait::until("end of an endpoint", wait::LIMIT, || {
            if self.is_in_rotation(name) { Err(format!("{name} is still used")) } else { Ok(()) }
        });
    }

    /// The replica with the most connections.
    pub(crate) fn busiest(&self) -> String {
        let endpoints = self.endpoints.lock().unwrap();
        let live = endpoints.iter().filter(|endpoint| !endpoint.is_gone.load(Ordering::Acquire));
        let busiest = live.max_by_key(|endpoint| endpoint.connections.load(Ordering::Relaxed));
        busiest.expect("a replica").name.clone()
    }

    fn is_in_rotation(&self, name: &str) -> bool {
        let endpoints = self.endpoints.lock().unwrap();
        endpoints.iter().any(|endpoint| endpoint.name == name && endpoint.is_in_rotation(self.lag))
    }
}

/// In turn, over those in rotation.
async fn accept(listener: TcpListener, endpoints: Arc<Mutex<Vec<Arc<Endpoint>>>>, lag: Duration) {
    for turn in 0.. {
        let (client, _) = listener.accept().await.unwrap();
        let chosen = {
            let endpoints = endpoints.lock().unwrap();
            let ready: Vec<_> = endpoints.iter().filter(|endpoint| endpoint.is_in_rotation(lag)).collect();
            (!ready.is_empty()).then(|| Arc::clone(ready[turn % ready.len()]))
        };
        // Without endpoints a connection is refused.
        if let Some(endpoint) = chosen {
            tokio::spawn(forward(client, endpoint));
        }
    }
}

/// Whatever breaks on one side breaks on the other.
async fn forward(mut client: TcpStream, endpoint: Arc<Endpoint>) {
    let Ok(mut replica) = TcpStream::connect(endpoint.https).await else { return };
    // A packet is forwarded as it comes.
    for stream in [&client, &replica] {
        drop(stream.set_nodelay(true));
    }
    endpoint.connections.fetch_add(1, Ordering::Relaxed);
    drop(copy_bidirectional(&mut client, &mut replica).await);
    endpoint.connections.fetch_sub(1, Ordering::Relaxed);
}

/// Asks for readiness until the replica is gone, and tells of each change.
async fn follow(endpoint: Arc<Endpoint>) {
    let (mut was_ready, mut failures) = (false, 0);
    let mut probes = interval(PROBE_INTERVAL);
    probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while was_ready || !endpoint.is_gone.load(Ordering::Acquire) {
        probes.tick().await;
        let has_answered = timeout(PROBE_TIMEOUT, is_ready(endpoint.admin)).await.unwrap_or(false);
        failures = if has_answered { 0 } else { failures + 1 };
        let is_ready = has_answered || (was_ready && failures < FAILURE_THRESHOLD);
        if is_ready != was_ready {
            was_ready = is_ready;
            endpoint.readiness.lock().unwrap().found.push_back((Instant::now(), is_ready));
        }
    }
}

async fn is_ready(admin: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(admin).await?;
        stream.write_all(b"GET /readyz HTTP/1.0\r\nHost: probe\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    ask.await.is_ok_and(|answer| answer.split(' ').nth(1) == Some("200"))
}
