//! What somebody should know about a plan for a fleet: how it was counted, who is left alone and why, and what stands in
//! the way of more.

use super::fit::{Fit, FullBy};
use super::fleet::Row;
use super::groups::Groups;
use super::report::Entry;
use crate::cli::sentences::{counted, listed};
use crate::sizing::class::{Enforcement, SwapClass};
use crate::sizing::plan::Plan;

/// How executors were counted.
pub fn basis(entries: &[Entry]) -> Vec<String> {
    let rows = || entries.iter().flat_map(|entry| entry.fleet.rows.iter().map(move |row| (entry, row)));
    let all = rows().count();
    if all == 0 {
        return Vec::new();
    }
    let unknown = rows().filter(|(_, row)| row.allocatable.memory.is_none()).count();
    let into = match unknown {
        0 => "what a node has for pods (status.allocatable)",
        _ if unknown == all => {
            "all memory of a node (what it has for pods, status.allocatable, is not known)"
        }
        _ => "what a node has for pods (status.allocatable), or all its memory where that is not known",
    };
    let mut notes = vec![format!("Executors are counted into {into}, as if nothing else ran there.")];
    let wants_cpu = |entry: &Entry| entry.group.before().cpu_millis > 0;
    if rows().any(|(entry, row)| row.allocatable.cpu_millis.is_none() && wants_cpu(entry)) {
        notes.push("Where the cpu of a node is not known, it counts as enough.".to_owned());
    }
    if entries.iter().all(|entry| entry.curve.is_none()) {
        notes.push(
            "There is no plot: more or less swap makes no room for more or fewer executors.".to_owned(),
        );
    }
    notes
}

/// About the pods that were read.
pub fn input(groups: &Groups) -> Vec<String> {
    let mut notes = Vec::new();
    if groups.planned_before > 0 {
        let executors = counted(groups.planned_before, "executor carries", "executors carry");
        notes.push(format!("{executors} a plan already; before is as they were received."));
    }
    if !groups.others.is_empty() {
        let others = groups.others.iter().map(|(reason, count)| format!("{reason} {count}"));
        notes.push(format!(
            "Passed over, as they are no executors: {}.",
            others.collect::<Vec<_>>().join(", ")
        ));
    }
    notes
}

/// What a plan sets aside: it shows what a class does to an executor that is in.
pub fn class(class: &SwapClass) -> Vec<String> {
    let SwapClass { name, enforcement, rollout_percent, .. } = class;
    let mut notes = Vec::new();
    if *enforcement == Enforcement::Audit {
        notes.push(format!(
            "Class {name} only records its plans; this is what it would do with enforcement: Enforce."
        ));
    }
    if *rollout_percent < 100 {
        notes.push(format!(
            "Class {name} has rolloutPercent {rollout_percent}; this is what happens to the applications that are in."
        ));
    }
    notes
}

/// About the groups, each under its class. What is to be said about several of them is said once.
pub fn entries(entries: &[Entry]) -> Vec<String> {
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    for entry in entries {
        for note in about(entry) {
            let number = format!("#{}", entry.number);
            match told.iter_mut().find(|(known, _)| *known == note) {
                Some((_, numbers)) => numbers.push(number),
                None => told.push((note, vec![number])),
            }
        }
    }
    told.into_iter().map(|(note, numbers)| format!("{}: {note}", listed(&numbers))).collect()
}

fn about(entry: &Entry) -> Vec<String> {
    let mut notes = Vec::new();
    if entry.fleet.rows.is_empty() {
        notes.push("no node that is known may run these executors".to_owned());
    }
    if entry.group.subject.memory.is_some() {
        // How a conf was read. Of pods it is only told that spec.nodeName does not count, as it never does here.
        notes.extend(entry.group.subject.notes.iter().cloned());
    }
    let further = &entry.group.whole.further;
    if !further.is_empty() {
        let names: Vec<&str> = further.iter().map(String::as_str).collect();
        notes.push(format!("not counted, so that fewer may fit: {}", names.join(", ")));
    }
    notes.extend(entry.group.decision.warnings());
    let (Some(plan), Some(class)) = (entry.group.plan(), entry.group.class()) else {
        let reason = entry.group.decision.reason;
        notes.push(format!("left alone, {reason}: {}", reason.text()));
        return notes;
    };
    if plan.strategy != class.strategy {
        notes.push(format!("{} instead of {}: {}", plan.strategy, class.strategy, plan.bound.text()));
    }
    notes.extend(full_early(entry));
    notes.extend(kept_out(entry, class, plan));
    notes.extend(unproven(entry, class));
    if plan.is_pinned {
        notes.extend(templates(entry, class, plan.needed_permille));
    }
    notes
}

