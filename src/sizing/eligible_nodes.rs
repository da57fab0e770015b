//! The eligible nodes as a class sees them: which of them have evidence, and what they promise.

use super::nodes::NodeShape;
use super::plan::{Site, Terms};
use super::supply::Supply;
use crate::admission::reason::Reason;

/// The eligible nodes as the class sees them.
pub(super) struct EligibleNodes<'a> {
    shapes: &'a [NodeShape],
    /// What the nodes with evidence promise.
    pub(super) supply: Supply,
    /// The most memory of a node without evidence; 0 when every node has some.
    largest_unproven: u64,
}

impl<'a> EligibleNodes<'a> {
    pub(super) fn new(terms: &Terms<'_>, site: &Site<'a>) -> Result<Self, Reason> {
        let class = terms.class;
        let needs_nodes = terms.class.needs_evidence() || !class.nodes.selector.is_empty();
        if needs_nodes && !site.nodes_are_known {
            return Err(Reason::NodesUnknown);
        }
        let mut proven = Vec::with_capacity(site.shapes.len());
        let mut largest_unproven = 0;
        for shape in site.shapes {
            if shape.has_evidence(class.swap.via, terms.class.least_swap_percent()) {
                proven.push((shape.memory, shape.usable_permille(class.swap.via)));
            } else {
                largest_unproven = shape.memory.max(largest_unproven);
            }
        }
        if terms.class.needs_evidence() && proven.is_empty() {
            return Err(nothing_to_land_on(terms, site));
        }
        if site.nodes_are_known && site.shapes.is_empty() {
            // Never pin to nothing: the selector acts only when it is known to match.
            let selects = !class.nodes.selector.is_empty() && !site.is_bound_to_node;
            return Err(if selects { Reason::NodesUnknown } else { nothing_to_land_on(terms, site) });
        }
        let supply = Supply::new(proven, class.swap.max_per_executor);
        Ok(Self { shapes: site.shapes, supply, largest_unproven })
    }

    /// A node without evidence could take a request of this size.
    pub(super) fn some_unproven_holds(&self, request: u64) -> bool {
        self.largest_unproven >= request.max(1)
    }

    /// The nodes on which a plan may land.
    pub(super) fn landing<'e>(
        &'e self,
        terms: &'e Terms<'_>,
        is_confined: bool,
        request: u64,
    ) -> impl Iterator<Item = &'a NodeShape> + use<'e, 'a> {
        let via = terms.class.swap.via;
        let least = terms.class.least_swap_percent();
        self.shapes
            .iter()
            .filter(move |shape| shape.memory >= request && (!is_confined || shape.has_evidence(via, least)))
    }
}

/// Why an executor that no node may take is left alone.
pub(super) fn nothing_to_land_on(terms: &Terms<'_>, site: &Site<'_>) -> Reason {
    let must_qualify = terms.class.needs_evidence() || !terms.class.nodes.selector.is_empty();
    if site.is_bound_to_node && must_qualify { Reason::PinConflict } else { Reason::NoSwapNode }
}
