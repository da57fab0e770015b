//! The server in-process on free ports, and the binary as a user runs it. Events are injected: no test sleeps.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

mod binary;
mod certificate_secret;
mod certificates;
mod client;
mod client_certificates;
mod commands;
mod drain;
mod events;
mod flood;
mod harness;
mod limits;
mod log_level;
mod metrics_page;
mod pem;
mod readiness;
mod rotation;
mod state_reload;
mod tls;
mod wire;
