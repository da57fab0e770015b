//! What the process of the webhook takes from its machine: threads, sockets and signals.

use std::net::{SocketAddr, TcpListener};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::cli::Failure;
use crate::server::limits::most_open;

/// As many threads as there are processors, at most 4, where nothing else is said.
pub(super) fn runtime(threads: Option<usize>) -> std::io::Result<Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    match threads.unwrap_or_else(|| processors.min(4)) {
        1 => Builder::new_current_thread().enable_all().build(),
        threads => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}

/// What is open besides connections to the webhook: the admin port's, the cluster's, files, the runtime's own.
const OTHER_FILES: usize = 128;

/// Opens as many files as the process may: a connection is one, and shells and service managers start it with 1024.
pub(super) fn allow_open_files(max_connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        debug!(%error, "the limit of open files stays as it is");
    }
    let needed = most_open(max_connections).saturating_add(OTHER_FILES);
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if allowed < u64::try_from(needed).unwrap_or(u64::MAX) {
        warn!(
            allowed,
            needed,
            "--max-connections {max_connections} is more than the limit of open files allows: raise it (ulimit -n, \
             LimitNOFILE), or lower --max-connections"
        );
    }
}

/// Binds with a backlog for a burst of connections; the standard library's is 128.
pub(super) fn listen(flag: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(1024)?.into_std()
    };
    bind().map_err(|error| Failure::bad_input(format_args!("{flag} {address}"), error))
}

/// Where it listens, for the log.
pub(super) fn address(listener: &TcpListener) -> String {
    listener.local_addr().map_or_else(|error| error.to_string(), |address| address.to_string())
}

/// Counts SIGTERM and SIGINT.
pub(super) fn count_signals(count: watch::Sender<u8>) -> Result<impl Future<Output = ()>, Failure> {
    let signal = |kind| signal(kind).map_err(|error| Failure::bad_input("signals", error));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            count.send_modify(|signals| *signals = signals.saturating_add(1));
        }
    })
}

/// The name of the pod, as Kubernetes sets it where nothing else is said, else that of the machine.
pub(super) fn own_name() -> String {
    let of_variable = |name| std::env::var(name).ok();
    let of_machine = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let names = [of_variable("POD_NAME"), of_variable("HOSTNAME"), of_machine()];
    let mut names = names.into_iter().flatten().map(|name| name.trim().to_owned());
    names.find(|name| !name.is_empty()).unwrap_or_else(|| "spark-swap".to_owned())
}
