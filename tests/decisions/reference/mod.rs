//! Sections 4 to 6 of the design once more, slow and straight from the text: what the product must answer.
//!
//! The design does not rank the reasons to leave an executor alone, nor an obstacle of the nodes against one of the
//! executor. Where several hold, each of them is a right answer here.

pub mod kubernetes;
mod outcome;
pub mod site;
pub mod spark;
mod strategies;
mod written;

use std::collections::BTreeSet;

use spark_swap::admission::reason::Reason;
use spark_swap::sizing::bound::Bound;
use spark_swap::sizing::class::Strategy;
use spark_swap::sizing::nodes::Node;

pub use outcome::expected;
pub use written::{normalised, patched, plan_json};

/// What the design says about a case: a plan, reasons to leave the executor alone, or a choice of both.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    pub reasons: BTreeSet<Reason>,
    pub planned: Option<Planned>,
}

/// A plan; sizes in bytes, cpu in millicores.
#[derive(Clone, Debug)]
pub struct Planned {
    pub strategy: Strategy,
    /// More than one where several bounds ask for the same.
    pub bounds: BTreeSet<Bound>,
    pub request: u64,
    pub limit: u64,
    pub heap: Option<(u64, u64)>,
    pub non_heap: Option<u64>,
    pub working_set: u64,
    pub peak: u64,
    pub unswappable: u64,
    pub expected_swap: u64,
    pub possible_swap: u64,
    pub needed_permille: u64,
    pub is_pinned: bool,
    pub qos: &'static str,
    pub oom_score_adj: Option<i64>,
    /// The nodes that the executor may land on.
    pub landing: Vec<Node>,
    /// Those of them with the smallest grant.
    pub smallest: Vec<Node>,
    pub written_swap: Option<u64>,
    pub cpu_limit: Option<u64>,
    pub young_mib: Option<u64>,
}
