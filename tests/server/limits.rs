//! Whatever clients do, the process stays within its bounds and goes on answering the others.

use std::time::Duration;

use axum_server::accept::Accept;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use spark_swap::server::limits::{LimitedAcceptor, Limits};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, pause};

use crate::client::{Plain, Tls, client_config, head};
use crate::harness::{Setup, review};

fn limited(change: impl FnOnce(&mut Limits)) -> Setup {
    let mut setup = Setup::default();
    change(&mut setup.limits);
    setup
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once_and_its_slot_comes_back() {
    let server = limited(|limits| limits.max_connections = 2).start();
    let mut first = server.connect().await;
    let second = server.connect().await;
    let config = client_config(&server.ca, &[b"http/1.1"]);
    assert!(Tls::try_open(server.https, config).await.is_err());
    assert_eq!(first.post(&review("one", 0)).await.status, 200);
    drop(second);
    server.connections(1).await;
    assert_eq!(server.connect().await.post(&review("two", 0)).await.status, 200);
    assert_eq!(server.metric("spark_swap_connections_rejected_total").await.as_deref(), Some("1"));
    assert_eq!(server.metric("spark_swap_handshake_failures_total").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn one_review_too_many_is_503_at_once_and_nobody_queues() {
    let server = limited(|limits| limits.max_reviews = 1).start();
    let body = review("slow", 100);
    let mut slow = server.connect().await;
    slow.send(head(body.len()).as_bytes()).await;
    slow.send(&body[..10]).await;
    server.in_flight(1).await;

    let mut other = server.connect().await;
    assert_eq!(other.post(&review("other", 0)).await.status, 503);
    slow.send(&body[10..]).await;
    assert_eq!(slow.response().await.unwrap().json()["response"]["uid"], "slow");
    assert_eq!(other.post(&review("other", 0)).await.status, 200);

    let counted = server.metric(r#"spark_swap_reviews_total{outcome="overloaded",reason="",class=""}"#).await;
    assert_eq!(counted.as_deref(), Some("1"));
}

#[tokio::test]
async fn bodies_share_their_memory_and_give_it_back() {
    let server = limited(|limits| limits.body_memory = 1 << 20).start();
    let body = review("large", 700 << 10);
    let mut first = server.connect().await;
    first.send(head(body.len()).as_bytes()).await;
    first.send(&body[..600 << 10]).await;
    server.in_flight(1).await;

    let mut second = server.connect().await;
    // Until the first body has arrived there may be room for both, so ask until there is not.
    while second.post(&body).await.status == 200 {}
    assert_eq!(second.post(&review("small", 0)).await.status, 200);
    first.send(&body[600 << 10..]).await;
    assert_eq!(first.response().await.unwrap().status, 200);
    assert_eq!(second.post(&body).await.status, 200);
}

#[tokio::test]
async fn a_client_that_goes_away_frees_its_review() {
    let server = limited(|limits| limits.max_reviews = 1).start();
    let mut gone = server.connect().await;
    gone.send(head(100).as_bytes()).await;
    server.in_flight(1).await;
    drop(gone);
    server.in_flight(0).await;
    assert_eq!(server.connect().await.post(&review("next", 0)).await.status, 200);
}

#[tokio::test]
async fn a_handshake_that_never_starts_is_ended() {
    let server = Setup::default().start();
    let mut silent = Plain::open_plain(server.https).await;
    server.connections(1).await;
    pause();
    silent.closed().await;
    server.connections(0).await;
    assert_eq!(server.metrics.handshake_failures.get(), 1);
}

#[tokio::test]
async fn a_first_request_that_never_ends_is_ended() {
    for beginning in ["", "POST /mutate HTTP/1.1\r\nHost: "] {
        let server = Setup::default().start();
        let mut slow = server.connect().await;
        slow.send(beginning.as_bytes()).await;
        pause();
        let started = Instant::now();
        slow.closed().await;
        assert!(started.elapsed() < Duration::from_secs(10), "{beginning:?}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_408() {
    let server = Setup::default().start();
    let mut slow = server.connect().await;
    slow.send(head(100).as_bytes()).await;
    server.in_flight(1).await;
    pause();
    let response = slow.response().await.unwrap();
    assert_eq!((response.status, response.header("connection")), (408, Some("close")));
    slow.closed().await;
    tokio::time::resume();
    let counted = server.metric(r#"spark_swap_reviews_total{outcome="incomplete",reason="",class=""}"#).await;
    assert_eq!(counted.as_deref(), Some("1"));
}

#[tokio::test]
async fn an_idle_connection_outlives_the_90_seconds_of_the_api_server() {
    let server = Setup::default().start();
    let mut connection = server.connect().await;
    connection.post(&review("one", 0)).await;
    pause();
    let started = Instant::now();
    connection.closed().await;
    assert!(started.elapsed() > Duration::from_secs(100));
    assert!(started.elapsed() < Duration::from_secs(150));
}

#[tokio::test]
async fn connections_to_the_admin_port_are_limited_too() {
    let server = Setup::default().start();
    let mut open = Vec::new();
    for _ in 0..64 {
        let mut connection = server.admin().await;
        assert_eq!(connection.get("/livez").await.status, 200);
        open.push(connection);
    }
    assert_eq!(server.admin().await.closed().await, b"");
    assert_eq!(open[0].get("/livez").await.status, 200);
    assert_eq!(server.connect().await.post(&review("one", 0)).await.status, 200);
}

#[tokio::test]
async fn connections_have_no_nagle_delay_and_keepalive() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let acceptor = LimitedAcceptor::new(1, Gauge::default(), Counter::default());
    let (stream, _held) = acceptor.accept(stream, ()).await.unwrap();
    assert!(stream.nodelay().unwrap());
}
