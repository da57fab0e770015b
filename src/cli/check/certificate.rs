//! Trust: the authority that the API server is given, and the certificate that the webhook serves.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::aws_lc_rs;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::checks::{Check, CheckId};
use super::facts::{Facts, Handshake, Outcome, Probe};

const DAY: i64 = 24 * 60 * 60;
/// An authority that expires sooner is warned of: somebody has to act, and every API server has to learn of the new one.
const NOTICE_DAYS: i64 = 30;
const SERVE_AGAIN: &str = "Let the webhook serve a certificate of that authority for that name, or put the right authority \
    into caBundle: spark-swap manifests --only webhook --ca FILE | kubectl apply -f -";

/// The checks of the caBundle and of the certificate that is served.
pub fn checks(facts: &Facts) -> Vec<Check> {
    let Some(entry) = facts.entry() else { return Vec::new() };
    let bundle = entry.client_config.ca_bundle.as_ref().map(|bundle| bundle.0.as_slice());
    let mut checks = Vec::new();
    let roots = match bundle.filter(|bundle| !bundle.is_empty()) {
        None => {
            checks.push(no_bundle(entry.client_config.service.is_some()));
            None
        }
        Some(bundle) => match read(bundle) {
            Err(problem) => {
                let advice = "Put the authority's certificates into caBundle, PEM and then base64: spark-swap manifests --ca";
                return vec![Check::fail(CheckId::CaBundle, problem, advice)];
            }
            Ok(roots) => {
                let subjects: Vec<&str> = roots.iter().map(|root| root.subject.as_str()).collect();
                checks.push(Check::pass(CheckId::CaBundle, subjects.join("; ")));
                checks.push(authority_validity(&roots, facts.now));
                Some(roots)
            }
        },
    };
    checks.extend(served(facts, roots.as_deref()));
    checks
}

/// A certificate, and what matters of it.
#[derive(Clone, Debug)]
struct Certificate {
    der: CertificateDer<'static>,
    subject: String,
    issuer: String,
    /// In seconds since 1970, as the following one.
    not_before: i64,
    not_after: i64,
}

