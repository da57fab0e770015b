//! The table of `spark-swap nodes`, in kubectl's style.

use super::fleet::NodeFacts;
use super::readiness::{Kubelet, NodeStatus, Readiness};
use crate::cli::sentences::counted;
use crate::cli::table::{Align, Table};
use crate::cluster::node_group::NodeGroup;
use crate::sizing::class::Backend;
use crate::sizing::labels::Labels;
use crate::sizing::sizes::gi;

/// What is shown of a node.
#[derive(Clone, Copy, Debug)]
pub struct Row<'f> {
    /// What is known about it.
    pub facts: &'f NodeFacts,
    /// What follows from that.
    pub readiness: &'f Readiness,
}

/// What stands where nothing is known, or nothing is there.
const NOTHING: &str = "-";

impl Row<'_> {
    /// How many executors run on the node; `None` where it is not known.
    pub fn executors(&self) -> Option<usize> {
        self.facts.executors.as_ref().map(Vec::len)
    }

    /// The swap granted to the executors on the node, bytes; `None` where it is not known.
    pub fn granted(&self) -> Option<u64> {
        let node = &self.facts.node;
        // Where the kubelet does not say it, its label does.
        let is_promised = node.promised_permille(Backend::Kubelet) > 0;
        let is_handed_out = match self.readiness.is_handed_out {
            None if is_promised => Some(true),
            known => known,
        };
        let mut executors = self.facts.executors.as_ref()?.iter();
        executors.try_fold(0, |sum: u64, executor| {
            Some(sum.saturating_add(executor.granted(node, is_handed_out)?))
        })
    }

    fn cells(&self, is_wide: bool) -> Vec<String> {
        let node = &self.facts.node;
        let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
        let mut cells = vec![
            node.name.clone(),
            gi(node.memory),
            gi(node.swap),
            node.actual_permille().to_string(),
            or_nothing(evidence(&node.labels)),
            or_nothing(self.executors().map(|count| count.to_string())),
            or_nothing(self.granted().map(|granted| share(granted, node.swap))),
            words(&self.readiness.statuses),
        ];
        if is_wide {
            let kubelet = match &self.facts.kubelet {
                Kubelet::NotAsked => NOTHING,
                Kubelet::Unreachable(_) => "Unreachable",
                Kubelet::Config(config) => config.swap_behavior(),
            };
            let group = NodeGroup::of(&node.labels).map(|group| format!("{}={}", group.label, group.name));
            cells.extend([kubelet.to_owned(), or_nothing(group)]);
        }
        cells
    }
}

/// The table.
pub fn table(rows: &[Row<'_>], is_wide: bool) -> String {
    const COLUMNS: [&str; 10] =
        ["NAME", "MEMORY", "SWAP", "RATIO", "EVIDENCE", "EXECUTORS", "GRANTED", "STATUS", "KUBELET", "GROUP"];
    let shown = if is_wide { COLUMNS.len() } else { COLUMNS.len().saturating_sub(2) };
    let mut table = Table::new(&[Align::Left; 0]);
    table.row(COLUMNS.into_iter().take(shown));
    for row in rows {
        table.row(row.cells(is_wide));
    }
    table.render_list()
}

/// What the words of the table mean and what to do, each with the number of nodes that it is said of.
pub fn legend(rows: &[Row<'_>]) -> Vec<String> {
    let mut legend = Vec::new();
    for status in NodeStatus::ALL.iter().filter(|status| **status != NodeStatus::Ready) {
        let count = rows.iter().filter(|row| row.readiness.statuses.contains(status)).count();
        if count > 0 {
            legend.push(format!("{status} ({}): {}", counted(count, "node", "nodes"), status.text()));
        }
    }
    legend
}

/// The labels' values as they are; those of other backends than the kubelet with their name.
fn evidence(labels: &Labels) -> Option<String> {
    let value = |backend: &Backend| {
        let value = labels.get(backend.evidence_label())?;
        Some(match backend {
            Backend::Kubelet => value.to_owned(),
            Backend::CrioAnnotation => format!("crio={value}"),
            Backend::NriMemoryQos => format!("nri={value}"),
        })
    };
    let values: Vec<String> = Backend::ALL.iter().filter_map(value).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// `12Gi (37%)` of the node's swap.
fn share(granted: u64, swap: u64) -> String {
    let percent = u128::from(granted).saturating_mul(100).checked_div(u128::from(swap));
    percent
        .filter(|_| granted > 0)
        .map_or_else(|| gi(granted), |percent| format!("{} ({percent}%)", gi(granted)))
}

fn words(statuses: &[NodeStatus]) -> String {
    let words: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
    words.join(",")
}
