//! Every certificate and key that tools make is served; everything else is refused with what and where.

use rcgen::KeyPair;
use rstest::rstest;
use rustls::version::{TLS12, TLS13};
use spark_swap::cluster::certificates::authority::{Authority, Validity, check_name};
use spark_swap::server::certificate_files::{CertificateFiles, Reload};
use spark_swap::server::tls::{CertificatePair, MinVersion, TlsPolicy};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::client::{Tls, of_versions};
use crate::harness::{Setup, review, self_made, validity};
use crate::pem::{Made, chain, chain_of, ed25519, p256, p384, pkcs1, rsa, rsa_4096, sec1};

/// What an own PKI puts into files: served when the server starts with it, and when it replaces something else. The
/// client checks it by the root alone, so it needs the whole chain, and it does so with both versions of TLS.
async fn is_served(made: Made, key: &str) {
    let directory = tempfile::tempdir().unwrap();
    let paths = ["tls.crt", "tls.key"].map(|name| directory.path().join(name));
    let write = |certificate: &str, key: &str| {
        std::fs::write(&paths[0], certificate).unwrap();
        std::fs::write(&paths[1], key).unwrap();
    };
    let before = chain(0, p256());
    write(&before.chain, &before.key.serialize_pem());
    let (mut renewed, replaced) = CertificateFiles::load(paths[0].clone(), paths[1].clone()).unwrap();
    write(&made.chain, key);
    let (_, at_start) = CertificateFiles::load(paths[0].clone(), paths[1].clone()).unwrap();
    let Reload::Replaced(pair) = renewed.poll() else { panic!("not replaced") };

    let tls = TlsPolicy { min_version: MinVersion::Tls12, clients: None };
    for (pair, renewal) in [(at_start, None), (replaced, Some(pair))] {
        let certificate = Some((made.root.clone(), pair));
        let server = Setup { certificate, tls: tls.clone(), ..Setup::default() }.start();
        if let Some(renewal) = renewal {
            server.certificate.replace(renewal);
        }
        for version in [&TLS13, &TLS12] {
            let config = of_versions(&server.ca, &[version]).with_no_client_auth();
            let mut connection = Tls::try_open(server.https, config).await.unwrap();
            let shown = connection.stream.get_ref().1.peer_certificates().unwrap().len();
            assert_eq!(shown, made.chain.matches("BEGIN CERTIFICATE").count());
            assert_eq!(connection.post(&review("one", 0)).await.status, 200);
        }
    }
}

#[rstest]
#[case::without_intermediates(p256, 0)]
#[case::with_one(p256, 1)]
#[case::with_two(p256, 2)]
#[case::of_p384(p384, 1)]
#[case::of_ed25519(ed25519, 1)]
#[case::of_rsa(rsa, 2)]
#[tokio::test]
async fn a_chain_is_served_whole(#[case] authority_key: fn() -> KeyPair, #[case] intermediates: usize) {
    let made = chain_of(authority_key, intermediates, p256());
    let key = made.key.serialize_pem();
    is_served(made, &key).await;
}

#[rstest]
#[case::p256_pkcs8(p256(), KeyPair::serialize_pem)]
#[case::p256_sec1(p256(), sec1)]
#[case::p384_pkcs8(p384(), KeyPair::serialize_pem)]
#[case::p384_sec1(p384(), sec1)]
#[case::ed25519_pkcs8(ed25519(), KeyPair::serialize_pem)]
#[case::rsa_2048_pkcs8(rsa(), KeyPair::serialize_pem)]
#[case::rsa_2048_pkcs1(rsa(), pkcs1)]
#[case::rsa_4096_pkcs8(rsa_4096(), KeyPair::serialize_pem)]
#[case::rsa_4096_pkcs1(rsa_4096(), pkcs1)]
#[tokio::test]
async fn keys_of_every_kind_and_form_are_served(#[case] key: KeyPair, #[case] form: fn(&KeyPair) -> String) {
    let made = chain(1, key);
    let key = form(&made.key);
    is_served(made, &key).await;
}

#[test]
fn parameters_before_a_sec1_key_are_skipped() {
    let key = p256();
    let text = format!(
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{}",
        sec1(&key)
    );
    assert!(CertificatePair::from_pem(chain(0, key).chain.as_bytes(), text.as_bytes()).is_ok());
}

#[test]
fn the_first_of_the_chain_to_expire_counts() {
    let authority = Authority::new(validity()).unwrap();
    let now = OffsetDateTime::now_utc();
    let issued = authority.issue(&["localhost".to_owned()], Validity::days_from(now, 100)).unwrap();
    let chain = issued.certificate_pem + &authority.certificate_pem();
    let pair = CertificatePair::from_pem(chain.as_bytes(), issued.key_pem.as_bytes()).unwrap();
    let day = now.saturating_add(Duration::days(1)).unix_timestamp();
    assert!((day - 1..=day).contains(&pair.expires()));
}

