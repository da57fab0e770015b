//! Nodes: is there swap, is there evidence for it, and will nodes that join later have it too. `spark-swap nodes` has
//! the details.

use std::collections::BTreeMap;

use super::checks::{Check, CheckId};
use super::facts::Facts;
use crate::cli::sentences::{counted, listed};
use crate::cluster::node_group::NodeGroup;
use crate::cluster::objects::Kind;
use crate::sizing::class::Backend;
use crate::sizing::nodes::Node;

/// More findings than these are counted.
const FINDINGS: usize = 5;

/// The checks of the nodes.
pub fn checks(facts: &Facts) -> Vec<Check> {
    if !facts.has_read(Kind::Node) {
        return Vec::new();
    }
    let nodes = &facts.parts.nodes;
    let with_swap: Vec<&Node> = nodes.iter().filter(|node| node.swap > 0).collect();
    let mut checks = vec![if with_swap.is_empty() {
        Check::warn(
            CheckId::NodeSwap,
            format!(
                "none of {} reports swap, so there is nothing to gain",
                counted(nodes.len(), "node", "nodes")
            ),
            "Give nodes swap and their kubelets failSwapOn: false and memorySwap.swapBehavior: LimitedSwap.",
        )
    } else {
        Check::pass(
            CheckId::NodeSwap,
            format!("{} of {}", with_swap.len(), counted(nodes.len(), "node", "nodes")),
        )
    }];
    if !with_swap.is_empty() {
        checks.push(evidence(&with_swap));
    }
    checks.push(values(nodes));
    checks.extend(groups(&with_swap));
    checks
}

/// Some backend's evidence label promises something.
fn has_evidence(node: &Node) -> bool {
    Backend::ALL.iter().any(|backend| node.promised_permille(*backend) > 0)
}

fn evidence(with_swap: &[&Node]) -> Check {
    let id = CheckId::Evidence;
    let missing: Vec<&str> =
        with_swap.iter().filter(|node| !has_evidence(node)).map(|node| node.name.as_str()).collect();
    if missing.is_empty() {
        return Check::pass(id, format!("all {} with swap", with_swap.len()));
    }
    let message =
        format!("{} of {} with swap have none: {}", missing.len(), with_swap.len(), listed(&missing));
    Check::warn(
        id,
        message,
        "spark-swap nodes --label asks their kubelets and labels those that hand it out.",
    )
}

fn values(nodes: &[Node]) -> Check {
    let mut findings = Vec::new();
    for node in nodes {
        for backend in Backend::ALL.iter().copied() {
            let label = backend.evidence_label();
            let Some(value) = node.labels.get(label) else { continue };
            let (promised, actual) = (node.promised_permille(backend), node.actual_permille());
            if promised == 0 && value != "0" {
                findings.push(format!("node {}: {label}={value} is no whole number", node.name));
            } else if promised > actual {
                findings.push(format!("node {}: {label}={value}, and {actual} is there", node.name));
            }
        }
    }
    let more = findings.len().saturating_sub(FINDINGS);
    findings.truncate(FINDINGS);
    if more > 0 {
        findings.push(format!("and {more} more"));
    }
    let advice = "The smaller of both is what counts. spark-swap nodes --label writes what the kubelets say.";
    Check::warn_of(CheckId::EvidenceValue, &findings, advice, "")
}

/// Groups of which some node carries evidence: all of them should.
fn groups(with_swap: &[&Node]) -> Option<Check> {
    let mut groups: BTreeMap<NodeGroup<'_>, (Vec<&str>, usize)> = BTreeMap::new();
    for node in with_swap {
        let Some(group) = NodeGroup::of(&node.labels) else { continue };
        let (without, with) = groups.entry(group).or_default();
        if has_evidence(node) {
            *with = with.saturating_add(1);
        } else {
            without.push(&node.name);
        }
    }
    groups.retain(|_, (_, with)| *with > 0);
    let incomplete: Vec<String> = groups
        .iter()
        .filter(|(_, (without, _))| !without.is_empty())
        .map(|(group, (without, _))| {
            format!(
                "{group}: {} without: {}. Its template: {}",
                without.len(),
                listed(without),
                group.provider.text()
            )
        })
        .collect();
    let names: Vec<_> = groups.keys().collect();
    let advice = "Put the evidence label into the template of the group: nodes that join have it then, and the autoscaler \
                  knows that they will.";
    (!groups.is_empty()).then(|| {
        let message = format!("{}; see that their templates carry the label, too", listed(&names));
        Check::warn_of(CheckId::NodeGroups, &incomplete, advice, message)
    })
}
