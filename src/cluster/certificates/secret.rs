//! How the material lies in the Secret: PEM under the keys that people expect, times as annotations.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::certificate::{Certificate, PrivateKey};
use super::material::{Authority, Kept, Leaf, Material, NextAuthority, Request};

const CA_CERTIFICATE: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const NEXT_CA_CERTIFICATE: &str = "next-ca.crt";
const NEXT_CA_KEY: &str = "next-ca.key";
const PREVIOUS_CA_CERTIFICATES: &str = "previous-ca.crt";
/// Every key that is ours; others are left alone.
const DATA: [&str; 7] =
    [CA_CERTIFICATE, CA_KEY, CERTIFICATE, KEY, NEXT_CA_CERTIFICATE, NEXT_CA_KEY, PREVIOUS_CA_CERTIFICATES];

/// When the next authority was first read back from the `caBundle`.
pub const NEXT_CA_CONFIRMED: &str = "spark-swap.io/next-ca-confirmed";
/// Until when previous authorities stay published.
pub const PREVIOUS_CA_UNTIL: &str = "spark-swap.io/previous-ca-until";
/// A rotation that somebody asks for: `ca` or `leaf`. Removed when it is acted upon.
pub const ROTATE: &str = "spark-swap.io/rotate";
const ANNOTATIONS: [&str; 3] = [NEXT_CA_CONFIRMED, PREVIOUS_CA_UNTIL, ROTATE];

impl Kept {
    /// Reads the Secret. What does not fit together counts as not there and is told in [`Material::problems`].
    pub fn of(secret: Option<&Secret>) -> Self {
        let Some(secret) = secret else { return Self::Absent };
        let contents = Contents { secret };
        if DATA.iter().all(|key| contents.data(key).is_none()) {
            return Self::Absent;
        }
        match contents.material() {
            Ok(material) => Self::Usable(Box::new(material)),
            Err(problem) => Self::Unusable(problem),
        }
    }
}

impl Material {
    /// The `data` of the Secret, for creating it.
    pub fn data(&self) -> BTreeMap<String, ByteString> {
        let mut data = BTreeMap::new();
        let mut put = |key: &str, pem: String| data.insert(key.to_owned(), ByteString(pem.into_bytes()));
        put(CA_CERTIFICATE, self.current.certificate.pem());
        if let Some(key) = &self.current.key {
            put(CA_KEY, key.pem().to_owned());
        }
        if let Some(leaf) = &self.leaf {
            put(CERTIFICATE, leaf.certificate.pem());
            put(KEY, leaf.key.pem().to_owned());
        }
        if let Some(next) = &self.next {
            put(NEXT_CA_CERTIFICATE, next.certificate.pem());
            put(NEXT_CA_KEY, next.key.pem().to_owned());
        }
        if !self.previous.is_empty() {
            put(PREVIOUS_CA_CERTIFICATES, self.previous.iter().map(Certificate::pem).collect());
        }
        data
    }

    /// The annotations of the Secret, for creating it.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::new();
        let mut put =
            |key: &str, value: Option<String>| value.map(|value| annotations.insert(key.to_owned(), value));
        let confirmed = self.next.as_ref().and_then(|next| next.confirmed);
        put(NEXT_CA_CONFIRMED, confirmed.map(|time| time.to_string()));
        put(PREVIOUS_CA_UNTIL, self.previous_until.map(|time| time.to_string()));
        put(ROTATE, self.request.map(|request| request.word().to_owned()));
        annotations
    }

    /// The JSON merge patch that makes the existing Secret hold exactly this of ours, if nobody wrote it since
    /// `resource_version`. What is not ours stays.
    pub fn merge_patch(&self, resource_version: &str) -> Value {
        let (data, annotations) = (self.data(), self.annotations());
        let data: BTreeMap<&str, Option<&ByteString>> =
            DATA.into_iter().map(|key| (key, data.get(key))).collect();
        let annotations: BTreeMap<&str, Option<&String>> =
            ANNOTATIONS.into_iter().map(|key| (key, annotations.get(key))).collect();
        json!({"metadata": {"resourceVersion": resource_version, "annotations": annotations}, "data": data})
    }
}

impl Request {
    /// The annotation's value.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Leaf => "leaf",
        }
    }
}

