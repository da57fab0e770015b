//! spark-swap: a mutating admission webhook that turns Kubernetes node swap into memory for Spark executors.
//!
//! The house follows the path of a request: [`admission`] reads the review, recognises the executor and writes the
//! patch; [`sizing`] computes and proves the plan; [`server`] and [`cli`] are thin shells around them, and
//! [`cluster`] brings the state they decide from.

pub mod admission;
pub mod cli;
pub mod cluster;
pub mod server;
pub mod sizing;
mod vocabulary;
