//! The swap that the eligible nodes promise, as a function of the request.

use super::arithmetic::{ceil_to_page, permille_floor};
use super::kubelet::floor_to_page;

/// What nodes with evidence promise. Larger requests fit fewer nodes, so the promise can only grow with the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supply {
    /// (M, smallest permille of this node and all with more memory), by M.
    steps: Vec<(u64, u64)>,
    /// The most swap an executor gets, whole pages.
    cap: Option<u64>,
}

impl Supply {
    /// From (M, usable permille) of each node shape and the backend's cap.
    pub fn new(mut steps: Vec<(u64, u64)>, cap: Option<u64>) -> Self {
        steps.sort_unstable();
        let mut smallest = u64::MAX;
        for (_, permille) in steps.iter_mut().rev() {
            smallest = smallest.min(*permille);
            *permille = smallest;
        }
        Self { steps, cap: cap.map(floor_to_page) }
    }

    /// p: the smallest promised permille of the nodes that can hold the request; `None` when none can.
    pub fn permille(&self, request: u64) -> Option<u64> {
        let first = self.steps.partition_point(|(memory, _)| *memory < request);
        self.steps.get(first).map(|(_, permille)| *permille)
    }

    /// g(R): the promised swap, whole pages; `None` when no node can hold the request.
    pub fn grant(&self, request: u64) -> Option<u64> {
        let promised = floor_to_page(permille_floor(request, self.permille(request)?));
        Some(self.cap.map_or(promised, |cap| promised.min(cap)))
    }

    /// The request and its swap reach `target` bytes.
    pub fn backs(&self, request: u64, target: u64) -> bool {
        self.grant(request).is_some_and(|grant| request.saturating_add(grant) >= target)
    }

    /// The largest node memory; 0 without nodes.
    pub fn largest_memory(&self) -> u64 {
        self.steps.last().map_or(0, |(memory, _)| *memory)
    }
}

/// The smallest permille k with `request + floor4096(floor(request*k/1000)) >= target`.
pub fn needed_permille(request: u64, target: u64) -> u64 {
    let missing = u128::from(ceil_to_page(target.saturating_sub(request)));
    let permille = missing.saturating_mul(1000).checked_next_multiple_of(u128::from(request));
    let permille = permille.and_then(|scaled| scaled.checked_div(u128::from(request)));
    permille.and_then(|permille| u64::try_from(permille).ok()).unwrap_or(u64::MAX)
}
