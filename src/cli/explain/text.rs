//! `explain -o text`: a decision for people, from the outcome down to the arithmetic.

use std::collections::BTreeMap;

use super::cause::{Cause, cause};
use super::recorded::{Now, Verdict};
use super::{Explained, arithmetic, before_after, in_cluster, node_text};
use crate::admission::class_choice::{NamedBy, named};
use crate::admission::operation::Operation;
use crate::cli::pod_input::Input;
use crate::cli::sentences;
use crate::cli::table::{Align, Table};
use crate::sizing::class::{Strategy, SwapClass};
use crate::sizing::executor::Labelled;
use crate::sizing::fields::OneLine;
use crate::sizing::limit_range::Bounds;
use crate::sizing::sizes::{both, ratio};
use crate::sizing::state::CLASS_LABEL;

/// Sentences are broken into lines of about this many characters.
const LONGEST_LINE: usize = 112;
/// The most characters of a patch value that are shown.
const LONGEST_VALUE: usize = 96;

/// Everything about one pod: the decision, or what was decided and what would be decided now.
pub fn explanation(explained: &Explained<'_>) -> String {
    let decision = explained.decision;
    let mut text = format!("{}: {}\n\n", decision.reason, decision.reason.text());
    text.push_str(&heading(explained));
    section(&mut text, "In the cluster", &in_cluster::table(explained));
    section(&mut text, "Recorded on the pod", &before_after::recorded(explained));
    match explained.now {
        None => decided(&mut text, explained),
        Some(now) => {
            why(&mut text, explained);
            section(&mut text, "Warnings", &lines(decision.warnings()));
            section(&mut text, "Decided now", &decided_now(now));
            decided(&mut text, &now.explained);
        }
    }
    text
}

/// One decision, from the outcome down to the arithmetic.
fn decided(text: &mut String, explained: &Explained<'_>) {
    let decision = explained.decision;
    let title = if decision.plan.is_some() { "Before and after" } else { "As received" };
    section(text, title, &before_after::table(explained));
    why(text, explained);
    section(text, "Spark conf labels", &conf_labels(explained));
    section(text, "Arithmetic", &arithmetic::table(explained));
    section(text, "Bounds on the request", &arithmetic::request_bounds(explained));
    section(text, "Bounds on the heap", &arithmetic::heap_bounds(explained));
    section(text, "Limit", &lines(arithmetic::limit(explained)));
    section(text, "Node affinity", &lines(arithmetic::affinity(explained)));
    section(text, "Eligible nodes", &node_text::eligible(explained));
    section(text, "Nodes ruled out", &node_text::ruled_out(explained));
    section(text, &limits_title(explained), &limits(explained));
    section(text, "Warnings", &lines(decision.warnings()));
    section(text, "Notes", &lines(explained.all_notes().cloned()));
    section(text, "Patch", &patch(&decision.operations));
}

fn why(text: &mut String, explained: &Explained<'_>) {
    if let Some(Cause { why, advice }) = cause(explained) {
        section(text, "Why", &lines([why]));
        section(text, "What to do", &lines([advice.to_owned()]));
    }
}

/// How the decision of now compares with the plan on the pod.
fn decided_now(now: &Now<'_>) -> String {
    let reason = now.explained.decision.reason;
    let verdict = now.verdict();
    let mut sentences = vec![format!("{verdict}: {}", verdict.text())];
    if verdict == Verdict::LeftAlone {
        sentences.push(format!("{reason}: {}", reason.text()));
    }
    sentences.extend(now.causes());
    let mut table = Table::new(&[]);
    class_rows(&mut table, &now.explained);
    [lines(sentences), table.render(), now.table()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The explanations of all pods, and how many of them there are for each reason.
pub fn all(mut shown: Vec<String>, input: &Input, reasons: &BTreeMap<&str, u64>) -> String {
    let count = shown.len();
    if count != 1 {
        let separator = if count == 0 { "" } else { ": " };
        let reasons = counted(reasons.iter().map(|(reason, count)| (*reason, *count)));
        shown.push(format!("{count} pods{separator}{reasons}\n"));
    }
    if !input.passed_over.is_empty() {
        let kinds = counted(input.passed_over.iter().map(|(kind, count)| (kind.as_str(), *count)));
        shown.push(format!("Passed over, as they hold no pod: {kinds}\n"));
    }
    shown.join(&format!("\n{}\n\n", "-".repeat(100)))
}

fn counted<'w>(counts: impl Iterator<Item = (&'w str, u64)>) -> String {
    counts.map(|(word, count)| format!("{word} {count}")).collect::<Vec<_>>().join(", ")
}

/// Adds a section unless it is empty.
fn section(text: &mut String, title: &str, body: &str) {
    if !body.is_empty() {
        text.extend(["\n", title, "\n", body]);
    }
}

fn lines(sentences: impl IntoIterator<Item = String>) -> String {
    sentences::lines(sentences, LONGEST_LINE)
}

fn heading(explained: &Explained<'_>) -> String {
    let subject = explained.subject;
    let mut table = Table::new(&[]);
    let name = if subject.name.is_empty() { "without a name" } else { subject.name.as_str() };
    table.row([
        "pod",
        &format!(
            "{} in namespace {} ({}, {})",
            OneLine(name),
            OneLine(&subject.namespace),
            subject.kind,
            OneLine(&subject.place)
        ),
    ]);
    class_rows(&mut table, explained);
    table.render()
}

