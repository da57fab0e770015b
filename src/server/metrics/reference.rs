//! What the reference page says of a metric beyond its help: its labels with their values, its unit, and what to alert on.

use super::certificates::STEPS;
use super::{EventOutcome, Outcome, ReloadOutcome};
use crate::cluster::objects::Kind;
use crate::server::refused_clients::Refusal;

/// What there is to say of a metric.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Its labels.
    pub labels: Vec<Label>,
    /// When somebody should look; empty where it is for graphs only.
    pub alert: &'static str,
}

/// A label.
#[derive(Clone, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
}

/// The values of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// One of these.
    OneOf(Vec<&'static str>),
    /// Whatever this says.
    Any(&'static str),
}

/// What there is to say of a metric; `None` of one that is not described yet.
#[expect(clippy::match_same_arms, reason = "one line for each metric, in their order")]
pub fn reference(name: &str) -> Option<Reference> {
    let (labels, alert) = match name {
        "spark_swap_build_info" => {
            (vec![any("version", "the version of spark-swap")], "Absent: no replica is scraped.")
        }
        "spark_swap_reviews_total" => (
            vec![
                one_of("outcome", Outcome::ALL.map(Outcome::as_str)),
                any("reason", "a [reason](reasons.md); empty where nothing was decided"),
                any(
                    "class",
                    "the SwapClass; `none` for who opted out, `unknown` for a name without a class, else empty",
                ),
            ],
            "Any `overloaded`, `panicked`, `malformed`, `too_large` or `incomplete`.",
        ),
        "spark_swap_review_duration_seconds" => {
            (vec![], "The 99th percentile above 0.1: Spark creates executors one after the other.")
        }
        "spark_swap_plans_rejected_total" => (vec![], "Any increase: a bug in spark-swap."),
        "spark_swap_request_bytes_removed_total" | "spark_swap_expected_swap_bytes_total" => (vec![], ""),
        "spark_swap_reviews_in_flight" => (vec![], "Near `--max-reviews` for minutes."),
        "spark_swap_panics_total" => (vec![], "Any increase: a bug in spark-swap."),
        "spark_swap_connections" => (vec![], "Near `--max-connections`."),
        "spark_swap_connections_rejected_total" => (vec![], "Any increase."),
        "spark_swap_connections_displaced_total" => {
            (vec![], "A steady rate: too many clients keep connections that they do not use.")
        }
        "spark_swap_handshake_failures_total" => {
            (vec![], "A steady rate: the API server does not trust the certificate (caBundle).")
        }
        "spark_swap_certificate_expiry_timestamp_seconds" => (vec![], "Less than 7 days away."),
        "spark_swap_certificate_reloads_total" => (vec![reloads()], "Any `failed`."),
        "spark_swap_ca_expiry_timestamp_seconds" => (vec![], "Less than 30 days away, and not 0."),
        "spark_swap_certificate_rotations_total" => (vec![one_of("step", STEPS)], ""),
        "spark_swap_certificate_rotation_failures_total" => (vec![], "An increase for an hour."),
        "spark_swap_clients_refused_total" => (
            vec![one_of("reason", Refusal::ALL.map(Refusal::as_str))],
            "A steady rate: the API server shows no certificate that `--client-ca` and `--client-name` allow.",
        ),
        "spark_swap_client_ca_reloads_total" => (vec![reloads()], "Any `failed`."),
        "spark_swap_state_problems" => (vec![], "Above 0 for long."),
        "spark_swap_state_loaded_timestamp_seconds" => (vec![], ""),
        "spark_swap_state_reloads_total" => (vec![reloads()], "Any `failed`."),
        "spark_swap_state_objects" => (vec![kinds()], ""),
        "spark_swap_watch_failures_total" => (vec![watched_kinds()], "A steady rate."),
        "spark_swap_state_age_seconds" => (vec![], "Above 300: decisions are made from an old state."),
        "spark_swap_events_total" => (
            vec![one_of("outcome", EventOutcome::ALL.map(EventOutcome::as_str))],
            "`refused` again and again: a right is missing.",
        ),
        _ => return None,
    };
    Some(Reference { labels, alert })
}

/// The unit of a metric, by the words of its name; empty for a number of things.
pub fn unit(name: &str) -> &'static str {
    let has = |words: &str| format!("{name}_").contains(&format!("_{words}_"));
    if has("timestamp_seconds") {
        "seconds since 1970"
    } else if has("seconds") {
        "seconds"
    } else if has("bytes") {
        "bytes"
    } else {
        ""
    }
}

fn reloads() -> Label {
    one_of("outcome", ReloadOutcome::ALL.map(ReloadOutcome::as_str))
}

fn kinds() -> Label {
    one_of("kind", Kind::ALL.iter().map(|kind| kind.as_str()))
}

fn watched_kinds() -> Label {
    let of_state = Kind::ALL.iter().map(|kind| kind.as_str());
    one_of("kind", of_state.chain(["Secret", "MutatingWebhookConfiguration"]))
}

fn one_of(name: &'static str, values: impl IntoIterator<Item = &'static str>) -> Label {
    Label { name, values: Values::OneOf(values.into_iter().collect()) }
}

fn any(name: &'static str, values: &'static str) -> Label {
    Label { name, values: Values::Any(values) }
}