impl Certificate {
    fn parse(der: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, parsed) =
            parse_x509_certificate(der).map_err(|error| format!("is no X.509 certificate: {error}"))?;
        let validity = parsed.validity();
        Ok(Self {
            der: der.clone().into_owned(),
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }

    fn is_valid_at(&self, time: i64) -> bool {
        (self.not_before..=self.not_after).contains(&time)
    }
}

fn no_bundle(is_service: bool) -> Check {
    let id = CheckId::CaBundle;
    let advice = "spark-swap manifests --only webhook --ca FILE | kubectl apply -f -; cert-manager's annotation \
                  cert-manager.io/inject-ca-from fills it in, too.";
    if is_service {
        return Check::fail(
            id,
            "caBundle is empty, and no public authority signs the name of a Service",
            advice,
        );
    }
    Check::warn(id, "caBundle is empty: only the API server's system authorities are trusted", advice)
}

fn read(bundle: &[u8]) -> Result<Vec<Certificate>, String> {
    let ders = CertificateDer::pem_slice_iter(bundle).collect::<Result<Vec<_>, _>>();
    let ders = ders.map_err(|error| format!("caBundle is not PEM: {error}"))?;
    if ders.is_empty() {
        return Err("caBundle holds no certificate (no -----BEGIN CERTIFICATE----- section)".to_owned());
    }
    ders.iter().map(|der| Certificate::parse(der).map_err(|problem| format!("caBundle: {problem}"))).collect()
}

fn authority_validity(roots: &[Certificate], now: Timestamp) -> Check {
    let id = CheckId::CaExpiry;
    let second = now.as_second();
    let last = roots.iter().map(|root| root.not_after).max().unwrap_or(i64::MIN);
    let renew = "Renew the authority and put the new one into caBundle, for a while beside the old one: certificates of both \
                 are trusted then.";
    if !roots.iter().any(|root| root.is_valid_at(second)) {
        let message = if last < second {
            format!("it expired on {}: the API server does not trust the webhook", date(last))
        } else {
            let first = roots.iter().map(|root| root.not_before).min().unwrap_or(i64::MAX);
            format!("it is not valid before {}", date(first))
        };
        return Check::fail(id, message, renew);
    }
    let soon = second.saturating_add(NOTICE_DAYS.saturating_mul(DAY));
    if !roots.iter().any(|root| root.is_valid_at(soon)) {
        return Check::warn(id, format!("it expires on {}", until(last, second)), renew);
    }
    Check::pass(id, format!("until {}", until(last, second)))
}

fn served(facts: &Facts, roots: Option<&[Certificate]>) -> Vec<Check> {
    let now = facts.now.as_second();
    let (mut trusted, mut refused, mut unreachable) = (Vec::new(), Vec::new(), Vec::new());
    let mut leaves = Vec::new();
    for handshake in &facts.handshakes {
        let Handshake { address, name, outcome } = handshake;
        match outcome {
            Outcome::Unreachable(problem) => unreachable.push(format!("{address}: {problem}")),
            Outcome::NoTls(problem) => refused.push(format!("{address}: no TLS: {problem}")),
            Outcome::Served(chain) => {
                match verify(chain, roots, name, now) {
                    Ok(()) => trusted.push(address.as_str()),
                    Err(problem) => refused.push(format!("{address}: {problem}")),
                }
                leaves.extend(shortest_lived(chain));
            }
        }
    }
    let id = CheckId::ServedCertificate;
    // The API server trusts what it has just had an answer from.
    let is_answered = facts.probe.as_ref().and_then(Probe::plan).is_some();
    let mut checks = Vec::new();
    if !refused.is_empty() && is_answered {
        refused.push(
            "yet the API server has just had an answer: it may reach another server than this one".to_owned(),
        );
        checks.push(Check::warn(id, refused.join("\n"), SERVE_AGAIN));
    } else if !refused.is_empty() {
        checks.push(Check::fail(id, refused.join("\n"), SERVE_AGAIN));
    } else if let Some(first) = facts.handshakes.first().filter(|_| !trusted.is_empty()) {
        checks.push(Check::pass(id, format!("{} at {}", first.name, trusted.join(", "))));
    } else if is_answered && !unreachable.is_empty() {
        checks
            .push(Check::pass(id, "by the API server, as the dry run shows; it cannot be reached from here"));
    } else if !unreachable.is_empty() {
        let advice =
            "No failure by itself: the API server has to reach it, not you. See what the dry run says below.";
        checks.push(Check::warn(id, format!("not reachable from here: {}", unreachable.join("\n")), advice));
    }
    checks.extend(served_validity(&leaves, now));
    checks
}

fn served_validity(leaves: &[Certificate], now: i64) -> Option<Check> {
    let id = CheckId::ServedCertificateExpiry;
    let first = leaves.iter().min_by_key(|leaf| leaf.not_after)?;
    let left = first.not_after.saturating_sub(now);
    let life = first.not_after.saturating_sub(first.not_before);
    let notice = NOTICE_DAYS.saturating_mul(DAY).min(life.checked_div(5).unwrap_or(0));
    let advice =
        "Renew it, and look why that has not happened by itself. The webhook reads new files within seconds.";
    Some(if left < 0 {
        Check::fail(id, format!("it expired on {}", date(first.not_after)), advice)
    } else if left < notice {
        Check::warn(id, format!("it expires on {}", until(first.not_after, now)), advice)
    } else {
        Check::pass(id, format!("until {}", until(first.not_after, now)))
    })
}

/// The certificate of the chain that expires first.
fn shortest_lived(chain: &[CertificateDer<'_>]) -> Option<Certificate> {
    chain
        .iter()
        .filter_map(|der| Certificate::parse(der).ok())
        .min_by_key(|certificate| certificate.not_after)
}

/// Verifies as the API server does. Without roots, which are the API server's own then, only the name is looked at.
fn verify(
    chain: &[CertificateDer<'_>],
    roots: Option<&[Certificate]>,
    name: &str,
    now: i64,
) -> Result<(), String> {
    let (leaf, intermediates) = chain.split_first().ok_or("no certificate is served")?;
    let parsed = Certificate::parse(leaf).map_err(|problem| format!("what is served {problem}"))?;
    let server_name = ServerName::try_from(name).map_err(|_| format!("{name:?} is no name of a server"))?;
    let name_only =
        |leaf| ParsedCertificate::try_from(leaf).and_then(|leaf| verify_server_name(&leaf, &server_name));
    let Some(roots) = roots else { return name_only(leaf).map_err(|error| explained(&error, &parsed, name)) };
    // webpki takes no interest in the validity of an authority; the API server does.
    let valid: Vec<&Certificate> = roots.iter().filter(|root| root.is_valid_at(now)).collect();
    if valid.is_empty() {
        return Err("no authority in caBundle is valid now".to_owned());
    }
    if valid.iter().any(|root| root.der == *leaf) && parsed.is_valid_at(now) {
        // Trusted by itself, whether or not it may sign others.
        return name_only(leaf).map_err(|error| explained(&error, &parsed, name));
    }
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(valid.iter().map(|root| root.der.clone()));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
    let verifier = verifier.map_err(|error| format!("caBundle: {error}"))?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(now.unsigned_abs()));
    let outcome = verifier.verify_server_cert(leaf, intermediates, &server_name, &[], time);
    outcome.map(drop).map_err(|error| explained(&error, &parsed, name))
}

fn explained(error: &Error, leaf: &Certificate, name: &str) -> String {
    let Error::InvalidCertificate(problem) = error else { return error.to_string() };
    match problem {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the certificate is not for {name}; it is for {}", names(&leaf.der))
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate expired on {}", date(leaf.not_after))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate is not valid before {}", date(leaf.not_before))
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            format!("the certificate is not from an authority in caBundle; its issuer is {}", leaf.issuer)
        }
        problem => problem.to_string(),
    }
}

fn names(leaf: &CertificateDer<'_>) -> String {
    let Ok((_, parsed)) = parse_x509_certificate(leaf) else { return "no name".to_owned() };
    let alternatives = parsed.subject_alternative_name().ok().flatten();
    let names = alternatives.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    let names: Vec<String> = names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .collect();
    if names.is_empty() { "no name".to_owned() } else { names.join(", ") }
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| IpAddr::from(bytes).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| IpAddr::from(bytes).to_string())).ok()
}

fn date(second: i64) -> String {
    Timestamp::from_second(second)
        .map_or_else(|_| "a day beyond the calendar".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
}

/// `2027-01-01 (40 days)`.
fn until(second: i64, now: i64) -> String {
    let days = second.saturating_sub(now).checked_div(DAY).unwrap_or(0);
    format!("{} ({days} days)", date(second))
}
