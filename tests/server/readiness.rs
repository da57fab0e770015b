//! Ready is who gets through to himself, with a certificate that the API server would trust.

use rstest::rstest;
use spark_swap::cluster::certificates::authority::{Authority, Validity};
use spark_swap::server::tls::CertificatePair;
use spark_swap::server::trust::{Authorities, Trust};
use time::{Duration, OffsetDateTime};

use crate::client::{Tls, client_config};
use crate::harness::{Running, Setup, review, self_made, validity};

const BUNDLE: &str = "caBundle of mutatingwebhookconfiguration/spark-swap";
const REFUSED: &str = "the API server would not trust the served certificate: ";

fn published(pem: &str, name: &str) -> Trust {
    Trust::In(Authorities::from_pem(BUNDLE, pem.as_bytes()).unwrap(), name.to_owned())
}

async fn readyz(server: &Running) -> (u16, String) {
    let response = server.admin().await.get("/readyz").await;
    (response.status, response.text())
}

#[tokio::test]
async fn a_ca_bundle_without_our_authority_is_not_ready_until_it_is_added() {
    let server = Setup::default().start();
    assert_eq!(readyz(&server).await, (200, "ok\n".to_owned()), "nothing is published");
    let other = self_made().0;
    server.certificate.judge_by(published(&other, "localhost"));
    let problem = format!(
        "{REFUSED}the certificate is not from an authority in {BUNDLE}; its issuer is CN=spark-swap CA\n"
    );
    assert_eq!(readyz(&server).await, (503, problem));
    server.certificate.judge_by(published(&(other + &server.ca), "localhost"));
    assert_eq!(readyz(&server).await.0, 200);
}

#[tokio::test]
async fn an_empty_ca_bundle_that_is_about_to_be_filled_is_not_ready() {
    let server = Setup::default().start();
    server.certificate.judge_by(Trust::Nobody(format!("{BUNDLE} is empty")));
    assert_eq!(readyz(&server).await, (503, format!("{REFUSED}{BUNDLE} is empty\n")));
}

#[tokio::test]
async fn a_ca_bundle_that_somebody_empties_takes_no_replica_out_of_the_service() {
    let server = Setup::default().start();
    server.certificate.judge_by(published(&server.ca, "localhost"));
    server.certificate.judge_by(Trust::Nobody(format!("{BUNDLE} is empty")));
    assert_eq!(readyz(&server).await.0, 200);
    // Who was not trusted before is not trusted now.
    server.certificate.judge_by(published(&self_made().0, "localhost"));
    server.certificate.judge_by(Trust::Nobody(format!("{BUNDLE} is empty")));
    assert_eq!(readyz(&server).await.0, 503);
}

#[tokio::test]
async fn a_certificate_for_another_name_than_the_services_is_not_ready() {
    let server = Setup::default().start();
    server.certificate.judge_by(published(&server.ca, "swap.tools.svc"));
    let problem = format!("{REFUSED}the certificate is not for swap.tools.svc; it is for localhost\n");
    assert_eq!(readyz(&server).await, (503, problem));
}

#[tokio::test]
async fn an_authority_that_is_not_valid_any_more_is_not_ready() {
    let past = Validity::days_from(OffsetDateTime::now_utc().saturating_sub(Duration::days(3)), 1);
    let authority = Authority::new(past).unwrap();
    let issued = authority.issue(&["localhost".to_owned()], validity()).unwrap();
    let pair =
        CertificatePair::from_pem(issued.certificate_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
    let ca = authority.certificate_pem();
    let server = Setup { certificate: Some((ca.clone(), pair)), ..Setup::default() }.start();
    server.certificate.judge_by(published(&ca, "localhost"));
    assert_eq!(readyz(&server).await, (503, format!("{REFUSED}no authority in {BUNDLE} is valid now\n")));
}

#[tokio::test]
async fn without_a_certificate_nothing_is_ready_and_the_reason_is_told() {
    let server = Setup { has_certificate: false, ..Setup::default() }.start();
    let certificate = &server.certificate;
    assert_eq!(readyz(&server).await, (503, "waiting for the first certificate\n".to_owned()));
    certificate.is_missing_because("secrets is forbidden".to_owned());
    assert_eq!(readyz(&server).await.1, "waiting for the first certificate: secrets is forbidden\n");
    let config = client_config(&server.ca, &[b"http/1.1"]);
    assert!(Tls::try_open(server.https, config).await.is_err(), "a handshake without a certificate");
    certificate.replace(self_made().1);
    assert_eq!(readyz(&server).await.0, 200);
}

/// Busy is not broken: a probe that takes no slot away from the API server decides by what would be served.
#[rstest]
#[case::trusted("localhost", 200)]
#[case::not_trusted("swap.tools.svc", 503)]
#[tokio::test]
async fn when_every_connection_is_taken_the_certificate_alone_decides(
    #[case] name: &str,
    #[case] status: u16,
) {
    let mut setup = Setup::default();
    setup.limits.max_connections = 1;
    let server = setup.start();
    let mut only = server.connect().await;
    only.post(&review("busy", 0)).await;
    server.certificate.judge_by(published(&server.ca, name));
    assert_eq!(readyz(&server).await.0, status);
    assert_eq!(only.post(&review("still", 0)).await.status, 200);
}
