//! The Service, its endpoints, the authority and the certificate that is served.

use k8s_openapi::ByteString;
use rstest::rstest;
use rustls::pki_types::CertificateDer;
use serde_json::json;
use spark_swap::cli::check::checks::{CheckId, Status};
use spark_swap::cli::check::facts::{Facts, Seen};
use spark_swap::cluster::certificates::authority::Authority;
use spark_swap::server::handshake::{Handshake, Outcome};

use crate::installation::{
    SERVICE_NAME, answer, assert_check, assert_left_out, authority, chain, entry, from_json, unchanged_probe,
    working,
};

fn trust(facts: &mut Facts, authorities: &[&Authority]) {
    let bundle: String = authorities.iter().map(|authority| authority.certificate_pem()).collect();
    entry(facts).client_config.ca_bundle = Some(ByteString(bundle.into_bytes()));
}

fn serve(facts: &mut Facts, chain: Vec<CertificateDer<'static>>) {
    facts.handshakes.truncate(1);
    facts.handshakes[0].outcome = Outcome::Served(chain);
}

/// The API server gets no answer.
fn silence(facts: &mut Facts) {
    facts.probe = Some(unchanged_probe());
}

#[test]
fn a_service_that_is_not_there_fails() {
    let mut facts = working();
    facts.service = Seen::Absent;
    assert_check(&facts, CheckId::Service, Status::Fail, "no Service spark-swap/spark-swap");
    assert_left_out(&facts, CheckId::Endpoints);
}

#[test]
fn a_service_without_the_port_fails() {
    let mut facts = working();
    entry(&mut facts).client_config.service.as_mut().unwrap().port = Some(8443);
    assert_check(&facts, CheckId::Service, Status::Fail, "no port 8443; it has 8080, 443");
}

#[rstest]
#[case(json!([]), Status::Fail, "no endpoint of spark-swap/spark-swap is ready")]
#[case(json!([{"addresses": ["10.0.0.7"], "conditions": {"ready": false}}]), Status::Fail, "is ready")]
#[case(json!([{"addresses": ["10.0.0.7"], "conditions": {}}]), Status::Warn, "only 10.0.0.7:8443")]
#[case(
    json!([{"addresses": ["fd00::7"]}, {"addresses": ["fd00::8"]}]), Status::Pass, "[fd00::7]:8443, [fd00::8]:8443"
)]
fn endpoints_are_counted_when_they_are_ready(
    #[case] endpoints: serde_json::Value,
    #[case] status: Status,
    #[case] message: &str,
) {
    let mut facts = working();
    facts.endpoints = Seen::Found(vec![from_json(json!({
        "metadata": {"name": "x"}, "addressType": "IPv4",
        "ports": [{"name": "https", "port": 8443}], "endpoints": endpoints,
    }))]);
    assert_check(&facts, CheckId::Endpoints, status, message);
}

#[test]
fn a_webhook_that_is_called_by_url_has_no_service() {
    let mut facts = working();
    let client = &mut entry(&mut facts).client_config;
    (client.service, client.url) = (None, Some("https://10.0.0.7:8443/mutate".to_owned()));
    assert_left_out(&facts, CheckId::Service);
    assert_check(&facts, CheckId::CaBundle, Status::Pass, "CN=spark-swap CA");
}

#[test]
fn an_empty_ca_bundle_is_for_public_authorities() {
    let mut facts = working();
    entry(&mut facts).client_config.ca_bundle = None;
    assert_check(&facts, CheckId::CaBundle, Status::Fail, "no public authority signs the name of a Service");
    let client = &mut entry(&mut facts).client_config;
    (client.service, client.url) = (None, Some(format!("https://{SERVICE_NAME}/mutate")));
    client.ca_bundle = Some(ByteString(Vec::new()));
    assert_check(&facts, CheckId::CaBundle, Status::Warn, "system authorities");
    assert_left_out(&facts, CheckId::CaExpiry);
    assert_check(&facts, CheckId::ServedCertificate, Status::Pass, SERVICE_NAME);
}

#[rstest]
#[case("text", "holds no certificate")]
#[case("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is no X.509 certificate")]
#[case("-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n", "is not PEM")]
fn a_ca_bundle_without_certificates_fails(#[case] bundle: &str, #[case] message: &str) {
    let mut facts = working();
    entry(&mut facts).client_config.ca_bundle = Some(ByteString(bundle.as_bytes().to_vec()));
    assert_check(&facts, CheckId::CaBundle, Status::Fail, message);
}

