//! How long certificates live and for which names.

use std::time::Duration;

use jiff::Timestamp;

/// Certificates are valid from this long before they are made, for verifiers whose clocks are behind.
pub const BACKDATING: Duration = Duration::from_mins(5);

/// How long a server certificate that lacks a name is left alone after it was made.
pub(super) const NAMES_PAUSE: Duration = Duration::from_mins(1);

/// How long a replica that finds nothing waits for one that still holds what API servers trust.
pub const RESTORE_GRACE: Duration = Duration::from_mins(1);

/// What is kept renewed, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    /// How long an authority is valid.
    pub ca_lifetime: Duration,
    /// How long a server certificate is valid.
    pub tls_lifetime: Duration,
    /// How long a new authority stays published before it is used: longer than the slowest API server needs to hear of
    /// it, and than clocks differ.
    pub ca_propagation: Duration,
    /// The names that a server certificate is valid for.
    pub names: Vec<String>,
    /// We write `caBundle`; otherwise somebody else does, and a new authority is used only after that.
    pub manage_ca_bundle: bool,
}

impl RotationPolicy {
    /// Refuses lifetimes with which no rotation could finish in time.
    pub fn check(&self) -> Result<(), String> {
        if self.names.is_empty() {
            return Err("a server certificate needs at least one name".to_owned());
        }
        if third(self.ca_lifetime) <= self.ca_propagation {
            return Err(
                "ca-lifetime: a third of it must be longer than ca-propagation, because an authority is \
                        renewed when a third of its lifetime is left"
                    .to_owned(),
            );
        }
        if self.tls_lifetime.is_zero() {
            return Err("tls-lifetime: must not be zero".to_owned());
        }
        Ok(())
    }
}

/// A third: what is left of a lifetime when it is time to renew.
pub(super) fn third(lifetime: Duration) -> Duration {
    lifetime.checked_div(3).unwrap_or(Duration::ZERO)
}

/// `time` and `duration`, or the end of time.
pub(super) fn after(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// `duration` before `time`, or the beginning of time.
pub(super) fn before(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_sub(duration).unwrap_or(Timestamp::MIN)
}
