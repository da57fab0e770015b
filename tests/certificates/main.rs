//! Self-managed certificates: the rules of a rotation one by one, and ten years of it in a simulated world.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

mod fixtures;
mod random;
mod rules;
mod secret;
mod ten_years;
mod verifier;
mod world;
