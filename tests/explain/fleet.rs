//! `spark-swap plan`: what people and programs are told about a fleet.

mod as_received;
mod command;
mod executors;
mod inputs;
mod nodes;
mod plots;
mod properties;
