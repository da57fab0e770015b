//! How many executors fit a node of a given memory, for every ratio of swap to memory: each point is a decision about a
//! node that is made for it.

use super::fleet::{Fleet, Row};
use super::groups::Group;
use crate::admission::decision::decide;
use crate::admission::review;
use crate::sizing::arithmetic::fraction_ceil;
use crate::sizing::nodes::Node;
use crate::sizing::state::{Settings, State, StateParts};

/// The largest ratio: twice as much swap as memory.
pub const LARGEST_PERMILLE: u64 = 2000;
/// From one ratio to the next.
const STEP: usize = 10;

/// How many executors fit, by the node's swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DensityCurve {
    /// The node that stands for its shape.
    pub node: String,
    /// M, bytes.
    pub memory: u64,
    /// The permille of swap that counts on this node today.
    pub own_permille: u64,
    /// Executors as Spark wrote them, whatever the swap.
    pub before: u64,
    /// (permille, executors as planned), from 0 to [`LARGEST_PERMILLE`].
    pub points: Vec<(u64, u64)>,
}

impl DensityCurve {
    /// The curve on the kind of node that takes most of these executors; `None` where there is no such node, or where no
    /// swap changes how many fit.
    pub fn new(
        group: &Group,
        fleet: &Fleet,
        parts: &StateParts,
        settings: &Settings,
        state: &State,
    ) -> Option<Self> {
        let row = most_common(fleet)?;
        let node = state.nodes().nodes().iter().find(|node| node.name == row.shape.name)?;
        let via = group.class()?.swap.via;
        let own_permille = if group.class()?.needs_evidence() {
            row.shape.usable_permille(via)
        } else {
            row.shape.actual_permille()
        };
        let room = row.room();
        // None where only what the class adds opens the node, so that one that is left alone is not there either.
        let before = row.before.map_or(0, |fit| fit.executors);
        let parts = of_namespace(parts, &group.subject.namespace);
        let request = review::read(&group.subject.review).ok()?;
        let after = |permille: u64| {
            let mut node = Node { swap: fraction_ceil(node.memory, permille, 1000), ..Node::clone(node) };
            node.labels.insert(via.evidence_label(), &permille.to_string());
            let parts = StateParts { nodes: vec![node], ..parts.clone() };
            let plan = decide(&request, &State::new(parts, settings.clone())).plan;
            let fit = plan.and_then(|plan| room.fit(group.with_request(plan.request.to)));
            fit.map_or(before, |fit| fit.executors)
        };
        let points: Vec<_> =
            (0..=LARGEST_PERMILLE).step_by(STEP).map(|permille| (permille, after(permille))).collect();
        let changes = points.iter().any(|(_, executors)| *executors != before);
        changes.then_some(Self { node: node.name.clone(), memory: node.memory, own_permille, before, points })
    }

    /// Where the number of executors changes: (permille, executors from there on).
    pub fn steps(&self) -> Vec<(u64, u64)> {
        let mut steps = self.points.clone();
        steps.dedup_by_key(|(_, executors)| *executors);
        steps
    }

    /// The most executors, before or after.
    pub fn most(&self) -> u64 {
        self.points.iter().map(|(_, executors)| *executors).fold(self.before, u64::max)
    }
}

/// The row with most nodes; of several, that with most executors.
fn most_common(fleet: &Fleet) -> Option<&Row> {
    let executors = |row: &Row| row.after.or(row.before).map_or(0, |fit| fit.executors);
    fleet.rows.iter().max_by_key(|row| (row.after.is_some(), row.count, executors(row)))
}

/// The classes, and what a decision about a pod of this namespace reads besides them and the nodes.
fn of_namespace(parts: &StateParts, name: &str) -> StateParts {
    let StateParts { classes, namespaces, limit_ranges, quotas, .. } = parts;
    StateParts {
        classes: classes.clone(),
        nodes: Vec::new(),
        namespaces: namespaces.iter().filter(|namespace| namespace.name == name).cloned().collect(),
        limit_ranges: limit_ranges.iter().filter(|range| range.namespace == name).cloned().collect(),
        quotas: quotas.iter().filter(|quota| quota.namespace == name).cloned().collect(),
    }
}
