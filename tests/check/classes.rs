//! SwapClasses and the namespaces that name them.

use serde_json::json;
use spark_swap::cli::check::checks::{CheckId, Status};
use spark_swap::cli::check::facts::Seen;
use spark_swap::cluster::objects::Kind;

use crate::installation::{add, assert_check, assert_left_out, bare, class, node, set_classes, working};

#[test]
fn without_classes_the_built_in_one_counts() {
    let mut facts = bare();
    assert_check(&facts, CheckId::Classes, Status::Pass, "the built-in class safety-net counts");
    assert_check(&facts, CheckId::DefaultClass, Status::Pass, "safety-net");
    assert_left_out(&facts, CheckId::ClassStatus);
    facts.classes = Seen::Absent;
    assert_check(&facts, CheckId::Classes, Status::Pass, "none");
    facts.classes = Seen::Unread;
    assert_left_out(&facts, CheckId::Classes);
}

#[test]
fn every_problem_of_a_class_is_listed() {
    let mut facts = working();
    let spec = json!({"workingSetPercent": 0, "qosClass": "Guaranteed"});
    set_classes(&mut facts, &[class("bad", false, spec), class("good", false, json!({}))]);
    assert_check(&facts, CheckId::Classes, Status::Fail, "bad: spec.workingSetPercent");
    assert_check(&facts, CheckId::Classes, Status::Fail, "\nbad: spec.");
}

#[test]
fn a_class_that_needs_evidence_needs_a_node_that_it_selects() {
    let mut facts = working();
    set_classes(
        &mut facts,
        &[
            class("anywhere", false, density(json!({}))),
            class("elsewhere", false, density(json!({"selector": {"pool": "spark"}}))),
            class("greedy", false, density(json!({"minimumSwapPercent": 60}))),
            class("net", false, json!({"nodes": {"selector": {"pool": "spark"}}})),
            class("crio", false, json!({"swap": {"via": "CrioAnnotation"}})),
        ],
    );
    assert_check(
        &facts,
        CheckId::ClassEvidence,
        Status::Warn,
        "elsewhere: no node that it selects has spark-swap.io/limited-swap-permille of 100 or more\n\
         greedy: no node that it selects has spark-swap.io/limited-swap-permille of 600 or more\n\
         crio: no node that it selects has spark-swap.io/crio-swap-permille of 100 or more",
    );
    facts.unread_kinds.push(Kind::Node);
    assert_left_out(&facts, CheckId::ClassEvidence);
}

#[test]
fn a_node_without_evidence_rules_out_classes_that_do_not_avoid_it() {
    let mut facts = working();
    set_classes(
        &mut facts,
        &[
            class("anywhere", false, density(json!({}))),
            class("careful", false, density(json!({"onlyWithSwap": true}))),
            class("elsewhere", false, density(json!({"selector": {"pool": "spark"}}))),
        ],
    );
    let mut tainted = node("tainted", json!({}));
    tainted["spec"]["taints"] = json!([{"key": "dedicated", "effect": "NoSchedule"}]);
    add(&mut facts, &tainted);
    let in_pool = json!({"pool": "spark", "spark-swap.io/limited-swap-permille": "500"});
    add(&mut facts, &node("in-pool", in_pool));
    assert_check(&facts, CheckId::ClassEvidence, Status::Pass, "anywhere, careful, elsewhere");
    let mut bare = node("bare", json!({}));
    // A cordon passes, so that it never rules out a node.
    bare["spec"]["taints"] = json!([{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]);
    add(&mut facts, &bare);
    let finding = "anywhere: nodes without spark-swap.io/limited-swap-permille of 100 or more: bare";
    assert_check(&facts, CheckId::ClassEvidence, Status::Warn, finding);
}

#[test]
fn of_several_defaults_the_first_counts() {
    let mut facts = working();
    set_classes(&mut facts, &[class("b", true, json!({})), class("a", true, json!({}))]);
    assert_check(&facts, CheckId::DefaultClass, Status::Warn, "a, b are marked, and a counts");
}

#[test]
fn a_status_that_is_not_current_tells_of_a_webhook_that_does_not_see_the_classes() {
    let mut unseen = class("unseen", false, json!({}));
    unseen.as_object_mut().unwrap().remove("status");
    let mut old = class("old", false, json!({}));
    old["metadata"]["generation"] = json!(4);
    let mut refused = class("refused", false, json!({}));
    refused["status"]["conditions"][0]["status"] = json!("False");
    refused["status"]["conditions"][0]["message"] = json!("spec.limit: is not known");
    let mut facts = working();
    set_classes(&mut facts, &[unseen, old, refused, class("fine", false, json!({}))]);
    assert_check(
        &facts,
        CheckId::ClassStatus,
        Status::Warn,
        "unseen: no condition Ready\nold: the condition Ready is about an older generation\n\
         refused: not ready: spec.limit: is not known",
    );
}

#[test]
fn a_namespace_that_names_an_unknown_class_is_warned_of() {
    let mut facts = working();
    for (name, class) in [
        ("etl", "nightly"),
        ("etl-2", "nightly"),
        ("out", "none"),
        ("in", "batch"),
        ("net", "safety-net"),
        ("odd", ""),
    ] {
        let labels = json!({"spark-swap.io/class": class});
        add(
            &mut facts,
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}),
        );
    }
    assert_check(&facts, CheckId::NamespaceClasses, Status::Warn, "\"\": odd\n\"nightly\": etl, etl-2");
    facts.unread_kinds.push(Kind::Namespace);
    assert_left_out(&facts, CheckId::NamespaceClasses);
}

fn density(nodes: serde_json::Value) -> serde_json::Value {
    json!({"strategy": "Density", "nodes": nodes})
}
