//! Only clients with the right certificate get through, whatever happens to the file that says which one that is.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType};
use rstest::rstest;
use rustls::SupportedProtocolVersion;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use spark_swap::cluster::certificates::authority::{Authority, Issued, Validity};
use spark_swap::server::client_ca_file::ClientCaFile;
use spark_swap::server::client_certificates::{ClientAuthorities, ClientCertificates};
use spark_swap::server::metrics::Metrics;
use spark_swap::server::tls::{MinVersion, TlsPolicy};
use spark_swap::server::watched::Reload;
use time::OffsetDateTime;

use crate::client::{Tls, of_versions};
use crate::harness::{Running, Setup, review, validity};
use crate::pem::{authority, p384, rsa};

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A server that lets in only clients of these authorities (PEM) with these names.
fn start(authorities: &str, names: &[&str]) -> (Running, Arc<ClientCertificates>) {
    let authorities = ClientAuthorities::from_pem(authorities.as_bytes()).unwrap();
    let names = names.iter().copied().map(str::to_owned).collect();
    let clients = Arc::new(ClientCertificates::new(authorities, names).unwrap());
    let tls = TlsPolicy { min_version: MinVersion::Tls12, clients: Some(Arc::clone(&clients)) };
    (Setup { tls, ..Setup::default() }.start(), clients)
}

fn of_clients() -> Authority {
    Authority::of_clients(validity()).unwrap()
}

fn issue(authority: &Authority) -> Issued {
    authority.issue_client("kube-apiserver", validity()).unwrap()
}

