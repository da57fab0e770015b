//! The dry-run executor, against what should become of it.

use serde_json::{Value, json};
use spark_swap::cli::check::checks::{CheckId, Status};
use spark_swap::cli::check::facts::{Answer, Facts, Probe, Seen};
use spark_swap::cli::check::prediction::{Prediction, predict};
use spark_swap::cluster::objects::Kind;
use spark_swap::server::handshake::Outcome;

use crate::installation::{
    add, answer, assert_check, assert_left_out, bare, changed, check, class, created, entry, from_json, node,
    set_classes, unchanged_probe, working,
};

fn probe(facts: &mut Facts) -> &mut Probe {
    facts.probe.as_mut().unwrap()
}

fn refuse(facts: &mut Facts, code: u16, message: &str) {
    probe(facts).plain = Answer::Refused { code, message: message.to_owned() };
}

#[test]
fn the_probe_satisfies_pod_security_level_restricted() {
    let sent = unchanged_probe().sent;
    insta::assert_json_snapshot!(sent);
}

#[test]
fn what_comes_back_as_predicted_passes() {
    assert_check(
        &working(),
        CheckId::Probe,
        Status::Pass,
        "class batch, Density: request 1408Mi -> 1033Mi, limit 1408Mi -> 1054Mi",
    );
}

#[test]
fn an_audit_is_told_as_one() {
    let mut facts = working();
    set_classes(&mut facts, &[class("audited", true, json!({"enforcement": "Audit"}))]);
    answer(&mut facts);
    assert_check(&facts, CheckId::Probe, Status::Pass, "class audited, SafetyNet, recorded only (Audit)");
}

#[test]
fn a_webhook_that_is_silent_fails_with_what_is_known_of_the_way_to_it() {
    let mut facts = working();
    facts.probe = Some(unchanged_probe());
    assert_check(&facts, CheckId::Probe, Status::Fail, "should be: class batch, Density");
    assert!(check(&facts, CheckId::Probe).advice.unwrap().contains("Does the webhook run"));

    facts.endpoints = Seen::Found(Vec::new());
    let advice = check(&facts, CheckId::Probe).advice.unwrap();
    assert_eq!(advice, "First cure what fails above: The Service has ready endpoints.");

    let client = &mut entry(&mut facts).client_config;
    (client.service, client.url) = (None, Some("https://10.0.0.7:8443/mutate".to_owned()));
    for handshake in &mut facts.handshakes {
        handshake.outcome = Outcome::Unreachable("Connection refused".to_owned());
    }
    assert!(check(&facts, CheckId::Probe).advice.unwrap().contains("Nothing answers at the webhook's URL"));
}

#[test]
fn what_is_rightly_left_alone_is_warned_of_with_the_reason() {
    let mut facts = working();
    facts.parts.nodes.clear();
    facts.probe = Some(unchanged_probe());
    assert_check(&facts, CheckId::Probe, Status::Warn, "rightly left alone: NodesUnknown.");

    add(&mut facts, &node("plain", json!({})));
    assert_check(&facts, CheckId::Probe, Status::Warn, "rightly left alone: NoSwapNode.");
    let check = check(&facts, CheckId::Probe);
    assert!(check.message.contains("None of the eligible nodes has the label"), "{check:#?}");
}

#[test]
fn a_webhook_that_knows_another_cluster_fails() {
    let mut facts = working();
    let Prediction::Planned(mut plan) = predict(&facts, facts.probe.as_ref().unwrap()) else { panic!() };
    plan["request"]["to"] = json!(5);
    let probe = probe(&mut facts);
    probe.plain = changed(&probe.sent, &plan);
    assert_check(
        &facts,
        CheckId::Probe,
        Status::Fail,
        "by the cluster's state request.to is 5, expected 1083179008",
    );

    facts.parts.nodes.clear();
    assert_check(&facts, CheckId::Probe, Status::Fail, "it should be left alone: NodesUnknown");
}

#[test]
fn what_informs_only_may_differ() {
    let mut facts = working();
    let Prediction::Planned(mut plan) = predict(&facts, facts.probe.as_ref().unwrap()) else { panic!() };
    plan["node"]["name"] = json!("another");
    let probe = probe(&mut facts);
    probe.plain = changed(&probe.sent, &plan);
    assert_check(&facts, CheckId::Probe, Status::Pass, "class batch");
}