#[rstest]
#[case::for_long(&[(-10, 365)], Status::Pass, "until 2028-01-05 (355 days)")]
#[case::soon(&[(-10, 39)], Status::Warn, "it expires on 2027-02-13 (29 days)")]
#[case::renewed(&[(-10, 39), (-1, 365)], Status::Pass, "(364 days)")]
#[case::expired(&[(-10, 9)], Status::Fail, "it expired on 2027-01-14")]
#[case::one_expired(&[(-10, 9), (-1, 365)], Status::Pass, "(364 days)")]
#[case::not_yet(&[(1, 365)], Status::Fail, "not valid before 2027-01-16")]
fn an_authority_has_to_be_valid(#[case] valid: &[(i64, u32)], #[case] status: Status, #[case] message: &str) {
    let authorities: Vec<Authority> = valid.iter().map(|&(from, days)| authority(from, days)).collect();
    let mut facts = working();
    trust(&mut facts, &authorities.iter().collect::<Vec<_>>());
    assert_check(&facts, CheckId::CaExpiry, status, message);
}

#[test]
fn a_certificate_is_verified_as_the_api_server_does() {
    let ca = authority(-10, 365);
    let (other, expired) = (authority(-10, 365), authority(-10, 9));
    for (chain, authorities, message) in [
        (
            chain(&ca, SERVICE_NAME, -10, 90),
            vec![&other],
            "not from an authority in caBundle; its issuer is CN=spark-swap CA",
        ),
        (
            chain(&ca, "localhost", -10, 90),
            vec![&ca],
            "is not for spark-swap.spark-swap.svc; it is for localhost",
        ),
        (chain(&ca, "10.0.0.7", -10, 90), vec![&ca], "it is for 10.0.0.7"),
        (chain(&ca, SERVICE_NAME, -10, 9), vec![&ca], "expired on 2027-01-14"),
        (chain(&ca, SERVICE_NAME, 1, 9), vec![&ca], "is not valid before 2027-01-16"),
        (chain(&expired, SERVICE_NAME, -10, 90), vec![&expired], "no authority in caBundle is valid now"),
        (Vec::new(), vec![&ca], "no certificate is served"),
    ] {
        let mut facts = working();
        silence(&mut facts);
        trust(&mut facts, &authorities);
        serve(&mut facts, chain.clone());
        assert_check(&facts, CheckId::ServedCertificate, Status::Fail, message);
        // Who answers the API server is trusted by it: then it is another server that was seen from here.
        answer(&mut facts);
        assert_check(&facts, CheckId::ServedCertificate, Status::Warn, "has just had an answer");
    }
    let mut facts = working();
    trust(&mut facts, &[&other, &ca]);
    serve(&mut facts, chain(&ca, SERVICE_NAME, -10, 90));
    assert_check(
        &facts,
        CheckId::ServedCertificate,
        Status::Pass,
        "spark-swap.spark-swap.svc at 10.0.0.7:8443",
    );
}

#[test]
fn a_certificate_that_is_its_own_authority_is_trusted() {
    let mut params = rcgen::CertificateParams::new([SERVICE_NAME.to_owned()]).unwrap();
    (params.not_before, params.not_after) = (crate::installation::day(-10), crate::installation::day(80));
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let mut facts = working();
    entry(&mut facts).client_config.ca_bundle = Some(ByteString(certificate.pem().into_bytes()));
    serve(&mut facts, vec![certificate.der().clone()]);
    assert_check(&facts, CheckId::ServedCertificate, Status::Pass, SERVICE_NAME);
}

#[test]
fn a_webhook_that_only_the_api_server_reaches_is_no_failure() {
    let mut facts = working();
    for handshake in &mut facts.handshakes {
        handshake.outcome = Outcome::Unreachable("no answer in time".to_owned());
    }
    assert_check(&facts, CheckId::ServedCertificate, Status::Pass, "by the API server, as the dry run shows");
    assert_left_out(&facts, CheckId::ServedCertificateExpiry);
    silence(&mut facts);
    assert_check(&facts, CheckId::ServedCertificate, Status::Warn, "10.0.0.8:8443: no answer in time");
    facts.handshakes.push(Handshake {
        address: "10.0.0.9:8443".to_owned(),
        name: SERVICE_NAME.to_owned(),
        outcome: Outcome::NoTls("the connection was closed".to_owned()),
    });
    assert_check(&facts, CheckId::ServedCertificate, Status::Fail, "10.0.0.9:8443: no TLS");
}

#[rstest]
#[case::fresh(-10, 90, Status::Pass, "until 2027-04-05 (80 days)")]
#[case::renewed_every_day(0, 1, Status::Pass, "(1 days)")]
#[case::not_renewed(-80, 90, Status::Warn, "it expires on 2027-01-25 (10 days)")]
#[case::a_month_left_of_a_year(-340, 365, Status::Warn, "(25 days)")]
#[case::expired(-90, 89, Status::Fail, "it expired on 2027-01-14")]
fn a_certificate_is_renewed_in_time(
    #[case] from: i64,
    #[case] days: u32,
    #[case] status: Status,
    #[case] message: &str,
) {
    let ca = authority(-400, 1000);
    let mut facts = working();
    trust(&mut facts, &[&ca]);
    serve(&mut facts, chain(&ca, SERVICE_NAME, from, days));
    assert_check(&facts, CheckId::ServedCertificateExpiry, status, message);
}
