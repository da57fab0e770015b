//! A Secret that somebody else fills: what is in it is served, and the last good pair whatever becomes of it.

use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use rstest::rstest;
use spark_swap::cluster::certificates::authority::{Authority, Issued};
use spark_swap::cluster::one_object::{SecretName, Sighting};
use spark_swap::server::certificate_secret::CertificateSecret;

use crate::harness::{Running, Setup, review, validity};
use crate::pem::{chain, p384, rsa};

fn secret(certificate: &str, key: &str) -> Sighting<Secret> {
    let data = [("tls.crt", certificate), ("tls.key", key)];
    let data = data.map(|(key, text)| (key.to_owned(), ByteString(text.as_bytes().to_vec())));
    Sighting::Is(Some(Box::new(Secret { data: Some(data.into()), ..Secret::default() })))
}

fn issued(authority: &Authority) -> Issued {
    authority.issue(&["localhost".to_owned()], validity()).unwrap()
}

fn source(server: &Running) -> CertificateSecret {
    let name = SecretName { namespace: "tools".to_owned(), name: "swap-tls".to_owned() };
    CertificateSecret::new(name, Arc::clone(&server.certificate), Arc::clone(&server.metrics))
}

async fn readyz(server: &Running) -> (u16, String) {
    let response = server.admin().await.get("/readyz").await;
    (response.status, response.text())
}

async fn reloads(server: &Running, outcome: &str) -> Option<String> {
    server.metric(&format!(r#"spark_swap_certificate_reloads_total{{outcome="{outcome}"}}"#)).await
}

#[tokio::test]
async fn nothing_is_ready_before_the_secret_is_filled_and_the_reason_is_told() {
    let server = Setup { has_certificate: false, ..Setup::default() }.start();
    let mut source = source(&server);
    let waiting = "waiting for the first certificate: ";
    assert_eq!(readyz(&server).await, (503, format!("{waiting}secret tools/swap-tls was not read yet\n")));
    source.take(Sighting::Failed("secrets is forbidden".to_owned()));
    assert_eq!(readyz(&server).await.1, format!("{waiting}secrets is forbidden\n"));
    source.take(Sighting::Is(None));
    assert_eq!(readyz(&server).await.1, format!("{waiting}there is no secret tools/swap-tls\n"));
    source.take(Sighting::Is(Some(Box::default())));
    assert!(readyz(&server).await.1.contains("secret tools/swap-tls: tls.key: there is no private key"));
    let authority = Authority::new(validity()).unwrap();
    let Issued { certificate_pem, key_pem } = issued(&authority);
    source.take(secret(&certificate_pem, &key_pem));
    assert_eq!(readyz(&server).await, (200, "ok\n".to_owned()));
    assert_eq!(reloads(&server, "replaced").await.as_deref(), Some("0"), "the first one replaces nothing");
}

#[tokio::test]
async fn renewals_are_served_and_what_is_no_pair_is_not() {
    let authority = Authority::new(validity()).unwrap();
    let setup = Setup { has_certificate: false, ..Setup::default() };
    let mut server = setup.start();
    server.ca = authority.certificate_pem();
    let mut source = source(&server);
    let first = issued(&authority);
    source.take(secret(&first.certificate_pem, &first.key_pem));
    let mut open = server.connect().await;
    for _ in 0..3 {
        let next = issued(&authority);
        source.take(secret(&next.certificate_pem, &next.key_pem));
        assert_eq!(server.connect().await.post(&review("new", 0)).await.status, 200);
        assert_eq!(open.post(&review("open", 0)).await.status, 200);
    }
    assert_eq!(reloads(&server, "replaced").await.as_deref(), Some("3"));
    let last = issued(&authority);
    let broken = [
        secret(&last.certificate_pem, &first.key_pem),
        secret("", &last.key_pem),
        Sighting::Is(None),
        Sighting::Is(Some(Box::default())),
    ];
    for (index, broken) in broken.into_iter().enumerate() {
        source.take(broken);
        assert_eq!(reloads(&server, "failed").await, Some((index + 1).to_string()));
        assert_eq!(readyz(&server).await.0, 200, "the last good pair stays in force");
    }
    source.take(secret(&last.certificate_pem, &last.key_pem));
    assert_eq!(reloads(&server, "replaced").await.as_deref(), Some("4"));
}

/// Labels and annotations of a Secret change, too.
#[tokio::test]
async fn the_same_pair_again_is_no_renewal() {
    let server = Setup { has_certificate: false, ..Setup::default() }.start();
    let mut source = source(&server);
    let Issued { certificate_pem, key_pem } = issued(&Authority::new(validity()).unwrap());
    for _ in 0..3 {
        source.take(secret(&certificate_pem, &key_pem));
    }
    assert_eq!(reloads(&server, "replaced").await.as_deref(), Some("0"));
}

#[rstest]
#[case::p384_with_intermediate(1, p384())]
#[case::rsa_with_two(2, rsa())]
#[tokio::test]
async fn chains_and_keys_of_other_kinds_are_served(
    #[case] intermediates: usize,
    #[case] key: rcgen::KeyPair,
) {
    let made = chain(intermediates, key);
    let mut server = Setup { has_certificate: false, ..Setup::default() }.start();
    server.ca = made.root;
    source(&server).take(secret(&made.chain, &made.key.serialize_pem()));
    assert_eq!(server.connect().await.post(&review("one", 0)).await.status, 200);
}
