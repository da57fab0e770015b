//! Sizing: exact arithmetic from what Spark asked for to a proven plan. Pure: no I/O, no clock, no async, no panic.

pub mod arithmetic;
pub mod bound;
pub mod class;
pub mod class_spec;
mod eligible_nodes;
pub mod executor;
pub mod field_values;
pub mod fields;
mod guaranteed;
pub mod kubelet;
pub mod label_syntax;
pub mod labels;
pub mod limit_range;
pub mod nodes;
pub mod placement;
pub mod plan;
pub mod planner;
pub mod proof;
pub mod quantity;
pub mod resources;
mod search;
pub mod sizes;
pub mod spark_memory;
pub mod state;
mod strategy;
pub mod supply;
