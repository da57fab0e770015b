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

#[path = "../node/account.rs"]
mod account;
#[path = "../node/arm.rs"]
mod arm;
#[path = "../node/arm_table.rs"]
mod arm_table;
#[path = "../node/boot.rs"]
mod boot;
#[path = "../node/comparison.rs"]
mod comparison;
#[path = "../node/driver_log.rs"]
mod driver_log;
#[path = "../node/expectation.rs"]
mod expectation;
#[path = "../node/experiment.rs"]
mod experiment;
#[path = "../node/kernel_log.rs"]
mod kernel_log;
#[path = "../node/measure.rs"]
mod measure;
#[path = "../node/memory.rs"]
mod memory;
#[path = "../node/page.rs"]
mod page;
#[path = "../node/parts.rs"]
mod parts;
#[path = "../node/plot.rs"]
mod plot;
#[path = "../node/record.rs"]
mod record;
#[path = "../node/report.rs"]
mod report;
#[path = "../node/results.rs"]
mod results;
#[path = "../node/run.rs"]
mod run;
#[path = "../node/summary.rs"]
mod summary;
#[path = "../node/tenths.rs"]
mod tenths;
#[path = "../node/watch_log.rs"]
mod watch_log;

mod arms;
mod comparisons;
mod docs;
mod logs;
mod records;
mod repeats;