#[test]
fn what_other_parts_of_the_api_server_add_is_part_of_the_prediction() {
    let mut facts = working();
    let mut pod = unchanged_probe().sent;
    pod["metadata"]["labels"]["spark-swap.io/class"] = json!("none");
    pod["spec"]["nodeSelector"] = json!({"pool": "spark"});
    probe(&mut facts).opted_out = created(&pod);
    probe(&mut facts).plain = created(&unchanged_probe().sent);
    assert_check(&facts, CheckId::Probe, Status::Warn, "NoSwapNode");
}

#[test]
fn a_namespace_that_is_not_selected_is_no_failure() {
    let mut facts = working();
    entry(&mut facts).namespace_selector = Some(from_json(json!({"matchLabels": {"team": "x"}})));
    facts.probe = Some(unchanged_probe());
    assert_check(&facts, CheckId::Probe, Status::Warn, "does not select the namespace default");
    let opted_out = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "opted-out", "labels": {"spark-swap.io/class": "none", "team": "x"}},
    });
    add(&mut facts, &opted_out);
    facts.namespace = "opted-out".to_owned();
    assert_check(&facts, CheckId::Probe, Status::Warn, "rightly left alone: OptedOut");
}

#[test]
fn another_configuration_may_send_it() {
    let mut facts = working();
    entry(&mut facts).namespace_selector = Some(from_json(json!({"matchLabels": {"team": "x"}})));
    assert_check(&facts, CheckId::Probe, Status::Warn, "another configuration sends it");
}

#[test]
fn without_a_configuration_nothing_can_be_changed() {
    let mut facts = bare();
    facts.probe = Some(unchanged_probe());
    assert_check(&facts, CheckId::Probe, Status::Fail, "there is no webhook configuration");
}

#[test]
fn what_cannot_be_predicted_is_judged_by_what_came_back() {
    let mut facts = working();
    facts.unread_kinds.push(Kind::Node);
    assert_check(
        &facts,
        CheckId::Probe,
        Status::Pass,
        "not compared, because of what could not be read: nodes",
    );
    facts.probe = Some(unchanged_probe());
    assert_check(&facts, CheckId::Probe, Status::Warn, "cannot be told without: nodes");
}

#[test]
fn a_refusal_is_told_by_whose_it_is() {
    let mut facts = working();
    for (code, message, status) in [
        (403, "pods is forbidden: User \"jane\" cannot create resource \"pods\"", Status::Warn),
        (404, "namespaces \"default\" not found", Status::Warn),
        (403, "exceeded quota: compute", Status::Warn),
        (403, "admission webhook \"validate.kyverno.svc\" denied the request", Status::Warn),
        (500, "failed calling webhook \"sidecar.istio.io\": connection refused", Status::Warn),
        (500, "failed calling webhook \"executors.spark-swap.io\": connection refused", Status::Fail),
        (500, "Internal error occurred: replace operation does not apply", Status::Fail),
    ] {
        refuse(&mut facts, code, message);
        assert_check(&facts, CheckId::Probe, status, message);
    }
    probe(&mut facts).plain = Answer::Failed("no answer in time".to_owned());
    assert_check(&facts, CheckId::Probe, Status::Warn, "could not look: no answer in time");
}

#[test]
fn warnings_of_the_api_server_are_shown() {
    let mut facts = working();
    let Answer::Created { warnings, .. } = &mut probe(&mut facts).plain else { panic!() };
    warnings.push("spark-swap LabelIgnored: odd".to_owned());
    assert_check(
        &facts,
        CheckId::Probe,
        Status::Pass,
        "\nwarning of the API server: spark-swap LabelIgnored: odd",
    );
}

#[test]
fn an_executor_that_opts_out_must_not_be_changed() {
    let mut facts = working();
    assert_check(&facts, CheckId::ProbeOptOut, Status::Pass, "spark-swap.io/class=none");
    probe(&mut facts).opted_out = changed(&unchanged_probe().sent, &Value::Null);
    assert_check(&facts, CheckId::ProbeOptOut, Status::Fail, "came back changed");
    probe(&mut facts).opted_out = Answer::Failed("no answer in time".to_owned());
    assert_left_out(&facts, CheckId::ProbeOptOut);
}

#[test]
fn an_executor_that_another_webhook_changed_after_ours_is_warned_of() {
    let mut facts = working();
    let Answer::Created { pod, .. } = &mut probe(&mut facts).plain else { panic!() };
    pod["spec"]["containers"][0]["resources"]["requests"]["memory"] = json!("1100Mi");
    assert_check(&facts, CheckId::Probe, Status::Warn, "it came back with other sizes than its plan");
}
