//! Of Events for the owners of executors.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::registered::Registered;

/// What became of an Event for the owner of executors: the label `outcome` of `spark_swap_events_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventOutcome {
    /// Written.
    Created,
    /// Another replica was first, or this one before it was started again.
    AlreadyThere,
    /// The API server does not want it: a missing right, a namespace that ends.
    Refused,
    /// The API server did not answer in time, or had a problem of its own.
    Failed,
    /// Not sent: too many at once.
    Dropped,
}

impl EventOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] =
        [Self::Created, Self::AlreadyThere, Self::Refused, Self::Failed, Self::Dropped];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::AlreadyThere => "already_there",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct EventMetrics {
    events: Family<EventLabels, Counter>,
}

impl EventMetrics {
    pub(super) fn count(&self, outcome: EventOutcome) {
        self.events.get_or_create(&EventLabels { outcome }).inc();
    }

    pub(super) fn register(&self, to: &mut Registered) {
        to.register("events", "Events for the owners of executors by outcome", self.events.clone());
        for outcome in EventOutcome::ALL {
            drop(self.events.get_or_create(&EventLabels { outcome }));
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    outcome: EventOutcome,
}

impl EncodeLabelValue for EventOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.as_str().encode(encoder)
    }
}
