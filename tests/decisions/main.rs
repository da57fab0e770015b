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

mod cluster;
mod fixtures;
mod worked_example;
