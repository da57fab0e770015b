//! What lies in the Secret is read back as it was written, and damage is told and survived.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::cluster::certificates::material::Request;
use spark_swap::cluster::certificates::{Change, Kept, Material, Why};
use x509_parser::extensions::ParsedExtension;
use x509_parser::parse_x509_certificate;

use crate::fixtures::{after, created, days, minutes, staged, start};

/// Everything that a Secret can hold.
fn full() -> Material {
    let promoted = after(Change::PromoteCa, start(), &staged(start()));
    let staged = after(Change::StageCa(Why::Due), start(), &promoted);
    Material { request: Some(Request::Leaf), ..after(Change::Confirm, start(), &staged) }
}

fn secret(material: &Material) -> Secret {
    let mut secret = Secret { data: Some(material.data()), ..Secret::default() };
    secret.metadata.annotations = Some(material.annotations());
    secret
}

fn read(secret: &Secret) -> Material {
    match Kept::of(Some(secret)) {
        Kept::Usable(material) => *material,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_is_read_back() {
    for material in [created(start()), staged(start()), full()] {
        assert_eq!(read(&secret(&material)), material);
    }
    let secret = secret(&full());
    let keys: Vec<&str> = secret.data.as_ref().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["ca.crt", "ca.key", "next-ca.crt", "next-ca.key", "previous-ca.crt", "tls.crt", "tls.key"];
    assert_eq!(keys, expected);
    let annotations: Vec<(&String, &String)> = secret.metadata.annotations.as_ref().unwrap().iter().collect();
    let annotation = |name: &str| format!("spark-swap.io/{name}");
    let expected = [
        (annotation("next-ca-confirmed"), "2030-01-01T00:00:00Z".to_owned()),
        (annotation("previous-ca-until"), "2030-03-02T00:00:00Z".to_owned()),
        (annotation("rotate"), "leaf".to_owned()),
    ];
    assert_eq!(annotations, expected.iter().map(|(key, value)| (key, value)).collect::<Vec<_>>());
}

#[test]
fn a_patch_replaces_what_is_ours_and_nothing_else() {
    let mut old = serde_json::to_value(secret(&full())).unwrap();
    old["data"]["theirs"] = json!("AA==");
    old["metadata"]["labels"] = json!({"app": "spark-swap"});
    let new = created(start());
    let patch = new.merge_patch("7");
    json_patch::merge(&mut old, &patch);
    assert_eq!(old["data"]["theirs"], json!("AA=="));
    assert_eq!(old["metadata"]["labels"]["app"], json!("spark-swap"));
    assert_eq!(old["metadata"]["resourceVersion"], json!("7"));
    assert_eq!(old["metadata"]["annotations"], json!({}));
    assert_eq!(read(&serde_json::from_value(old).unwrap()), new);
}

#[test]
fn an_empty_secret_is_none() {
    assert!(matches!(Kept::of(None), Kept::Absent));
    assert!(matches!(Kept::of(Some(&Secret::default())), Kept::Absent));
    let mut foreign = Secret::default();
    let data =
        [("theirs", "x"), ("tls.crt", "")].map(|(key, value)| (key.to_owned(), ByteString(value.into())));
    foreign.data = Some(data.into());
    assert!(matches!(Kept::of(Some(&foreign)), Kept::Absent));
}

#[rstest]
#[case::no_authority("ca.crt", None, "ca.crt is missing")]
#[case::no_pem("ca.crt", Some("-----BEGIN CERTIFICATE-----\n!"), "ca.crt is not PEM")]
#[case::no_certificate("ca.crt", Some("x"), "ca.crt holds no certificate")]
#[case::no_x509(
    "ca.crt",
    Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    "ca.crt is no X.509"
)]
#[case::a_leaf("ca.crt", Some("LEAF"), "ca.crt is no authority")]
fn without_an_authority_nothing_is_usable(
    #[case] key: &str,
    #[case] value: Option<&str>,
    #[case] expected: &str,
) {
    let Kept::Unusable(problem) = Kept::of(Some(&damaged(key, value))) else { panic!("usable") };
    assert!(problem.starts_with(expected), "{problem}");
}

