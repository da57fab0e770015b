//! The open connections: how many there may be, and which one makes room for the next.
//!
//! A connection without a request is worth less than a new one, or a flood of idle ones would lock the API server out
//! for as long as they may idle. So the one that has been without a request the longest is closed: first those that
//! never had one (the API server's have; a flood's may not even have shaken hands), then the others.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::limits::most_leaving;

/// All connections of a port.
#[derive(Debug)]
pub(super) struct Connections {
    /// How many may stay; beside them are a few that were told to go.
    max: usize,
    open: Mutex<Open>,
    /// Orders what happens to connections.
    clock: AtomicU64,
    gauge: Gauge,
    displaced: Counter,
}

#[derive(Debug, Default)]
struct Open {
    by_number: HashMap<u64, Arc<Mutex<Connection>>>,
    leaving: usize,
}

#[derive(Debug)]
struct Connection {
    stage: Stage,
    is_leaving: bool,
    /// Waits for bytes from the client.
    reader: Option<Waker>,
}

/// The order is that in which connections make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Without a request so far, since.
    New(u64),
    /// Without a request again, since.
    Idle(u64),
    /// Its request is being answered. Never closed.
    Busy,
}

impl Connections {
    /// At most `max`; counts the open ones and those that had to make room.
    pub(super) fn new(max: usize, gauge: Gauge, displaced: Counter) -> Arc<Self> {
        Arc::new(Self { max, open: Mutex::default(), clock: AtomicU64::new(0), gauge, displaced })
    }

    /// A slot for a new connection; `None` where every other one is busy.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Slot> {
        let number = self.tick();
        let new = Connection { stage: Stage::New(number), is_leaving: false, reader: None };
        let connection = Arc::new(Mutex::new(new));
        let mut open = lock(&self.open);
        if open.by_number.len().saturating_sub(open.leaving) >= self.max {
            // Again where a request came to the chosen one that very moment.
            if open.leaving >= most_leaving(self.max) || !(0..3).any(|_| open.displace()) {
                return None;
            }
            self.displaced.inc();
        }
        open.by_number.insert(number, Arc::clone(&connection));
        self.gauge.inc();
        Some(Slot { number, connection, connections: Arc::clone(self) })
    }

    fn remove(&self, number: u64) {
        let mut open = lock(&self.open);
        if let Some(connection) = open.by_number.remove(&number) {
            self.gauge.dec();
            if lock(&connection).is_leaving {
                open.leaving = open.leaving.saturating_sub(1);
            }
        }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }
}

impl Open {
    /// Tells a connection to go.
    fn displace(&mut self) -> bool {
        let candidates = self.by_number.values().filter_map(|connection| {
            let state = lock(connection);
            (!state.is_leaving && state.stage != Stage::Busy).then_some((state.stage, connection))
        });
        let Some((stage, connection)) = candidates.min_by_key(|(stage, _)| *stage) else { return false };
        let mut chosen = lock(connection);
        if chosen.stage != stage {
            return false;
        }
        chosen.is_leaving = true;
        self.leaving = self.leaving.saturating_add(1);
        if let Some(reader) = chosen.reader.take() {
            reader.wake();
        }
        true
    }
}

/// The place of one connection; given back when its last owner drops it.
#[derive(Debug)]
pub(super) struct Slot {
    number: u64,
    connection: Arc<Mutex<Connection>>,
    connections: Arc<Connections>,
}

impl Slot {
    /// A request came; it is answered when the guard is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        lock(&self.connection).stage = Stage::Busy;
        Busy(Arc::clone(self))
    }

    /// There is nothing to read. Whether the connection has to go; else the reader will be woken when it has to.
    fn has_to_go(&self, reader: &Waker) -> bool {
        let mut state = lock(&self.connection);
        // A request that came in time is still answered.
        if state.is_leaving && state.stage != Stage::Busy {
            return true;
        }
        match &mut state.reader {
            Some(known) => known.clone_from(reader),
            none => *none = Some(reader.clone()),
        }
        false
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.remove(self.number);
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Busy(Arc<Slot>);

impl Drop for Busy {
    fn drop(&mut self) {
        lock(&self.0.connection).stage = Stage::Idle(self.0.connections.tick());
    }
}

/// The bytes of a connection. They end when it has to make room, after what has already arrived.
#[derive(Debug)]
pub struct Stream {
    tcp: TcpStream,
    slot: Arc<Slot>,
}

impl Stream {
    pub(super) fn new(tcp: TcpStream, slot: Arc<Slot>) -> Self {
        Self { tcp, slot }
    }

    /// The socket.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.tcp).poll_read(context, buffer) {
            Poll::Pending if self.slot.has_to_go(context.waker()) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, "closed to make room")))
            }
            read => read,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

/// Nothing panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
