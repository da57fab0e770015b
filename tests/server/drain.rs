//! The end of the process: nothing that was accepted is lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use spark_swap::server::drain::{DrainTimes, Ended};
use tokio::task::yield_now;
use tokio::time::{advance, pause, resume};

use crate::client::{Tls, head};
use crate::harness::{Running, Setup, review};

const DELAY: Duration = Duration::from_secs(10);

/// A server whose bodies may take longer than the drain delay.
fn patient() -> Setup {
    let mut setup = Setup::default();
    setup.limits.body_timeout = Duration::from_hours(1);
    setup
}

/// Moves the clock to the end of the drain delay.
async fn end_of_delay(server: &Running) {
    while !server.readiness.is_draining() {
        yield_now().await;
    }
    pause();
    advance(DELAY).await;
    resume();
}

#[tokio::test]
async fn readiness_fails_at_once_and_every_response_asks_to_close() {
    let mut server = Setup::default().start();
    let mut open = server.connect().await;
    assert_eq!(open.post(&review("before", 0)).await.header("connection"), None);
    server.shut_down();
    while server.admin().await.get("/readyz").await.status != 503 {}

    let response = open.post(&review("after", 0)).await;
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    assert_eq!(open.closed().await, b"");
    for (request, status) in [("GET /mutate", 405), ("GET /x", 404)] {
        let mut fresh = server.connect().await;
        fresh.send(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
        let response = fresh.response().await.unwrap();
        assert_eq!((response.status, response.header("connection")), (status, Some("close")));
    }
    assert_eq!(server.admin().await.get("/livez").await.status, 200);

    end_of_delay(&server).await;
    assert_eq!(server.task.await.unwrap().unwrap(), Ended::Drained);
}

/// What clients of one pool see.
#[derive(Default)]
struct Seen {
    before: AtomicU32,
    after: AtomicU32,
    lost: AtomicU32,
    stop: AtomicBool,
}

/// Sends reviews over one connection, and over a new one when the server asks to close it, as the API server does.
async fn keep_sending(address: SocketAddr, ca: String, seen: Arc<Seen>) {
    let mut connection = Tls::open(address, &ca).await;
    let mut asked_to_close = 0;
    while !seen.stop.load(Ordering::Relaxed) {
        match connection.try_post(&review("steady", 9000)).await {
            Ok(response) if response.status == 200 && response.header("connection") == Some("close") => {
                connection = Tls::open(address, &ca).await;
                asked_to_close += 1;
                if asked_to_close == 5 {
                    seen.after.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(response) if response.status == 200 => {
                seen.before.fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                seen.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }
}

#[tokio::test]
async fn sigterm_under_keep_alive_connections_loses_nothing() {
    const CLIENTS: u32 = 8;
    let mut server = Setup::default().start();
    let seen = Arc::new(Seen::default());
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(keep_sending(server.https, server.ca.clone(), Arc::clone(&seen)));
    }
    while seen.before.load(Ordering::Relaxed) < 20 * CLIENTS {
        yield_now().await;
    }
    server.shut_down();
    // Every client is asked to move on, and served on new connections meanwhile.
    while seen.after.load(Ordering::Relaxed) < CLIENTS && seen.lost.load(Ordering::Relaxed) == 0 {
        yield_now().await;
    }
    // By the end of the delay the endpoint is gone, so nobody comes any more.
    seen.stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    end_of_delay(&server).await;
    assert_eq!(server.task.await.unwrap().unwrap(), Ended::Drained);
    assert_eq!(seen.lost.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn open_requests_are_finished_and_idle_connections_closed() {
    let mut server = patient().start();
    let mut idle = server.connect().await;
    idle.post(&review("idle", 0)).await;
    let body = review("slow", 100);
    let mut slow = server.connect().await;
    slow.send(head(body.len()).as_bytes()).await;
    slow.send(&body[..50]).await;
    server.in_flight(1).await;

    server.shut_down();
    end_of_delay(&server).await;
    assert_eq!(idle.closed().await, b"");
    slow.send(&body[50..]).await;
    let response = slow.response().await.unwrap();
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    assert_eq!(server.task.await.unwrap().unwrap(), Ended::Drained);
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_the_process() {
    let drain = DrainTimes { delay: DELAY, timeout: Duration::from_secs(1) };
    let mut server = Setup { drain, ..patient() }.start();
    let mut slow = server.connect().await;
    slow.send(head(100).as_bytes()).await;
    server.in_flight(1).await;
    server.shut_down();
    end_of_delay(&server).await;
    pause();
    assert_eq!(server.task.await.unwrap().unwrap(), Ended::Cut);
}

#[tokio::test]
async fn a_second_signal_aborts_at_once() {
    let mut server = Setup::default().start();
    let mut slow = server.connect().await;
    slow.send(head(100).as_bytes()).await;
    server.in_flight(1).await;
    server.shut_down();
    while !server.readiness.is_draining() {
        yield_now().await;
    }
    server.abort();
    assert_eq!(server.task.await.unwrap().unwrap(), Ended::Aborted);
    assert_eq!(slow.closed().await, b"");
}