#[rstest]
#[case::key_lost("ca.key", None, "ca.key is missing")]
#[case::key_of_another("ca.key", Some("KEY"), "ca.key does not belong to the certificate")]
#[case::leaf_lost("tls.crt", None, "tls.crt is missing")]
#[case::leaf_of_another("tls.crt", Some("LEAF"), "tls.key does not belong to the certificate")]
#[case::leaf_key_broken("tls.key", Some("x"), "tls.key holds no usable private key")]
#[case::next_without_key("next-ca.key", None, "next-ca.key is missing")]
#[case::next_no_authority("next-ca.crt", Some("LEAF"), "next-ca.crt is no authority")]
#[case::previous_lost("previous-ca.crt", None, "previous-ca.crt is missing")]
#[case::previous_no_pem("previous-ca.crt", Some("x"), "previous-ca.crt holds no certificate")]
#[case::previous_broken(
    "previous-ca.crt",
    Some("-----BEGIN CERTIFICATE-----\n!"),
    "previous-ca.crt is not PEM"
)]
fn the_rest_may_be_damaged_and_it_is_told(
    #[case] key: &str,
    #[case] value: Option<&str>,
    #[case] expected: &str,
) {
    let material = read(&damaged(key, value));
    assert_eq!(material.problems.len(), 1);
    assert!(material.problems[0].starts_with(expected), "{:?}", material.problems);
    assert!(material.current.key.is_none() == key.starts_with("ca."));
    assert!(material.leaf.is_none() == key.starts_with("tls."));
    assert!(material.next.is_none() == key.starts_with("next-"));
    assert!(material.previous.is_empty() == key.starts_with("previous-"));
}

#[test]
fn a_certificate_that_another_authority_of_the_same_name_signed_is_told() {
    let (mut one, other) = (created(start()), created(start()));
    one.leaf = other.leaf;
    assert_eq!(read(&secret(&one)).problems, ["tls.crt is not signed by ca.crt"]);
}

#[test]
fn annotations_that_are_not_understood_are_told() {
    let mut secret = secret(&full());
    let annotations = secret.metadata.annotations.as_mut().unwrap();
    annotations.insert("spark-swap.io/rotate".to_owned(), "now".to_owned());
    annotations.insert("spark-swap.io/next-ca-confirmed".to_owned(), "yesterday".to_owned());
    let material = read(&secret);
    assert_eq!(material.request, None);
    assert_eq!(material.next.unwrap().confirmed, None);
    let expected = [
        "annotation spark-swap.io/next-ca-confirmed is no RFC 3339 time",
        "annotation spark-swap.io/rotate is neither ca nor leaf",
    ];
    assert_eq!(material.problems, expected);
}

#[test]
fn keys_are_never_shown() {
    let material = full();
    let shown = format!("{material:#?} {:?} {:?}", Kept::of(Some(&secret(&material))), material.bundle());
    assert!(shown.contains("PrivateKey { .. }"));
    assert!(!shown.contains("PRIVATE KEY"));
    for name in ["ca.key", "next-ca.key", "tls.key"] {
        let pem = String::from_utf8(material.data()[name].0.clone()).unwrap();
        for line in pem.lines().filter(|line| !line.starts_with('-')) {
            assert!(!shown.contains(line), "{name}");
        }
    }
}

#[test]
fn every_authority_has_a_name_of_its_own_and_signs_by_it() {
    let promoted = after(Change::PromoteCa, start(), &staged(start()));
    let bundle = promoted.bundle();
    let [old, new] = bundle.certificates() else { panic!("{bundle:?}") };
    let leaf = &promoted.leaf.as_ref().unwrap().certificate;
    let [old, new, leaf] = [old, new, leaf].map(|one| parse_x509_certificate(one.der()).unwrap().1);

    assert_ne!(old.subject(), new.subject());
    assert_eq!(leaf.issuer(), new.subject());
    assert_eq!(new.basic_constraints().unwrap().unwrap().value.path_len_constraint, Some(0));
    let subject_identifier = new.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0),
        _ => None,
    });
    let issuer_identifier = leaf.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(identifier) => {
            identifier.key_identifier.as_ref().map(|id| id.0)
        }
        _ => None,
    });
    assert!(subject_identifier.is_some());
    assert_eq!(issuer_identifier, subject_identifier, "though the authority was taken up from the Secret");
    let five_minutes_ago = (start() - minutes(5)).as_second();
    let dates = (leaf.validity().not_before.timestamp(), leaf.validity().not_after.timestamp());
    assert_eq!(dates, (five_minutes_ago, (start() + days(60)).as_second()));
}

/// The full Secret with one value removed or replaced.
fn damaged(key: &str, value: Option<&str>) -> Secret {
    let other = created(start());
    let pem = |name: &str| String::from_utf8(other.data()[name].0.clone()).unwrap();
    let value = value.map(|value| match value {
        "LEAF" => pem("tls.crt"),
        "KEY" => pem("tls.key"),
        text => text.to_owned(),
    });
    let mut secret = serde_json::to_value(secret(&full())).unwrap();
    let value = value.map_or(Value::Null, |text| json!(ByteString(text.into_bytes())));
    json_patch::merge(&mut secret, &json!({"data": {key: value}}));
    serde_json::from_value(secret).unwrap()
}
