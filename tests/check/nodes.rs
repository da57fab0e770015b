//! Swap and evidence of the nodes.

use serde_json::json;
use spark_swap::cli::check::checks::{CheckId, Status};
use spark_swap::cluster::objects::Kind;

use crate::installation::{add, assert_check, assert_left_out, bare, node, working};

const LABEL: &str = "spark-swap.io/limited-swap-permille";

#[test]
fn without_swap_there_is_nothing_to_gain() {
    let mut facts = bare();
    assert_check(&facts, CheckId::NodeSwap, Status::Warn, "none of 0 nodes");
    let mut plain = node("plain", json!({}));
    plain["status"]["nodeInfo"] = json!({});
    add(&mut facts, &plain);
    assert_check(&facts, CheckId::NodeSwap, Status::Warn, "none of 1 node reports swap");
    assert_left_out(&facts, CheckId::Evidence);
    facts.unread_kinds.push(Kind::Node);
    assert_left_out(&facts, CheckId::NodeSwap);
}

#[test]
fn swap_without_evidence_is_warned_of() {
    let mut facts = working();
    for number in 1..=7 {
        add(&mut facts, &node(&format!("new-{number}"), json!({})));
    }
    assert_check(
        &facts,
        CheckId::Evidence,
        Status::Warn,
        "7 of 9 with swap have none: new-1, new-2, new-3, new-4, new-5 and 2 more",
    );
    let mut explicit = bare();
    add(&mut explicit, &node("crio", json!({"spark-swap.io/crio-swap-permille": "500"})));
    assert_check(&explicit, CheckId::Evidence, Status::Pass, "all 1");
}

#[test]
fn evidence_that_promises_too_much_or_nothing_readable_is_warned_of() {
    let mut facts = working();
    add(&mut facts, &node("greedy", json!({LABEL: "501"})));
    add(&mut facts, &node("odd", json!({LABEL: "half"})));
    add(&mut facts, &node("none", json!({LABEL: "0"})));
    assert_check(
        &facts,
        CheckId::EvidenceValue,
        Status::Warn,
        &format!("node greedy: {LABEL}=501, and 500 is there\nnode odd: {LABEL}=half is no whole number"),
    );
}

#[test]
fn a_node_group_has_evidence_on_all_of_its_nodes_or_its_template_lacks_it() {
    let group = "karpenter.sh/nodepool";
    let mut facts = working();
    add(&mut facts, &node("joined-1", json!({group: "spark", LABEL: "500"})));
    assert_check(
        &facts,
        CheckId::NodeGroups,
        Status::Pass,
        "karpenter.sh/nodepool=spark; see that their templates",
    );
    add(&mut facts, &node("joined-2", json!({group: "spark"})));
    assert_check(
        &facts,
        CheckId::NodeGroups,
        Status::Warn,
        "1 without: joined-2. Its template: spec.template",
    );
    add(&mut facts, &node("joined-3", json!({group: "other"})));
    assert_check(&facts, CheckId::NodeGroups, Status::Warn, "joined-2");
}
