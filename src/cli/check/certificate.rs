//! Trust: the authority that the API server is given, and the certificate that the webhook serves.

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;

use super::checks::{Check, CheckId};
use super::facts::{Facts, Probe};
use crate::cluster::certificates::certificate::Certificate;
use crate::server::handshake::{Handshake, Outcome};
use crate::server::trust::{Authorities, date, is_for};

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
        Some(bundle) => match Authorities::from_pem("caBundle", bundle) {
            Err(problem) => {
                let advice = "Put the authority's certificates into caBundle, PEM and then base64: spark-swap manifests --ca";
                return vec![Check::fail(CheckId::CaBundle, problem, advice)];
            }
            Ok(roots) => {
                let subjects: Vec<&str> = roots.certificates().iter().map(Certificate::subject).collect();
                checks.push(Check::pass(CheckId::CaBundle, subjects.join("; ")));
                checks.push(authority_validity(roots.certificates(), facts.now));
                Some(roots)
            }
        },
    };
    checks.extend(served(facts, roots.as_ref()));
    checks
}

fn no_bundle(is_service: bool) -> Check {
    let id = CheckId::CaBundle;
    let advice = "spark-swap fills it in by itself, unless it runs with --manage-ca-bundle=false or with a certificate of \
                  somebody else: its /readyz and its log say why not. cert-manager's annotation \
                  cert-manager.io/inject-ca-from does, too. By hand: \
                  spark-swap manifests --only webhook --ca FILE | kubectl apply -f -";
    if is_service {
        return Check::fail(
            id,
            "caBundle is empty, and no public authority signs the name of a Service",
            advice,
        );
    }
    Check::warn(id, "caBundle is empty: only the API server's system authorities are trusted", advice)
}

fn authority_validity(roots: &[Certificate], now: Timestamp) -> Check {
    let id = CheckId::CaExpiry;
    let last = roots.iter().map(Certificate::not_after).max().unwrap_or(Timestamp::MIN);
    let renew = "Renew the authority and put the new one into caBundle, for a while beside the old one: certificates of both \
                 are trusted then.";
    if !roots.iter().any(|root| root.is_valid_at(now)) {
        let message = if last < now {
            format!("it expired on {}: the API server does not trust the webhook", date(last))
        } else {
            let first = roots.iter().map(Certificate::not_before).min().unwrap_or(Timestamp::MAX);
            format!("it is not valid before {}", date(first))
        };
        return Check::fail(id, message, renew);
    }
    let notice = SignedDuration::from_secs(NOTICE_DAYS.saturating_mul(DAY));
    let soon = now.saturating_add(notice).unwrap_or(Timestamp::MAX);
    if !roots.iter().any(|root| root.is_valid_at(soon)) {
        return Check::warn(id, format!("it expires on {}", until(last, now)), renew);
    }
    Check::pass(id, format!("until {}", until(last, now)))
}

fn served(facts: &Facts, roots: Option<&Authorities>) -> Vec<Check> {
    let now = facts.now;
    let (mut trusted, mut refused, mut unreachable) = (Vec::new(), Vec::new(), Vec::new());
    let mut leaves = Vec::new();
    for handshake in &facts.handshakes {
        let Handshake { address, name, outcome } = handshake;
        match outcome {
            Outcome::Unreachable(problem) => unreachable.push(format!("{address}: {problem}")),
            Outcome::NoTls(problem) => refused.push(format!("{address}: no TLS: {problem}")),
            Outcome::Served(chain) => {
                // Without roots they are the API server's own, which are not known here.
                let verdict = match roots {
                    Some(roots) => roots.verify(chain, name, now),
                    None => is_for(chain, name),
                };
                match verdict {
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

fn served_validity(leaves: &[Certificate], now: Timestamp) -> Option<Check> {
    let id = CheckId::ServedCertificateExpiry;
    let first = leaves.iter().min_by_key(|leaf| leaf.not_after())?;
    let left = first.not_after().duration_since(now).as_secs();
    let life = first.not_after().duration_since(first.not_before()).as_secs();
    let notice = NOTICE_DAYS.saturating_mul(DAY).min(life.checked_div(5).unwrap_or(0));
    let advice =
        "Renew it, and look why that has not happened by itself. The webhook reads new files within seconds.";
    Some(if left < 0 {
        Check::fail(id, format!("it expired on {}", date(first.not_after())), advice)
    } else if left < notice {
        Check::warn(id, format!("it expires on {}", until(first.not_after(), now)), advice)
    } else {
        Check::pass(id, format!("until {}", until(first.not_after(), now)))
    })
}

/// The certificate of the chain that expires first.
fn shortest_lived(chain: &[CertificateDer<'_>]) -> Option<Certificate> {
    chain
        .iter()
        .filter_map(|der| Certificate::parse(der.clone().into_owned()).ok())
        .min_by_key(Certificate::not_after)
}

/// `2027-01-01 (40 days)`.
fn until(end: Timestamp, now: Timestamp) -> String {
    let days = end.duration_since(now).as_secs().checked_div(DAY).unwrap_or(0);
    format!("{} ({days} days)", date(end))
}
