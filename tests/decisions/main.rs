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
    clippy::missing_panics_doc
)]

mod ask;
mod class_choice;
mod cluster;
mod density;
mod differences;
mod fixtures;
mod heap_growth;
mod jvm;
mod left_alone;
mod measured;
mod percent_labels;
mod placed;
mod properties;
mod qos;
mod random;
mod recognition;
mod reference;
mod rollout;
mod spark_labels;
mod survey;
mod worked_example;
