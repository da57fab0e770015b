//! What `/metrics` shows. Labels are words of ours or names of existing classes, never text from a request.

mod certificates;
mod events;
pub mod reference;
mod registered;

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;

pub use self::events::EventOutcome;
pub use self::registered::Described;

use self::certificates::CertificateMetrics;
use self::events::EventMetrics;
use self::registered::Registered;
use super::refused_clients::Refusal;
use crate::admission::answer::Record;
use crate::admission::reason::Reason;
use crate::cluster::contact::Contact;
use crate::cluster::objects::Kind;

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds; the core needs some 15 µs, so the first bucket tells a healthy server, and 2 s is the webhook's timeout.
const DURATION_BUCKETS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0];

/// Every metric of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registered,
    reviews: Family<ReviewLabels, Counter>,
    review_duration: Histogram,
    plans_rejected: Counter,
    request_bytes_removed: Counter,
    expected_swap_bytes: Counter,
    /// Reviews whose answer is not sent yet.
    pub reviews_in_flight: Gauge,
    /// Panics while a review was answered: each is a bug.
    pub panics: Counter,
    /// Open connections, handshakes included.
    pub connections: Gauge,
    /// Connections closed at once because of `--max-connections`.
    pub connections_rejected: Counter,
    /// Connections without a request that were closed to make room for a new one.
    pub connections_displaced: Counter,
    /// Handshakes that failed or took too long.
    pub handshake_failures: Counter,
    /// When the served certificate expires, seconds since 1970.
    pub certificate_expiry: Gauge,
    certificate_reloads: Family<ReloadLabels, Counter>,
    clients_refused: Family<RefusalLabels, Counter>,
    client_ca_reloads: Family<ReloadLabels, Counter>,
    /// Of self-managed certificates.
    pub certificates: CertificateMetrics,
    /// Problems in the newest state, which may not be the one in force.
    pub state_problems: Gauge,
    /// When the state in force was made, seconds since 1970.
    pub state_loaded: Gauge,
    state_reloads: Family<ReloadLabels, Counter>,
    state_objects: Family<KindLabels, Gauge>,
    watch_failures: Family<KindLabels, Counter>,
    events: EventMetrics,
    state_age: Gauge<f64, AtomicU64>,
    contact: OnceLock<Arc<Contact>>,
}

/// How a request to `/mutate` ended: the label `outcome` of `spark_swap_reviews_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Answered with a patch.
    Patched,
    /// Answered without a patch; the label `reason` says why.
    Unchanged,
    /// The body is not an AdmissionReview: 400.
    Malformed,
    /// The core panicked; admitted without a patch, or 500 if the body has no uid.
    Panicked,
    /// Over `--max-reviews` or the memory for bodies; admitted without a patch, or 503 if no uid can be read.
    Overloaded,
    /// The body is over the limit: 413.
    TooLarge,
    /// The body did not arrive in time: 408; or it broke off: 400.
    Incomplete,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 7] = [
        Self::Patched,
        Self::Unchanged,
        Self::Malformed,
        Self::Panicked,
        Self::Overloaded,
        Self::TooLarge,
        Self::Incomplete,
    ];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patched => "patched",
            Self::Unchanged => "unchanged",
            Self::Malformed => "malformed",
            Self::Panicked => "panicked",
            Self::Overloaded => "overloaded",
            Self::TooLarge => "too_large",
            Self::Incomplete => "incomplete",
        }
    }
}

/// What became of something re-read: the label `outcome` of the reload counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReloadOutcome {
    /// The new one is in force.
    Replaced,
    /// The new one has problems; the last good one stays in force.
    Failed,
}

impl ReloadOutcome {
    /// Every outcome.
    pub const ALL: [Self; 2] = [Self::Replaced, Self::Failed];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Failed => "failed",
        }
    }
}

