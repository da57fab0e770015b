//! `spark-swap nodes`: what people and programs are told about the swap of nodes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

mod command;
mod executors;
mod files;
mod fleet;