/// Where a smaller memory request gains nothing.
fn full_early(entry: &Entry) -> Vec<String> {
    let shrinks = entry.group.after().memory < entry.group.before().memory;
    let full = |by: FullBy| {
        let is_full = move |row: &&Row| shrinks && row.after.is_some_and(|fit| fit.full_by == by);
        sum(entry.fleet.rows.iter().filter(is_full))
    };
    let what = [(FullBy::Cpu, "cpu requests fill"), (FullBy::Pods, "the largest number of pods fills")];
    what.into_iter()
        .map(|(by, what)| (full(by), what))
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| {
            let nodes = counted(count, "node", "nodes");
            format!("{what} {nodes} before memory does: a smaller memory request makes no more room there")
        })
        .collect()
}

/// Nodes that took these executors and take them no more.
fn kept_out(entry: &Entry, class: &SwapClass, plan: &Plan) -> Option<String> {
    let had_room = |fit: Option<Fit>| fit.is_some_and(|fit| fit.executors > 0);
    let is_lost = move |row: &&Row| had_room(row.before) && row.after.is_none();
    let lost = || entry.fleet.rows.iter().filter(is_lost);
    let room = lost().map(|row| row.before.map_or(0, |fit| fit.executors.saturating_mul(row.count)));
    let room = room.fold(0, u64::saturating_add);
    let nodes = Some(sum(lost())).filter(|count| *count > 0).map(|count| counted(count, "node", "nodes"))?;
    let label = class.swap.via.evidence_label();
    let selector = (!class.nodes.selector.is_empty()).then(|| "nodes.selector".to_owned());
    let pin = plan.is_pinned.then(|| format!("the label {label} of {} or more", plan.needed_permille));
    let wants: Vec<String> = selector.into_iter().chain(pin).collect();
    Some(format!(
        "{nodes} with room for {room} of them take none any more: class {} wants {}",
        class.name,
        wants.join(" and ")
    ))
}

/// Swap of which nobody knows whether it is handed out.
fn unproven(entry: &Entry, class: &SwapClass) -> Option<String> {
    let is_unproven = |row: &&Row| row.shape.swap > 0 && !row.has_evidence;
    let count = sum(entry.fleet.rows.iter().filter(is_unproven));
    let nodes = (count > 0).then(|| counted(count, "node has", "nodes have"))?;
    let label = class.swap.via.evidence_label();
    let and_so =
        if class.needs_evidence() { "" } else { "; their executors get it only if it is handed out" };
    Some(format!("{nodes} swap without enough evidence in the label {label}{and_so}"))
}

/// Groups of nodes whose template must carry the evidence.
fn templates(entry: &Entry, class: &SwapClass, needed_permille: u64) -> Vec<String> {
    let label = class.swap.via.evidence_label();
    entry
        .fleet
        .grouped
        .iter()
        .map(|nodes| {
            let have = match nodes.count.checked_sub(nodes.without_evidence) {
                None | Some(0) => "has no node with".to_owned(),
                Some(with) => format!("has {} with", counted(with, "node", "nodes")),
            };
            format!(
                "{} {have} the label {label}; if it is autoscaled, its template must carry it, with {needed_permille} or more, or no node is added for these executors ({})",
                nodes.name, nodes.template
            )
        })
        .collect()
}

fn sum<'r>(rows: impl Iterator<Item = &'r Row>) -> u64 {
    rows.map(|row| row.count).fold(0, u64::saturating_add)
}
