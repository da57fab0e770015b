//! The admission flow: review, executor, class, plan, patch, response. Pure: no clock, no I/O, no async, no panic.

pub mod answer;
pub mod reason;