/// A Secret that is being read.
struct Contents<'a> {
    secret: &'a Secret,
}

impl Contents<'_> {
    fn material(&self) -> Result<Material, String> {
        let mut problems = Vec::new();
        let certificate = self.authority(CA_CERTIFICATE)?;
        let key = noted(&mut problems, self.key(CA_KEY, &certificate));
        let current = Authority { certificate, key };
        let leaf = noted(&mut problems, self.leaf(&current.certificate));
        let next = self.data(NEXT_CA_CERTIFICATE).map(|_| self.next(&mut problems));
        let next = next.and_then(|next| noted(&mut problems, next));
        let previous_until = self.time(PREVIOUS_CA_UNTIL, &mut problems);
        let previous = match (self.data(PREVIOUS_CA_CERTIFICATES), previous_until) {
            (None, None) => Vec::new(),
            (None, Some(_)) => {
                problems.push(format!("{PREVIOUS_CA_CERTIFICATES} is missing"));
                Vec::new()
            }
            (Some(pem), _) => noted(&mut problems, previous(pem)).unwrap_or_default(),
        };
        let request = self.annotation(ROTATE).and_then(|word| noted(&mut problems, request(word)));
        Ok(Material { current, leaf, next, previous, previous_until, request, problems })
    }

    fn leaf(&self, authority: &Certificate) -> Result<Leaf, String> {
        let certificate = self.certificate(CERTIFICATE)?;
        let key = self.key(KEY, &certificate)?;
        if !certificate.is_signed_by(authority) {
            return Err(format!("{CERTIFICATE} is not signed by {CA_CERTIFICATE}"));
        }
        Ok(Leaf { certificate, key })
    }

    fn next(&self, problems: &mut Vec<String>) -> Result<NextAuthority, String> {
        let certificate = self.authority(NEXT_CA_CERTIFICATE)?;
        let key = self.key(NEXT_CA_KEY, &certificate)?;
        Ok(NextAuthority { certificate, key, confirmed: self.time(NEXT_CA_CONFIRMED, problems) })
    }

    fn authority(&self, name: &str) -> Result<Certificate, String> {
        let certificate = self.certificate(name)?;
        if certificate.is_authority() { Ok(certificate) } else { Err(format!("{name} is no authority")) }
    }

    fn certificate(&self, name: &str) -> Result<Certificate, String> {
        let pem = self.data(name).ok_or_else(|| format!("{name} is missing"))?;
        Certificate::read(pem).map_err(|problem| format!("{name} {problem}"))
    }

    fn key(&self, name: &str, certificate: &Certificate) -> Result<PrivateKey, String> {
        let pem = self.data(name).ok_or_else(|| format!("{name} is missing"))?;
        PrivateKey::read(pem, certificate).map_err(|problem| format!("{name} {problem}"))
    }

    fn time(&self, name: &str, problems: &mut Vec<String>) -> Option<Timestamp> {
        let parse = |text: &str| text.parse().map_err(|_| format!("annotation {name} is no RFC 3339 time"));
        self.annotation(name).and_then(|text| noted(problems, parse(text)))
    }

    fn data(&self, name: &str) -> Option<&[u8]> {
        let value = self.secret.data.as_ref()?.get(name)?;
        Some(value.0.as_slice()).filter(|value| !value.is_empty())
    }

    fn annotation(&self, name: &str) -> Option<&str> {
        self.secret.metadata.annotations.as_ref()?.get(name).map(String::as_str)
    }
}

fn previous(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    match Certificate::read_all(pem) {
        Ok(certificates) if certificates.is_empty() => {
            Err(format!("{PREVIOUS_CA_CERTIFICATES} holds no certificate"))
        }
        read => read.map_err(|problem| format!("{PREVIOUS_CA_CERTIFICATES} {problem}")),
    }
}

fn request(word: &str) -> Result<Request, String> {
    let known = [Request::Ca, Request::Leaf].into_iter().find(|request| request.word() == word);
    known.ok_or_else(|| format!("annotation {ROTATE} is neither ca nor leaf"))
}

/// The value, or its problem among the others.
fn noted<T>(problems: &mut Vec<String>, result: Result<T, String>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}
