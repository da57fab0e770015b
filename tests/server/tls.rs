//! The TLS that the API server meets.

use rustls::version::{TLS12, TLS13};
use spark_swap::server::tls::{MinVersion, TlsPolicy};

use crate::client::{Tls, client_config, of_versions};
use crate::harness::{Setup, review, self_made};

#[tokio::test]
async fn only_http_1_1_is_offered() {
    let server = Setup::default().start();
    let both = client_config(&server.ca, &[b"h2", b"http/1.1"]);
    let connection = Tls::try_open(server.https, both).await.unwrap();
    assert_eq!(connection.stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(Tls::try_open(server.https, client_config(&server.ca, &[b"h2"])).await.is_err());
    let mut silent = Tls::try_open(server.https, client_config(&server.ca, &[])).await.unwrap();
    assert_eq!(silent.post(&review("one", 0)).await.status, 200);
}

#[tokio::test]
async fn no_session_tickets_are_sent() {
    let server = Setup::default().start();
    let mut connection = server.connect().await;
    connection.post(&review("one", 0)).await;
    assert_eq!(connection.stream.get_ref().1.tls13_tickets_received(), 0);
}

#[tokio::test]
async fn tls_1_2_is_spoken_only_where_it_is_asked_for() {
    let of_version = |ca: &str, version| of_versions(ca, &[version]).with_no_client_auth();
    for (min_version, speaks_1_2) in [(MinVersion::default(), false), (MinVersion::Tls12, true)] {
        let tls = TlsPolicy { min_version, clients: None };
        let server = Setup { tls, ..Setup::default() }.start();
        let new = Tls::try_open(server.https, of_version(&server.ca, &TLS13)).await;
        assert_eq!(new.unwrap().post(&review("one", 0)).await.status, 200);
        match Tls::try_open(server.https, of_version(&server.ca, &TLS12)).await {
            Ok(mut old) => {
                assert!(speaks_1_2);
                assert_eq!(old.post(&review("one", 0)).await.status, 200);
            }
            Err(error) => assert!(!speaks_1_2, "{error}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_distrusts_us_is_counted_and_harms_nobody() {
    let server = Setup::default().start();
    let (other_ca, _) = self_made();
    assert!(Tls::try_open(server.https, client_config(&other_ca, &[b"http/1.1"])).await.is_err());
    assert_eq!(server.connect().await.post(&review("one", 0)).await.status, 200);
    while server.metrics.handshake_failures.get() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn plain_http_on_the_tls_port_harms_nobody() {
    let server = Setup::default().start();
    let mut plain = crate::client::Plain::open_plain(server.https).await;
    plain.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    plain.closed().await;
    assert_eq!(server.connect().await.post(&review("one", 0)).await.status, 200);
}
