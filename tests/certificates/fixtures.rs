//! A day in 2030, certificates made then, and shorthands for planning.

use std::time::Duration;

use jiff::Timestamp;
use spark_swap::cluster::certificates::{
    Change, Held, Kept, Material, Published, RotationPolicy, Step, Why, carry_out, plan_rotation,
};

pub(crate) const NAME: &str = "spark-swap.spark-swap.svc";

pub(crate) fn minutes(number: u64) -> Duration {
    Duration::from_mins(number)
}

pub(crate) fn days(number: u64) -> Duration {
    Duration::from_hours(24 * number)
}

pub(crate) fn start() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn policy() -> RotationPolicy {
    RotationPolicy {
        ca_lifetime: days(365),
        tls_lifetime: days(60),
        ca_propagation: minutes(10),
        names: vec![NAME.to_owned(), "127.0.0.1".to_owned()],
        manage_ca_bundle: true,
    }
}

/// A replica that has just started and holds nothing.
pub(crate) fn nothing() -> Held<'static> {
    Held::Nothing { since: start() }
}

pub(crate) fn usable(material: &Material) -> Kept {
    Kept::Usable(Box::new(material.clone()))
}

/// The material after a change of it.
pub(crate) fn after(change: Change, at: Timestamp, material: &Material) -> Material {
    carry_out(change, at, &policy(), &usable(material), &nothing()).unwrap()
}

/// What is made for an empty Secret.
pub(crate) fn created(at: Timestamp) -> Material {
    carry_out(Change::Create, at, &policy(), &Kept::Absent, &nothing()).unwrap()
}

/// With a next authority.
pub(crate) fn staged(at: Timestamp) -> Material {
    after(Change::StageCa(Why::Due), at, &created(at))
}

/// Everything of ours is published.
pub(crate) fn published(material: &Material) -> Published {
    Published::Found(material.bundle())
}

pub(crate) fn blank() -> Published {
    Published::of(None)
}

/// The plan of a replica without memory, everything published.
pub(crate) fn plan(now: Timestamp, material: &Material) -> Step {
    plan_rotation(now, &policy(), &usable(material), &published(material), &nothing())
}

/// The plan in words, for comparing.
pub(crate) fn words(step: &Step) -> String {
    match step {
        Step::Wait { until, reason } => format!("{reason:?} until {until}"),
        Step::Publish(bundle) => format!("Publish {}", bundle.certificates().len()),
        Step::Keep(change) => format!("{change:?}"),
    }
}
