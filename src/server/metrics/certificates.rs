//! What `/metrics` shows of certificates that spark-swap keeps itself.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::registered::Registered;

/// Of self-managed certificates.
#[derive(Debug, Default)]
pub struct CertificateMetrics {
    /// When the authority in force expires, seconds since 1970; 0 where there is none of our own.
    pub ca_expiry: Gauge,
    rotations: Family<StepLabels, Counter>,
    /// Steps that failed.
    pub failures: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    step: &'static str,
}

/// The values of the label `step`.
pub(super) const STEPS: [&str; 9] = [
    "create",
    "restore",
    "renew_leaf",
    "stage_ca",
    "publish",
    "confirm",
    "forget_confirmation",
    "promote_ca",
    "drop_previous_ca",
];

impl CertificateMetrics {
    /// Counts a step that this replica took.
    pub fn rotated(&self, step: &'static str) {
        self.rotations.get_or_create(&StepLabels { step }).inc();
    }

    pub(super) fn register(&self, to: &mut Registered) {
        let help = "When the authority of the self-managed certificate expires, seconds since 1970; 0: there is none";
        to.register("ca_expiry_timestamp_seconds", help, self.ca_expiry.clone());
        let help = "Steps of the self-managed certificates that this replica took";
        to.register("certificate_rotations", help, self.rotations.clone());
        let help = "Steps of the self-managed certificates that failed; each is tried again";
        to.register("certificate_rotation_failures", help, self.failures.clone());
        for step in STEPS {
            drop(self.rotations.get_or_create(&StepLabels { step }));
        }
    }
}
