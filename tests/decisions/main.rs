//! What is decided for which executor: the pure core, from a pod to an applied patch.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_arithmetic,
    clippy::missing_panics_doc
)]

mod ask;
mod backends;
mod class_choice;
mod cluster;
mod density;
mod differences;
mod event_notes;
mod fixtures;
mod golden;
mod heap_growth;
mod jvm;
mod left_alone;
mod limit_ranges;
mod measured;
mod patches;
mod percent_labels;
mod pinning;
mod placed;
mod placement;
mod planned_again;
mod properties;
mod purity;
mod qos;
mod quantities;
mod random;
mod recognition;
mod reference;
mod reviews;
mod rollout;
mod spark_labels;
mod wire_classes;
mod worked_example;