/// The class, its policy and the bound that decided.
fn class_rows(table: &mut Table, explained: &Explained<'_>) {
    let decision = explained.decision;
    let class = class(explained);
    if !class.is_empty() {
        table.row(["class", &class]);
    }
    if let Some(class) = &decision.class {
        table.row(["policy", &policy(class)]);
    }
    if let (Some(plan), Some(class)) = (&decision.plan, &decision.class) {
        if plan.strategy == class.strategy {
            table.row(["decided by", &format!("{}: {}", plan.bound, plan.bound.text())]);
        } else {
            let fallback = format!("{} instead of {}, by {}", plan.strategy, class.strategy, plan.bound);
            table.row(["decided by", &format!("{fallback}: {}", plan.bound.text())]);
        }
    }
}

/// The class and who chose it.
fn class(explained: &Explained<'_>) -> String {
    let name = OneLine(&explained.decision.class_name).to_string();
    let Some(pod) = explained.pod.filter(|_| !name.is_empty()) else { return String::new() };
    let namespace = explained.subject.namespace.as_str();
    if explained.decision.is_planned_before() {
        return format!("{name}, by the plan on the pod");
    }
    match named(pod, namespace, explained.state).0 {
        NamedBy::Pod => format!("{name}, named by the pod's label {CLASS_LABEL}"),
        NamedBy::Namespace => {
            format!("{name}, named by the label {CLASS_LABEL} of namespace {}", OneLine(namespace))
        }
        NamedBy::Nobody if explained.state.default_class().is_default => {
            format!("{name}, the default class, as neither pod nor namespace names one")
        }
        NamedBy::Nobody if explained.state.classes().any(|class| class.name == name) => {
            format!("{name}, a SwapClass in place of the built-in one, as nothing names another one")
        }
        NamedBy::Nobody => format!("{name}, the built-in class, as nothing names another one"),
    }
}

fn policy(class: &SwapClass) -> String {
    let SwapClass { enforcement, strategy, qos_class, swap, nodes, .. } = class;
    let nodes = if nodes.only_with_swap { ", only nodes with evidence" } else { "" };
    let limit =
        if *strategy == Strategy::Density { format!(", limit {}", class.limit) } else { String::new() };
    format!("{enforcement} {strategy}{limit}, QoS class {qos_class}, swap via {}{nodes}", swap.via)
}

fn limits_title(explained: &Explained<'_>) -> String {
    format!("LimitRanges of namespace {}, composed", OneLine(&explained.subject.namespace))
}

fn limits(explained: &Explained<'_>) -> String {
    let Some(facts) = explained.state.namespace(&explained.subject.namespace) else { return String::new() };
    if explained.decision.executor.is_none() {
        return String::new();
    }
    let mut table = Table::new(&[Align::Left, Align::Left]);
    for (scope, bounds) in [("Container", &facts.limits.container), ("Pod", &facts.limits.pod)] {
        for (resource, Bounds { min, max, max_ratio }) in [("memory", bounds.memory), ("cpu", bounds.cpu)] {
            let amounts = [("min", min), ("max", max)];
            let amounts = amounts.into_iter().filter_map(|(name, bound)| Some(format!("{name} {}", bound?)));
            let ratio = max_ratio.map(|ratio| ratio_text(ratio.milli_value().unsigned_abs()));
            let ratio = ratio.map(|ratio| format!("limit / request at most {ratio}"));
            let set: Vec<String> = amounts.chain(ratio).collect();
            if !set.is_empty() {
                table.row([scope, resource, &set.join(", ")]);
            }
        }
    }
    if facts.cpu_limit_quota {
        table.row(["ResourceQuota", "cpu", "counts limits.cpu, so no cpu limit is added"]);
    }
    table.render()
}

/// Thousandths as a decimal without zeros at its end.
fn ratio_text(thousandths: u64) -> String {
    ratio(thousandths, 1000).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What the application says about itself, and what it adds up to.
fn conf_labels(explained: &Explained<'_>) -> String {
    let executor = explained.decision.executor.as_ref();
    let labels = explained.pod.and_then(|pod| pod.metadata.as_ref()?.labels.as_ref());
    let Some((executor, labels)) = executor.zip(labels) else { return String::new() };
    let mut table = Table::new(&[]);
    for (key, value) in labels.0.iter().filter(|(key, _)| key.as_str().starts_with("spark.")) {
        table.row([&OneLine(key.as_str()).to_string(), &OneLine(value.as_str()).to_string()]);
    }
    if let Some(Labelled { heap, total }) = executor.labelled {
        table.row(["heap", &both(heap)]);
        table.row(["total", &both(total)]);
    }
    table.render()
}

fn patch(operations: &[Operation]) -> String {
    let mut table = Table::new(&[]);
    for Operation { op, path, value } in operations {
        let value = serde_json::to_string(value).unwrap_or_default();
        let mut shown: String = value.chars().take(LONGEST_VALUE).collect();
        if shown.len() < value.len() {
            shown.push_str("...");
        }
        table.row([*op, path, &OneLine(&shown).to_string()]);
    }
    table.render()
}
