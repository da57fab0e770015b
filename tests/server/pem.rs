//! Keys and chains in the forms that certificate tools write.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize, SignatureAlgorithm,
};

/// A certificate chain, its key and the root that vouches for it; all PEM.
pub(crate) struct Made {
    pub(crate) root: String,
    pub(crate) chain: String,
    pub(crate) key: KeyPair,
}

/// A leaf for localhost under a root, with as many intermediates as asked for.
pub(crate) fn chain(intermediates: usize, key: KeyPair) -> Made {
    chain_of(p256, intermediates, key)
}

/// The same with authorities that have keys of this kind.
pub(crate) fn chain_of(authority_key: fn() -> KeyPair, intermediates: usize, key: KeyPair) -> Made {
    let mut issuer = CertifiedIssuer::self_signed(authority("root"), authority_key()).unwrap();
    let root = issuer.pem();
    let mut above = String::new();
    for number in 0..intermediates {
        let params = authority(&format!("intermediate {number}"));
        issuer = CertifiedIssuer::signed_by(params, authority_key(), &issuer).unwrap();
        above = issuer.pem() + &above;
    }
    let mut leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
    leaf.use_authority_key_identifier_extension = true;
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    Made { root, chain: leaf.pem() + &above, key }
}

pub(crate) fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

pub(crate) fn p256() -> KeyPair {
    generate(&PKCS_ECDSA_P256_SHA256)
}

pub(crate) fn p384() -> KeyPair {
    generate(&PKCS_ECDSA_P384_SHA384)
}

pub(crate) fn ed25519() -> KeyPair {
    generate(&PKCS_ED25519)
}

/// One for all tests: they take long to make.
pub(crate) fn rsa() -> KeyPair {
    static MADE: OnceLock<String> = OnceLock::new();
    KeyPair::from_pem(MADE.get_or_init(|| generate_rsa(RsaKeySize::_2048))).unwrap()
}

pub(crate) fn rsa_4096() -> KeyPair {
    static MADE: OnceLock<String> = OnceLock::new();
    KeyPair::from_pem(MADE.get_or_init(|| generate_rsa(RsaKeySize::_4096))).unwrap()
}

fn generate_rsa(size: RsaKeySize) -> String {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size).unwrap().serialize_pem()
}

fn generate(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

/// `EC PRIVATE KEY`, as `openssl ecparam -genkey` writes it.
pub(crate) fn sec1(key: &KeyPair) -> String {
    pem("EC PRIVATE KEY", inner(&key.serialize_der()))
}

/// `RSA PRIVATE KEY`, as `openssl genrsa -traditional` and cert-manager write it.
pub(crate) fn pkcs1(key: &KeyPair) -> String {
    pem("RSA PRIVATE KEY", inner(&key.serialize_der()))
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// What PKCS#8 wraps: SEQUENCE { version, algorithm, OCTET STRING }.
fn inner(pkcs8: &[u8]) -> &[u8] {
    let (_, body, _) = element(pkcs8);
    let (_, _, after_version) = element(body);
    let (_, _, after_algorithm) = element(after_version);
    let (tag, key, _) = element(after_algorithm);
    assert_eq!(tag, 4);
    key
}

/// The first DER element: its tag, its contents and what follows.
fn element(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (tag, first) = (der[0], usize::from(der[1]));
    let (length, start) = if first < 128 {
        (first, 2)
    } else {
        let bytes = &der[2..2 + (first - 128)];
        (bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), 2 + bytes.len())
    };
    (tag, &der[start..start + length], &der[start + length..])
}
