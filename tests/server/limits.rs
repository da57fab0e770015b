//! Whatever clients do, the process stays within its bounds and goes on answering the others.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::http::Request;
use axum_server::accept::Accept;
use futures_util::{StreamExt as _, stream};
use rustix::net::sockopt::tcp_user_timeout;
use spark_swap::server::limits::{ConnectionCounts, LimitedAcceptor, Limits};
use spark_swap::server::metrics::Metrics;
use spark_swap::server::mutate::Mutate;
use spark_swap::sizing::state::State;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, pause};
use tower_service::Service as _;

use crate::client::{Plain, Tls, client_config, head};
use crate::harness::{Setup, review};

fn limited(change: impl FnOnce(&mut Limits)) -> Setup {
    let mut setup = Setup::default();
    change(&mut setup.limits);
    setup
}

/// Begins a review on a connection and leaves it so.
async fn begin(connection: &mut Tls) {
    let body = review("slow", 0);
    connection.send(head(body.len()).as_bytes()).await;
    connection.send(&body[..10]).await;
}

async fn end(connection: &mut Tls) {
    connection.send(&review("slow", 0)[10..]).await;
    assert_eq!(connection.response().await.unwrap().json()["response"]["uid"], "slow");
}

#[tokio::test]
async fn where_every_connection_is_busy_one_more_is_closed_at_once() {
    let server = limited(|limits| limits.max_connections = 2).start();
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    begin(&mut first).await;
    begin(&mut second).await;
    server.in_flight(2).await;
    let config = client_config(&server.ca, &[b"http/1.1"]);
    assert!(Tls::try_open(server.https, config).await.is_err());
    end(&mut first).await;
    end(&mut second).await;
    assert_eq!(server.connect().await.post(&review("two", 0)).await.status, 200);
    assert_eq!(server.metric("spark_swap_connections_rejected_total").await.as_deref(), Some("1"));
    assert_eq!(server.metric("spark_swap_handshake_failures_total").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn the_connection_that_is_idle_the_longest_makes_room() {
    let server = limited(|limits| limits.max_connections = 3).start();
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(server.connect().await);
    }
    for which in [1, 2, 0] {
        assert_eq!(open[which].post(&review("old", 0)).await.status, 200);
    }
    let mut new = server.connect().await;
    open[1].closed().await;
    for connection in [&mut open[0], &mut new] {
        assert_eq!(connection.post(&review("new", 0)).await.status, 200);
    }
    begin(&mut open[2]).await;
    server.in_flight(1).await;
    let mut next = server.connect().await;
    open[0].closed().await;
    end(&mut open[2]).await;
    assert_eq!(next.post(&review("next", 0)).await.status, 200);
    server.connections(3).await;
    assert_eq!(server.metric("spark_swap_connections_displaced_total").await.as_deref(), Some("2"));
    assert_eq!(server.metric("spark_swap_connections_rejected_total").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn connections_that_never_had_a_request_make_room_before_all_others() {
    let server = limited(|limits| limits.max_connections = 3).start();
    let mut useful = server.connect().await;
    useful.post(&review("one", 0)).await;
    let mut silent = Plain::open_plain(server.https).await;
    server.connections(2).await;
    let mut unused = server.connect().await;
    let _next = server.connect().await;
    silent.closed().await;
    let _next = server.connect().await;
    unused.closed().await;
    assert_eq!(useful.post(&review("two", 0)).await.status, 200);
    // To make room is no failure of a handshake.
    assert_eq!(server.metrics.handshake_failures.get(), 0);
}

const OVERLOADED: &str = r#"spark_swap_reviews_total{outcome="overloaded",reason="",class=""}"#;

#[tokio::test]
async fn one_review_too_many_is_admitted_as_it_is_at_once_and_nobody_queues() {
    let server = limited(|limits| limits.max_reviews = 1).start();
    let mut slow = server.connect().await;
    begin(&mut slow).await;
    server.in_flight(1).await;

    let mut other = server.connect().await;
    // Larger than what is looked at, and than any buffer.
    for length in [0, 5000, 3 << 20] {
        let response = other.post(&review("other", length)).await;
        assert_eq!(response.status, 200);
        let answer = &response.json()["response"];
        assert_eq!((&answer["uid"], &answer["allowed"]), (&"other".into(), &true.into()));
        assert!(answer.get("patch").is_none() && answer.get("patchType").is_none(), "{answer}");
        let warning = answer["warnings"][0].as_str().unwrap();
        assert!(warning.starts_with("spark-swap: overloaded") && warning.len() <= 120, "{warning}");
    }
    end(&mut slow).await;
    assert_eq!(other.post(&review("other", 0)).await.json()["response"]["patch"], "W10=");
    assert_eq!(server.metric(OVERLOADED).await.as_deref(), Some("3"));
}

#[tokio::test]
async fn a_review_too_many_whose_beginning_has_no_uid_is_503() {
    let server = limited(|limits| limits.max_reviews = 1).start();
    let mut slow = server.connect().await;
    begin(&mut slow).await;
    server.in_flight(1).await;
    let late = |length| format!(r#"{{"request":{{"object":"{}","uid":"late"}}}}"#, "x".repeat(length));
    let too_late = late(65_536);
    let mut other = server.connect().await;
    for body in ["", "{}", "[", &too_late] {
        assert_eq!(other.post(body.as_bytes()).await.status, 503, "{body:.20}");
    }
    // After the pod, as writers that sort their keys have it.
    let response = other.post(late(60_000).as_bytes()).await;
    assert_eq!((response.status, &response.json()["response"]["uid"]), (200, &"late".into()));
    assert_eq!(server.metric(OVERLOADED).await.as_deref(), Some("5"));
}

#[tokio::test(start_paused = true)]
async fn a_review_too_many_is_told_in_time_wherever_it_stalls() {
    let setup = limited(|limits| limits.max_reviews = 0);
    let (whole, timeout) = (review("other", 200), setup.limits.body_timeout);
    let state = Arc::new(ArcSwap::from_pointee(State::default()));
    let mutate = Mutate::new(setup.answer, state, None, Arc::new(Metrics::new()), setup.limits);
    let mut router = mutate.router(Arc::default());
    let uid = br#""uid":"other""#;
    let end_of_uid = whole.windows(uid.len()).position(|window| window == uid).unwrap() + uid.len();
    for length in 0..=whole.len() {
        // Without a socket all that was sent has arrived before the clock moves.
        let sent = whole[..length].to_vec();
        let pieces = stream::iter(sent).map(|byte| Ok::<_, io::Error>(vec![byte]));
        let body = Body::from_stream(pieces.chain(stream::pending()));
        let started = Instant::now();
        let answer = router.call(Request::post("/mutate").body(body).unwrap()).await.unwrap();
        assert_eq!(started.elapsed(), timeout);
        let status = if length >= end_of_uid { 200 } else { 503 };
        assert_eq!(answer.status(), status, "after {length} bytes");
    }
}

#[tokio::test]
async fn a_connection_ends_with_the_answer_to_a_review_too_many_that_never_ends() {
    let server = limited(|limits| {
        limits.max_reviews = 0;
        limits.body_timeout = Duration::from_millis(1);
    });
    let server = server.start();
    let mut other = server.connect().await;
    other.send(head(1 << 20).as_bytes()).await;
    assert_eq!(other.response().await.unwrap().status, 503);
    other.closed().await;
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
    let refused = loop {
        let answer = second.post(&body).await.json();
        if answer["response"].get("patch").is_none() {
            break answer;
        }
    };
    assert_eq!(
        (&refused["response"]["uid"], &refused["response"]["allowed"]),
        (&"large".into(), &true.into())
    );
    assert_eq!(second.post(&review("small", 0)).await.json()["response"]["patch"], "W10=");
    first.send(&body[600 << 10..]).await;
    assert_eq!(first.response().await.unwrap().json()["response"]["patch"], "W10=");
    assert_eq!(second.post(&body).await.json()["response"]["patch"], "W10=");
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
    for _ in 0..65 {
        let mut connection = server.admin().await;
        assert_eq!(connection.get("/livez").await.status, 200);
        open.push(connection);
    }
    assert_eq!(open[0].closed().await, b"");
    assert_eq!(open[1].get("/livez").await.status, 200);
    assert_eq!(server.connect().await.post(&review("one", 0)).await.status, 200);
}

#[tokio::test]
async fn connections_have_no_nagle_delay_and_end_when_their_client_takes_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let acceptor = LimitedAcceptor::new(1, ConnectionCounts::default());
    let (stream, _held) = acceptor.accept(stream, ()).await.unwrap();
    assert!(stream.tcp().nodelay().unwrap());
    assert_eq!(tcp_user_timeout(stream.tcp()).unwrap(), 30_000);
}
