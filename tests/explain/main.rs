//! `spark-swap explain` and `plan`: what people and programs are told about decisions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

mod binary;
mod command;
mod conf;
mod fleet;
mod inputs;
mod left_alone;
mod live_pods;
mod objects;
mod plans;
mod pods;
mod reasons_page;