#[tokio::test]
async fn the_expiry_is_a_metric_and_an_expired_certificate_is_not_ready() {
    let authority = Authority::new(validity()).unwrap();
    let past = Validity::days_from(OffsetDateTime::now_utc().saturating_sub(Duration::days(3)), 1);
    let issued = authority.issue(&["localhost".to_owned()], past).unwrap();
    let pair =
        CertificatePair::from_pem(issued.certificate_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
    let expires = pair.expires();
    let server = Setup { certificate: Some((authority.certificate_pem(), pair)), ..Setup::default() }.start();
    let series = "spark_swap_certificate_expiry_timestamp_seconds";
    assert_eq!(server.metric(series).await, Some(expires.to_string()));
    let response = server.admin().await.get("/readyz").await;
    assert_eq!((response.status, response.text().as_str()), (503, "the served certificate has expired\n"));
    server.certificate.replace(self_made().1);
    assert_eq!(server.admin().await.get("/readyz").await.status, 200);
}

#[rstest]
#[case::no_certificate("", "KEY", "tls.crt: there is no certificate")]
#[case::a_key_instead("KEY", "KEY", "tls.crt: there is no certificate")]
#[case::no_key("CERT", "", "tls.key: there is no private key")]
#[case::a_certificate_instead("CERT", "CERT", "tls.key: there is no private key")]
#[case::broken_base64(
    "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    "KEY",
    "tls.crt: the certificate is not valid PEM"
)]
#[case::cut_off("-----BEGIN CERTIFICATE-----\nMIIB", "KEY", "tls.crt: the certificate is not valid PEM")]
#[case::not_x509(
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "KEY",
    "tls.crt: the certificate is not a valid X.509"
)]
#[case::bad_key(
    "CERT",
    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    "tls.key: the private key is of a kind"
)]
#[case::another_key("CERT", "OTHER", "tls.crt: the private key does not belong")]
fn a_pair_that_does_not_fit_is_refused_with_what_and_where(
    #[case] certificate: &str,
    #[case] key: &str,
    #[case] problem: &str,
) {
    let made = chain(0, p256());
    let contents = |word: &str| match word {
        "CERT" => made.chain.clone(),
        "KEY" => made.key.serialize_pem(),
        "OTHER" => p256().serialize_pem(),
        text => text.to_owned(),
    };
    let directory = tempfile::tempdir().unwrap();
    let paths = ["tls.crt", "tls.key"].map(|name| directory.path().join(name));
    std::fs::write(&paths[0], contents(certificate)).unwrap();
    std::fs::write(&paths[1], contents(key)).unwrap();
    let [certificate, key] = paths;
    let found = CertificateFiles::load(certificate, key).unwrap_err();
    assert!(found.contains(problem), "{found}");
}

#[test]
fn self_made_certificates_say_everything_that_verifiers_look_at() {
    let authority = Authority::new(validity()).unwrap();
    let issued = authority.issue(&["a.b.svc".to_owned(), "::1".to_owned()], validity()).unwrap();
    let der = |text: &str| x509_parser::pem::parse_x509_pem(text.as_bytes()).unwrap().1.contents;
    let (ca, leaf) = (der(&authority.certificate_pem()), der(&issued.certificate_pem));
    let ca = X509Certificate::from_der(&ca).unwrap().1;
    let leaf = X509Certificate::from_der(&leaf).unwrap().1;

    assert_ne!(leaf.subject(), leaf.issuer());
    assert_eq!(leaf.issuer(), ca.subject());
    assert!(ca.is_ca() && !leaf.is_ca());
    let constraints = ca.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.path_len_constraint == Some(0));
    let usage = ca.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
    assert!(leaf.key_usage().unwrap().unwrap().value.digital_signature());
    assert!(leaf.extended_key_usage().unwrap().unwrap().value.server_auth);
    assert_eq!(leaf.subject_alternative_name().unwrap().unwrap().value.general_names.len(), 2);
    let oid = x509_parser::oid_registry::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER;
    assert!(leaf.get_extension_unique(&oid).unwrap().is_some());
    let life = leaf.validity().not_after.timestamp() - leaf.validity().not_before.timestamp();
    assert_eq!(life, 24 * 3600 + 300);
}

#[test]
fn names_of_a_certificate_are_checked() {
    for name in ["localhost", "a.b.svc", "*.example.com", "10.0.0.7", "::1", "xn--bcher-kva.example"] {
        assert!(check_name(name).is_ok(), "{name}");
    }
    for name in ["", "a b", "ä.example", "-a.b", "a..b", "https://a", "a:443", "*.", "*"] {
        assert!(check_name(name).is_err(), "{name}");
    }
}
