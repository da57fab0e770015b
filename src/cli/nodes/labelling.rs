//! `spark-swap nodes --label`: writes the labels and tells what was done.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;

use super::fleet::{CONCURRENCY, Fleet};
use super::label_change::{Change, LABEL, UNREACHABLE};
use super::{Report, judge, template};
use crate::cli::progress;
use crate::cluster::arrival::Arrival;
use crate::cluster::connection::cause;
use crate::cluster::objects::Kind;
use crate::sizing::nodes::Node;

/// Who the API server notes down as the author of the label.
const FIELD_MANAGER: &str = "spark-swap-nodes";

/// Writes the label of every node where it is not what it should be; a dry run only tells.
pub async fn run(client: &Client, fleet: &Fleet, is_dry_run: bool) -> Report {
    let mut report = Report::default();
    report.notes.extend(fleet.problems.iter().map(|problem| format!("warning: {problem}")));
    if let Some(cause) = &fleet.forbidden {
        report.failure = Some(format!("no label was touched, for the kubelets may not be asked: {cause}"));
        return report;
    }
    let judged = judge(fleet);
    let changes: Vec<(&Node, Change)> =
        judged.iter().map(|(facts, readiness)| (&facts.node, Change::of(facts, readiness))).collect();
    let results = if is_dry_run { Vec::new() } else { apply(client, &changes).await };
    tell(&mut report, &changes, &results, is_dry_run);
    report
}

/// In the order of the changes; without results it is a dry run.
///
/// By merge patch: it names the one label and nothing else, removes it whoever set it, and does nothing to a node that
/// has gone meanwhile. Server-side apply would make such a node anew, and could not remove what another manager owns.
async fn apply(client: &Client, changes: &[(&Node, Change)]) -> Vec<kube::Result<()>> {
    let api = Api::<Arrival>::all_with(client.clone(), &Kind::Node);
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let written = futures_util::stream::iter(changes).map(async |(node, change)| {
        let Some(value) = change.value() else { return Ok(()) };
        let patch = Patch::Merge(json!({"metadata": {"labels": {LABEL: value}}}));
        api.patch(&node.name, &parameters, &patch).await.map(|_| ())
    });
    progress::collect("labels written", changes.len(), written.buffered(CONCURRENCY)).await
}

/// The words under which nodes are counted, in this order.
const WORDS: [&str; 6] = ["labeled", "unlabeled", "unchanged", "not labeled", UNREACHABLE, FAILED];
const FAILED: &str = "failed";

/// A line for each node, then the totals, then what to do about node groups.
fn tell(report: &mut Report, changes: &[(&Node, Change)], results: &[kube::Result<()>], is_dry_run: bool) {
    let dry_run = if is_dry_run { " (dry run)" } else { "" };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut labelled = Vec::new();
    for (place, (node, change)) in changes.iter().enumerate() {
        let before = node.labels.get(LABEL);
        let word = match (change, results.get(place)) {
            // Scaled down meanwhile: not worth a failure.
            (_, Some(Err(kube::Error::Api(status)))) if status.is_not_found() => {
                let gone = Change::None("the node is gone".to_owned());
                report.out.extend([gone.line(&node.name, None).as_str(), "\n"]);
                gone.word()
            }
            (_, Some(Err(error))) => {
                report.notes.push(format!("warning: node/{} not changed: {}", node.name, cause(error)));
                FAILED
            }
            (Change::Unknown(_), _) => {
                report.notes.push(format!("warning: {}", change.line(&node.name, before)));
                change.word()
            }
            (change, _) => {
                let line = change.line(&node.name, before);
                report.out.extend([line.as_str(), dry_run, "\n"]);
                change.word()
            }
        };
        if let (Change::Write(permille), true) = (change, word == change.word()) {
            labelled.push((*node, *permille));
        }
        let count = counts.entry(word).or_default();
        *count = count.saturating_add(1);
    }
    let total = |word: &&str| counts.get(word).map(|count| format!("{count} {word}"));
    let totals: Vec<String> = WORDS.iter().filter_map(total).collect();
    report.notes.push(match totals.as_slice() {
        [] => "No nodes found".to_owned(),
        totals => totals.join(", ") + dry_run,
    });
    report.notes.extend(template::notes(labelled));
    let bad: Vec<String> = [UNREACHABLE, FAILED].iter().filter_map(total).collect();
    report.fail_for((!bad.is_empty()).then(|| format!("{}: see the warnings above", bad.join(", "))));
}
