//! The program of the experiment, without its nodes: the arms, and what is read out of records.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test, which uses parts of a program"
)]

#[path = "../node/arm.rs"]
mod arm;
#[path = "../node/boot.rs"]
mod boot;
#[path = "../node/driver_log.rs"]
mod driver_log;
#[path = "../node/expectation.rs"]
mod expectation;
#[path = "../node/experiment.rs"]
mod experiment;
#[path = "../node/measure.rs"]
mod measure;
#[path = "../node/tenths.rs"]
mod tenths;

mod arms;
