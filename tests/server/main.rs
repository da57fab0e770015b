//! The server in-process on free ports, and the binary as a user runs it. Events are injected: no test sleeps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, clippy::as_conversions)]

mod certificates;
mod client;
mod drain;
mod harness;
mod limits;
mod pem;
mod rotation;
mod tls;
mod wire;