impl Metrics {
    /// Every metric, at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registered::new(),
            reviews: Family::default(),
            review_duration: Histogram::new(DURATION_BUCKETS),
            plans_rejected: Counter::default(),
            request_bytes_removed: Counter::default(),
            expected_swap_bytes: Counter::default(),
            reviews_in_flight: Gauge::default(),
            panics: Counter::default(),
            connections: Gauge::default(),
            connections_rejected: Counter::default(),
            connections_displaced: Counter::default(),
            handshake_failures: Counter::default(),
            certificate_expiry: Gauge::default(),
            certificate_reloads: Family::default(),
            clients_refused: Family::default(),
            client_ca_reloads: Family::default(),
            certificates: CertificateMetrics::default(),
            state_problems: Gauge::default(),
            state_loaded: Gauge::default(),
            state_reloads: Family::default(),
            state_objects: Family::default(),
            watch_failures: Family::default(),
            events: EventMetrics::default(),
            state_age: Gauge::default(),
            contact: OnceLock::new(),
        };
        // So that the metric is there before the first review.
        let first = ReviewLabels {
            outcome: Outcome::Unchanged,
            reason: Reason::NotExecutor.as_str(),
            class: Cow::Borrowed(""),
        };
        drop(metrics.reviews.get_or_create(&first));
        metrics.register();
        metrics
    }

    /// Counts an answer of the core.
    pub fn answered(&self, record: &Record, duration: Duration) {
        let outcome = if record.patched { Outcome::Patched } else { Outcome::Unchanged };
        let class = match (record.class_is_known, record.class.is_empty()) {
            (true, _) => Cow::Owned(record.class.clone()),
            (false, true) => Cow::Borrowed(""),
            (false, false) => Cow::Borrowed("unknown"),
        };
        self.review(&ReviewLabels { outcome, reason: record.reason.as_str(), class }, duration);
        self.request_bytes_removed.inc_by(record.request_bytes_removed);
        self.expected_swap_bytes.inc_by(record.expected_swap);
        if record.failed_proof.is_some() {
            self.plans_rejected.inc();
        }
    }

    /// Counts a request that the core did not answer. `reason` says more, or is empty.
    pub fn failed(&self, outcome: Outcome, reason: &'static str, duration: Duration) {
        self.review(&ReviewLabels { outcome, reason, class: Cow::Borrowed("") }, duration);
    }

    /// Counts that the certificate was read again.
    pub fn certificate_reload(&self, outcome: ReloadOutcome) {
        self.certificate_reloads.get_or_create(&ReloadLabels { outcome }).inc();
    }

    /// Counts a client that was not let in.
    pub fn client_refused(&self, reason: Refusal) {
        self.clients_refused.get_or_create(&RefusalLabels { reason }).inc();
    }

    /// Counts that the authorities of clients were read again.
    pub fn client_ca_reload(&self, outcome: ReloadOutcome) {
        self.client_ca_reloads.get_or_create(&ReloadLabels { outcome }).inc();
    }

    /// Counts that the state was made again.
    pub fn state_reload(&self, outcome: ReloadOutcome) {
        self.state_reloads.get_or_create(&ReloadLabels { outcome }).inc();
    }

    /// Counts that a list or watch failed or broke off.
    pub fn watch_failed(&self, kind: &'static str) {
        self.watch_failures.get_or_create(&KindLabels { kind }).inc();
    }

    /// Counts what became of an Event.
    pub fn event(&self, outcome: EventOutcome) {
        self.events.count(outcome);
    }

    /// How many objects of a kind the state is made from.
    pub fn state_objects(&self, kind: Kind, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.state_objects.get_or_create(&KindLabels { kind: kind.as_str() }).set(count);
    }

    /// From now on the age of the state is that of this contact to the API server.
    pub fn show_age_of(&self, contact: Arc<Contact>) {
        // Set at most once: a process watches one cluster.
        drop(self.contact.set(contact));
    }

    /// Everything, in OpenMetrics text.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        if let Some(contact) = self.contact.get() {
            self.state_age.set(contact.age(Instant::now()).as_secs_f64());
        }
        let mut text = String::with_capacity(8 << 10);
        encode(&mut text, self.registry.registry())?;
        Ok(text)
    }

    /// Every metric, in the order of the code.
    pub fn described(&self) -> &[Described] {
        self.registry.described()
    }

    fn review(&self, labels: &ReviewLabels, duration: Duration) {
        self.reviews.get_or_create(labels).inc();
        self.review_duration.observe(duration.as_secs_f64());
    }

    /// Names without the prefix; the library appends `_total` to counters and `_info` to infos.
    fn register(&mut self) {
        let to = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        to.register("build", "The running version", build);
        to.register("reviews", "Requests to /mutate by outcome, reason and class", self.reviews.clone());
        let help = "Time from the request's headers to its answer";
        to.register("review_duration_seconds", help, self.review_duration.clone());
        let help = "Plans that failed their own proof; each is a bug, and the pod was left alone";
        to.register("plans_rejected", help, self.plans_rejected.clone());
        let help = "Memory request removed from executors";
        to.register("request_bytes_removed", help, self.request_bytes_removed.clone());
        let help = "Swap that changed executors expect to be granted";
        to.register("expected_swap_bytes", help, self.expected_swap_bytes.clone());
        to.register("reviews_in_flight", "Reviews being answered", self.reviews_in_flight.clone());
        to.register("panics", "Panics while answering; each is a bug", self.panics.clone());
        to.register("connections", "Open connections to the webhook", self.connections.clone());
        let help = "Connections closed at once because there were too many, all of them busy";
        to.register("connections_rejected", help, self.connections_rejected.clone());
        let help = "Connections without a request that were closed to make room for a new one";
        to.register("connections_displaced", help, self.connections_displaced.clone());
        let help = "TLS handshakes that failed or took too long";
        to.register("handshake_failures", help, self.handshake_failures.clone());
        let help = "When the served certificate expires, seconds since 1970";
        to.register("certificate_expiry_timestamp_seconds", help, self.certificate_expiry.clone());
        let help = "New certificates by outcome";
        to.register("certificate_reloads", help, self.certificate_reloads.clone());
        let help = "Clients whose certificate, or the lack of one, did not let them in, by reason";
        to.register("clients_refused", help, self.clients_refused.clone());
        let help = "New files with the authorities of clients by outcome";
        to.register("client_ca_reloads", help, self.client_ca_reloads.clone());
        self.certificates.register(to);
        let help = "Problems in the newest state; the log names them";
        to.register("state_problems", help, self.state_problems.clone());
        let help = "When the state in force was loaded, seconds since 1970";
        to.register("state_loaded_timestamp_seconds", help, self.state_loaded.clone());
        to.register("state_reloads", "Changes of the state by outcome", self.state_reloads.clone());
        let help = "Objects of a watched cluster that the state is made from, by kind";
        to.register("state_objects", help, self.state_objects.clone());
        let help = "Lists and watches that failed or broke off, by kind; each is tried again";
        to.register("watch_failures", help, self.watch_failures.clone());
        let help = "For how long the API server has not told of changes, 0 while it does";
        to.register("state_age_seconds", help, self.state_age.clone());
        self.events.register(to);
        for outcome in ReloadOutcome::ALL {
            drop(self.certificate_reloads.get_or_create(&ReloadLabels { outcome }));
            drop(self.client_ca_reloads.get_or_create(&ReloadLabels { outcome }));
            drop(self.state_reloads.get_or_create(&ReloadLabels { outcome }));
        }
        for reason in Refusal::ALL {
            drop(self.clients_refused.get_or_create(&RefusalLabels { reason }));
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReviewLabels {
    outcome: Outcome,
    reason: &'static str,
    class: Cow<'static, str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    outcome: ReloadOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    reason: Refusal,
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.as_str().encode(encoder)
    }
}

impl EncodeLabelValue for ReloadOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.as_str().encode(encoder)
    }
}
