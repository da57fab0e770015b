//! `/log-level` on the admin port: what is logged, shown and changed while the server runs.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use rstest::rstest;
use spark_swap::server::admin::Admin;
use spark_swap::server::limits::Limits;
use spark_swap::server::metrics::Metrics;
use spark_swap::server::readiness::Readiness;
use spark_swap::server::self_call::SelfCall;
use spark_swap::server::telemetry::LogLevel;
use spark_swap::server::tls::ServedCertificate;
use tower_service::Service;

use crate::client::{Plain, Response};
use crate::harness::Setup;

pub(crate) async fn put(admin: SocketAddr, levels: &str) -> Response {
    let mut connection = Plain::open_plain(admin).await;
    let head =
        format!("PUT /log-level HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", levels.len());
    connection.send(format!("{head}{levels}").as_bytes()).await;
    connection.response().await.unwrap()
}

#[tokio::test]
async fn levels_are_shown_as_they_were_written_and_changed() {
    let running = Setup::default().start();
    let shown = running.admin().await.get("/log-level").await;
    assert_eq!((shown.status, &*shown.text()), (200, "info\n"));
    let changed = put(running.admin, "info,spark_swap::server=debug\n").await;
    assert_eq!((changed.status, &*changed.text()), (200, "info,spark_swap::server=debug\n"));
    assert_eq!(running.admin().await.get("/log-level").await.text(), "info,spark_swap::server=debug\n");
}

#[rstest]
#[case::a_typo("inof", 400, "expected off, error, warn, info, debug or trace")]
#[case::nothing("", 400, "expected off")]
#[case::no_text("\u{fffd}\u{0}", 400, "expected off")]
#[case::far_too_much(&"debug,".repeat(1000), 413, "")]
#[tokio::test]
async fn what_is_no_level_changes_nothing(#[case] levels: &str, #[case] status: u16, #[case] problem: &str) {
    let running = Setup::default().start();
    let answer = put(running.admin, levels).await;
    assert_eq!(answer.status, status);
    assert!(answer.text().contains(problem), "{}", answer.text());
    assert_eq!(running.admin().await.get("/log-level").await.text(), "info\n");
}

#[rstest]
#[case::another_machine(Ipv4Addr::new(192, 0, 2, 7).into(), 403, "kubectl port-forward")]
#[case::another_machine_by_ipv6("2001:db8::7".parse::<Ipv6Addr>().unwrap().into(), 403, "kubectl port-forward")]
#[case::this_machine(Ipv4Addr::LOCALHOST.into(), 200, "debug")]
#[case::this_machine_by_ipv6(Ipv6Addr::LOCALHOST.into(), 200, "debug")]
#[case::this_machine_on_a_socket_for_both(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), 200, "debug")]
#[tokio::test]
async fn levels_are_changed_from_this_machine_only(
    #[case] peer: std::net::IpAddr,
    #[case] status: u16,
    #[case] says: &str,
) {
    let (log_level, _filter) = LogLevel::new("info".parse().unwrap());
    let (metrics, certificate) = (Arc::new(Metrics::new()), Arc::new(ServedCertificate::default()));
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let (own, counts) = (Arc::clone(&certificate), Arc::clone(&metrics));
    let admin = Admin {
        metrics,
        readiness: Arc::new(Readiness::default()),
        certificate,
        self_call: Arc::new(SelfCall::new(nowhere, own, None, counts, Limits::default())),
        log_level: log_level.clone(),
    };
    let mut request = Request::put("/log-level").body(Body::from("debug")).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 40_000))));
    let answer = admin.router().call(request).await.unwrap();
    assert_eq!(answer.status(), status);
    let text = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    assert!(String::from_utf8_lossy(&text).contains(says));
    assert_eq!(log_level.current() == "debug", status == 200);
}
