//! SwapClasses: are they valid, has the webhook seen them, and do namespaces name ones that exist.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::api::DynamicObject;
use serde_json::Value;

use super::checks::{Check, CheckId};
use super::facts::{Facts, Seen};
use crate::admission::pod::Spec;
use crate::admission::pod_placement::placement;
use crate::cli::sentences::listed;
use crate::cluster::objects::{Kind, Object};
use crate::cluster::snapshot::class_object;
use crate::sizing::class::SwapClass;
use crate::sizing::nodes::{Node, NodeIndex};
use crate::sizing::state::{CLASS_LABEL, OPT_OUT};

/// The checks of the classes; none when they could not be read.
pub fn checks(facts: &Facts) -> Vec<Check> {
    let objects = match &facts.classes {
        Seen::Unread => return Vec::new(),
        Seen::Absent => &[][..],
        Seen::Found(objects) => objects,
    };
    let mut classes = Vec::new();
    let mut problems = Vec::new();
    for object in objects {
        match Object::read(Kind::SwapClass, &class_object(object.clone())) {
            Ok(Object::SwapClass(class)) => classes.push(*class),
            Ok(_) => {}
            Err(found) => problems.extend(found.iter().map(|problem| format!("{}: {problem}", name(object)))),
        }
    }
    let mut checks = vec![validity(&problems, &classes)];
    if facts.has_read(Kind::Node) {
        checks.push(evidence(&classes, facts));
    }
    checks.push(default_class(&classes));
    if !objects.is_empty() {
        checks.push(status(objects));
    }
    if facts.has_read(Kind::Namespace) {
        checks.push(namespaces(&classes, facts));
    }
    checks
}

fn validity(problems: &[String], classes: &[SwapClass]) -> Check {
    let id = CheckId::Classes;
    if !problems.is_empty() {
        let advice = "Correct them: executors that name such a class stay as they are.";
        return Check::fail(id, problems.join("\n"), advice);
    }
    let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
    if names.is_empty() {
        return Check::pass(id, format!("none; the built-in class {} counts", SwapClass::BUILT_IN));
    }
    Check::pass(id, listed(&names))
}

fn evidence(classes: &[SwapClass], facts: &Facts) -> Check {
    let needing: Vec<&SwapClass> = classes.iter().filter(|class| class.needs_evidence()).collect();
    let nodes = NodeIndex::new(facts.parts.nodes.clone(), &facts.settings.transient_taints);
    let findings: Vec<String> =
        needing.iter().filter_map(|class| missing_evidence(class, nodes.nodes())).collect();
    let advice = "Without it executors stay as they are. Label nodes whose kubelet hands out swap (spark-swap nodes --label), \
                  lower nodes.minimumSwapPercent, or keep executors off the nodes that have none with \
                  nodes.onlyWithSwap: true.";
    let names: Vec<&str> = needing.iter().map(|class| class.name.as_str()).collect();
    let otherwise = if names.is_empty() { "no class needs it".to_owned() } else { listed(&names) };
    Check::warn_of(CheckId::ClassEvidence, &findings, advice, otherwise)
}

/// What keeps an executor that asks for no nodes of its own from being planned under the class.
fn missing_evidence(class: &SwapClass, nodes: &[Arc<Node>]) -> Option<String> {
    let SwapClass { name, nodes: of_class, swap, .. } = class;
    let least = class.least_swap_percent().saturating_mul(10).max(1);
    let is_selected =
        |node: &&Arc<Node>| of_class.selector.iter().all(|(key, value)| node.labels.get(key) == Some(value));
    let has_evidence = |node: &Arc<Node>| node.promised_permille(swap.via) >= least;
    let label = swap.via.evidence_label();
    if !nodes.iter().filter(is_selected).any(has_evidence) {
        return Some(format!("{name}: no node that it selects has {label} of {least} or more"));
    }
    let spec = Spec::default();
    let placement = placement(&spec, of_class).ok().filter(|_| !of_class.only_with_swap)?;
    let allowed = nodes.iter().filter(|node| placement.allows(&node.name, &node.labels, &node.taints));
    let without: Vec<&str> =
        allowed.filter(|node| !has_evidence(node)).map(|node| node.name.as_str()).collect();
    (!without.is_empty())
        .then(|| format!("{name}: nodes without {label} of {least} or more: {}", listed(&without)))
}

fn default_class(classes: &[SwapClass]) -> Check {
    let id = CheckId::DefaultClass;
    let mut names: Vec<&str> =
        classes.iter().filter(|class| class.is_default).map(|class| class.name.as_str()).collect();
    names.sort_unstable();
    match names.as_slice() {
        [] => Check::pass(id, format!("{}, as none is marked", SwapClass::BUILT_IN)),
        [one] => Check::pass(id, *one),
        [first, ..] => Check::warn(
            id,
            format!("{} are marked, and {first} counts", names.join(", ")),
            "Take the annotation spark-swap.io/is-default-class from all but one.",
        ),
    }
}

fn status(objects: &[DynamicObject]) -> Check {
    let mut findings = Vec::new();
    for object in objects {
        let name = name(object);
        let observed = object.data.pointer("/status/observedGeneration").and_then(Value::as_i64);
        let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
        let ready = conditions.into_iter().flatten().find(|condition| text(condition, "type") == "Ready");
        match ready {
            None => findings.push(format!("{name}: no condition Ready")),
            Some(_) if observed != object.metadata.generation => {
                findings.push(format!("{name}: the condition Ready is about an older generation"));
            }
            Some(ready) if text(ready, "status") != "True" => {
                findings.push(format!("{name}: not ready: {}", text(ready, "message")));
            }
            Some(_) => {}
        }
    }
    let advice = "Does the webhook run, with the cluster as its state and the right to patch swapclasses/status \
                  (spark-swap manifests --only rbac)? What is not ready says why.";
    Check::warn_of(CheckId::ClassStatus, &findings, advice, "")
}

fn namespaces(classes: &[SwapClass], facts: &Facts) -> Check {
    let is_known = |name: &str| {
        name == OPT_OUT || name == SwapClass::BUILT_IN || classes.iter().any(|class| class.name == name)
    };
    let mut unknown: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for namespace in &facts.parts.namespaces {
        if let Some(class) = namespace.labels.get(CLASS_LABEL).filter(|class| !is_known(class)) {
            unknown.entry(class).or_default().push(&namespace.name);
        }
    }
    let findings: Vec<String> =
        unknown.iter().map(|(class, namespaces)| format!("{class:?}: {}", listed(namespaces))).collect();
    let advice =
        "Executors there stay as they are. Create the SwapClass, or correct the label spark-swap.io/class.";
    Check::warn_of(CheckId::NamespaceClasses, &findings, advice, "")
}

fn name(object: &DynamicObject) -> &str {
    object.metadata.name.as_deref().unwrap_or_default()
}

fn text<'v>(object: &'v Value, member: &str) -> &'v str {
    object.get(member).and_then(Value::as_str).unwrap_or_default()
}