/// Connects with a certificate, or with none.
async fn connect(
    server: &Running,
    version: &'static SupportedProtocolVersion,
    client: Option<&Issued>,
) -> std::io::Result<Tls> {
    let config = of_versions(&server.ca, &[version]);
    let config = match client {
        None => config.with_no_client_auth(),
        Some(issued) => {
            let chain = CertificateDer::pem_slice_iter(issued.certificate_pem.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
            config.with_client_auth_cert(chain.map(Result::unwrap).collect(), key).unwrap()
        }
    };
    Tls::try_open(server.https, config).await
}

/// Whether a client gets an answer. With TLS 1.3 it learns only afterwards that it is not welcome.
async fn gets_in(
    server: &Running,
    version: &'static SupportedProtocolVersion,
    client: Option<&Issued>,
) -> bool {
    let Ok(mut connection) = connect(server, version, client).await else { return false };
    connection.try_post(&review("one", 0)).await.is_ok_and(|response| response.status == 200)
}

/// Waits for what the handler of failed handshakes counts.
async fn counted(server: &Running, reason: &str, count: usize) {
    let series = format!(r#"spark_swap_clients_refused_total{{reason="{reason}"}} {count}"#);
    while !server.metrics.encode().unwrap().contains(&series) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_needs_a_certificate_of_the_authority() {
    let authority = of_clients();
    let (server, _) = start(&authority.certificate_pem(), &[]);
    let (ours, others) = (issue(&authority), issue(&of_clients()));
    for (round, version) in BOTH.into_iter().enumerate() {
        assert!(gets_in(&server, version, Some(&ours)).await);
        assert!(!gets_in(&server, version, None).await);
        counted(&server, "no_certificate", round + 1).await;
        assert!(!gets_in(&server, version, Some(&others)).await);
        counted(&server, "unknown_authority", round + 1).await;
    }
    assert_eq!(server.metrics.handshake_failures.get(), 4);
}

#[tokio::test]
async fn an_outdated_certificate_and_one_for_servers_do_not_get_in() {
    let authority = of_clients();
    let (server, _) = start(&authority.certificate_pem(), &[]);
    let past = Validity::days_from(OffsetDateTime::now_utc().saturating_sub(time::Duration::days(3)), 1);
    let outdated = authority.issue_client("kube-apiserver", past).unwrap();
    assert!(!gets_in(&server, &TLS13, Some(&outdated)).await);
    counted(&server, "out_of_date", 1).await;
    let of_server = authority.issue(&["localhost".to_owned()], validity()).unwrap();
    assert!(!gets_in(&server, &TLS13, Some(&of_server)).await);
    counted(&server, "unusable", 1).await;
}

/// A client certificate with a common name, a DNS name, a URI and an address.
fn of_many_names(issuer: &CertifiedIssuer<'static, KeyPair>, key: &KeyPair) -> Issued {
    let mut params = CertificateParams::new(["api.example".to_owned(), "10.0.0.7".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    params.subject_alt_names.push(SanType::URI("spiffe://cluster/api".try_into().unwrap()));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(key, issuer).unwrap();
    Issued { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() }
}

#[rstest]
#[case::common_name("kube-apiserver", true)]
#[case::dns_name("api.example", true)]
#[case::uri("spiffe://cluster/api", true)]
#[case::part("example", false)]
#[case::beginning("kube", false)]
#[case::other("scheduler", false)]
#[case::address("10.0.0.7", false)]
#[tokio::test]
async fn where_names_are_given_the_certificate_needs_one_of_them(#[case] name: &str, #[case] is_in: bool) {
    let issuer = CertifiedIssuer::self_signed(authority("clients"), KeyPair::generate().unwrap()).unwrap();
    let client = of_many_names(&issuer, &KeyPair::generate().unwrap());
    let (server, _) = start(&issuer.pem(), &["somebody", name]);
    assert_eq!(gets_in(&server, &TLS13, Some(&client)).await, is_in);
    counted(&server, "other_name", usize::from(!is_in)).await;
}

#[rstest]
#[case(p384())]
#[case(rsa())]
#[tokio::test]
async fn a_client_may_have_another_kind_of_key_and_intermediates(#[case] key: KeyPair) {
    let root = CertifiedIssuer::self_signed(authority("root"), KeyPair::generate().unwrap()).unwrap();
    let between =
        CertifiedIssuer::signed_by(authority("between"), KeyPair::generate().unwrap(), &root).unwrap();
    let mut client = of_many_names(&between, &key);
    client.certificate_pem.push_str(&between.pem());
    // Of the authorities in the file any one is enough.
    let (server, _) = start(&(of_clients().certificate_pem() + &root.pem()), &["kube-apiserver"]);
    for version in BOTH {
        assert!(gets_in(&server, version, Some(&client)).await);
    }
}

#[rstest]
#[case(&[])]
#[case(&["kube-apiserver"])]
#[tokio::test]
async fn a_server_may_call_itself_and_is_ready(#[case] names: &[&str]) {
    let (server, _) = start(&of_clients().certificate_pem(), names);
    let response = server.admin().await.get("/readyz").await;
    assert_eq!((response.status, response.text().as_str()), (200, "ok\n"));
    // Its own call is not one more client that was refused.
    server.connections(0).await;
    assert_eq!(server.metrics.handshake_failures.get(), 0);
}

#[tokio::test]
async fn the_authority_is_replaced_without_touching_the_listener_or_open_connections() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.crt");
    let (old, new) = (of_clients(), of_clients());
    fs::write(&path, old.certificate_pem()).unwrap();
    let (file, _) = ClientCaFile::load(path.clone()).unwrap();
    let (server, clients) = start(&old.certificate_pem(), &[]);
    let watch = file.watch(Duration::from_millis(1), clients, Arc::clone(&server.metrics));
    let watch = tokio::spawn(watch);
    let (of_old, of_new) = (issue(&old), issue(&new));
    let mut open = connect(&server, &TLS13, Some(&of_old)).await.unwrap();
    assert_eq!(open.post(&review("open", 0)).await.status, 200);

    // Both for a while, as one rotates; then the new one alone; then nonsense, which changes nothing.
    let both = old.certificate_pem() + &new.certificate_pem();
    for (contents, outcome, expected) in [
        (both, r#"outcome="replaced"} 1"#, [true, true]),
        (new.certificate_pem(), r#"outcome="replaced"} 2"#, [false, true]),
        ("nonsense".to_owned(), r#"outcome="failed"} 1"#, [false, true]),
    ] {
        replace(&path, &contents);
        let series = format!("spark_swap_client_ca_reloads_total{{{outcome}");
        while !server.metrics.encode().unwrap().contains(&series) {
            tokio::task::yield_now().await;
        }
        for (client, expected) in [&of_old, &of_new].into_iter().zip(expected) {
            assert_eq!(gets_in(&server, &TLS13, Some(client)).await, expected, "{outcome}");
        }
        assert_eq!(open.post(&review("open", 0)).await.status, 200);
    }
    watch.abort();
}

fn replace(path: &Path, contents: &str) {
    let draft = path.with_extension("draft");
    fs::write(&draft, contents).unwrap();
    fs::rename(draft, path).unwrap();
}

#[rstest]
#[case::empty("", "ca.crt: there is no certificate")]
#[case::cut_off("-----BEGIN CERTIFICATE-----\nMIIB", "ca.crt: not valid PEM")]
#[case::no_x509("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ca.crt: a section is not")]
#[case::the_clients_own("LEAF", "ca.crt: CN=kube-apiserver is no certificate authority")]
fn a_file_without_authorities_is_refused_with_what_and_where(#[case] contents: &str, #[case] problem: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.crt");
    let contents =
        if contents == "LEAF" { issue(&of_clients()).certificate_pem } else { contents.to_owned() };
    fs::write(&path, contents).unwrap();
    let found = ClientCaFile::load(path).unwrap_err();
    assert!(found.contains(problem), "{found}");
}

#[test]
fn a_file_that_stays_wrong_is_reported_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.crt");
    fs::write(&path, of_clients().certificate_pem()).unwrap();
    let (mut file, _) = ClientCaFile::load(path.clone()).unwrap();
    fs::remove_file(&path).unwrap();
    let failures = (0..5).filter(|_| matches!(file.poll(), Reload::Failed(_))).count();
    assert_eq!(failures, 1);
    fs::write(&path, of_clients().certificate_pem()).unwrap();
    assert!(matches!(file.poll(), Reload::Replaced(_)));
    assert!(matches!(file.poll(), Reload::Unchanged));
    assert!(Metrics::new().encode().unwrap().contains(r#"clients_refused_total{reason="no_certificate"} 0"#));
}
