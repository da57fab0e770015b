//! `spark-swap check`: what is judged of an installation that a client sees, and how it is shown.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::needless_pass_by_value,
    reason = "a test may fail"
)]

mod binary;
mod checks_page;
mod classes;
mod cluster;
mod installation;
mod nodes;
mod probe;
mod report;
mod server;
mod webhook;
