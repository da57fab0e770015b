//! Nodes, reduced to what decides about swap, and the index that finds the ones a pod may land on.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use super::class::Backend;
use super::placement::{Placement, Taint};

/// A node, reduced on arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// `metadata.name`.
    pub name: String,
    /// M: `status.capacity.memory`, bytes; 0 when unknown.
    pub memory: u64,
    /// S: `status.nodeInfo.swap.capacity`, bytes; 0 when absent.
    pub swap: u64,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
}

/// A pattern of taint keys: exact, `prefix*` or `*suffix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaintPattern(String);
