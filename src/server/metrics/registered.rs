//! The registry, with a list of what is in it: `docs/metrics.md` is made from it, so that no metric can be missing there.

use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Metric, Registry};

const PREFIX: &str = "spark_swap";

/// A metric as `/metrics` shows it.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its whole name; of a histogram without `_bucket`, `_sum` and `_count`.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: String,
    /// What it means.
    pub help: String,
}

#[derive(Debug)]
pub(super) struct Registered {
    registry: Registry,
    described: Vec<Described>,
}

impl Registered {
    pub(super) fn new() -> Self {
        Self { registry: Registry::with_prefix(PREFIX), described: Vec::new() }
    }

    /// `name` is without the prefix, and without what is appended to counters (`_total`) and infos (`_info`).
    pub(super) fn register<M: Metric + TypedMetric>(&mut self, name: &str, help: &str, metric: M) {
        let appended = match M::TYPE {
            MetricType::Counter => "_total",
            MetricType::Info => "_info",
            _ => "",
        };
        self.described.push(Described {
            name: format!("{PREFIX}_{name}{appended}"),
            kind: M::TYPE.as_str().to_owned(),
            help: help.to_owned(),
        });
        self.registry.register(name, help, metric);
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(super) fn described(&self) -> &[Described] {
        &self.described
    }
}
