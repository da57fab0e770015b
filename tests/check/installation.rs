//! The facts of an installation in which everything works, to be broken by the tests.

use std::process::Command;

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use spark_swap::cli::check::checks::{self, Check, CheckId, Status};
use spark_swap::cli::check::facts::{Answer, Facts, Probe, Seen, Server};
use spark_swap::cli::check::prediction::{Prediction, predict};
use spark_swap::cli::check::probe;
use spark_swap::cluster::api::definition::definition;
use spark_swap::cluster::certificates::authority::{Authority, Validity};
use spark_swap::cluster::objects::read_document;
use spark_swap::server::handshake::{Handshake, Outcome};
use time::{Duration, OffsetDateTime};

/// When the facts are gathered: 2027-01-15T12:00:00Z.
pub(crate) const NOW: i64 = 1_800_014_400;
/// The name by which the API server calls the webhook.
pub(crate) const SERVICE_NAME: &str = "spark-swap.spark-swap.svc";

/// Some days after (or, negative, before) [`NOW`].
pub(crate) fn day(days: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(NOW).unwrap() + Duration::days(days)
}

/// An authority that is valid from a day on for some days.
pub(crate) fn authority(from: i64, days: u32) -> Authority {
    Authority::new(Validity::days_from(day(from), days)).unwrap()
}

/// The chain of a certificate of this authority.
pub(crate) fn chain(authority: &Authority, name: &str, from: i64, days: u32) -> Vec<CertificateDer<'static>> {
    let issued = authority.issue(&[name.to_owned()], Validity::days_from(day(from), days)).unwrap();
    CertificateDer::pem_slice_iter(issued.certificate_pem.as_bytes()).map(Result::unwrap).collect()
}

/// Everything works: a Service with two endpoints, nodes with evidence, a default class.
pub(crate) fn working() -> Facts {
    let ca = authority(-10, 365);
    let mut facts = bare();
    facts.configurations = Seen::Found(vec![configuration(&ca)]);
    facts.service = Seen::Found(from_json(json!({
        "metadata": {"name": "spark-swap", "namespace": "spark-swap"},
        "spec": {"ports": [{"name": "metrics", "port": 8080}, {"name": "https", "port": 443, "targetPort": 8443}]},
    })));
    facts.endpoints = Seen::Found(vec![from_json(json!({
        "metadata": {"name": "spark-swap-x"},
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": 8443}, {"name": "metrics", "port": 8080}],
        "endpoints": [
            {"addresses": ["10.0.0.7"], "conditions": {"ready": true}},
            {"addresses": ["10.0.0.8"], "conditions": {"ready": true}},
            {"addresses": ["10.0.0.9"], "conditions": {"ready": false}},
        ],
    }))]);
    let served = chain(&ca, SERVICE_NAME, -10, 90);
    facts.handshakes = ["10.0.0.7:8443", "10.0.0.8:8443"]
        .map(|address| Handshake {
            address: address.to_owned(),
            name: SERVICE_NAME.to_owned(),
            outcome: Outcome::Served(served.clone()),
        })
        .into();
    set_classes(&mut facts, &[class("batch", true, json!({"strategy": "Density", "workingSetPercent": 50}))]);
    for name in ["a", "b"] {
        add(&mut facts, &node(name, json!({"spark-swap.io/limited-swap-permille": "500"})));
    }
    for (name, labels) in [("default", json!({})), ("kube-system", json!({}))] {
        add(
            &mut facts,
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}),
        );
    }
    answer(&mut facts);
    facts
}

/// A cluster that knows SwapClass, and nothing else.
pub(crate) fn bare() -> Facts {
    let mut facts = Facts::new(Timestamp::from_second(NOW).unwrap(), Ok(server("1", "36", "v1.36.3")));
    facts.definition = Seen::Found(installed_definition());
    facts.configurations = Seen::Found(Vec::new());
    facts.classes = Seen::Found(Vec::new());
    facts
}

/// An API server of this version.
pub(crate) fn server(major: &str, minor: &str, git_version: &str) -> Server {
    let version = json!({
        "major": major, "minor": minor, "gitVersion": git_version, "gitCommit": "", "gitTreeState": "",
        "buildDate": "", "goVersion": "", "compiler": "", "platform": "",
    });
    Server { url: "https://10.0.0.1:6443".to_owned(), version: from_json(version) }
}

pub(crate) fn installed_definition() -> Value {
    let mut installed = definition().unwrap();
    installed["status"] = json!({"conditions": [
        {"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"},
    ]});
    installed
}

/// What `spark-swap manifests` prints for a Service.
pub(crate) fn configuration(ca: &Authority) -> MutatingWebhookConfiguration {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.crt");
    std::fs::write(&path, ca.certificate_pem()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_spark-swap"));
    command.args([
        "manifests",
        "--only",
        "webhook",
        "-o",
        "json",
        "--service",
        "spark-swap/spark-swap",
        "--ca",
    ]);
    let output = command.arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The entry of the first configuration.
pub(crate) fn entry(facts: &mut Facts) -> &mut MutatingWebhook {
    let Seen::Found(configurations) = &mut facts.configurations else { panic!("no configurations") };
    &mut configurations[0].webhooks.as_mut().unwrap()[0]
}

/// A SwapClass as the API server has it, with the status that the webhook writes.
pub(crate) fn class(name: &str, is_default: bool, spec: Value) -> Value {
    let annotations = if is_default { json!({"spark-swap.io/is-default-class": "true"}) } else { json!({}) };
    json!({
        "apiVersion": "spark-swap.io/v1alpha1", "kind": "SwapClass",
        "metadata": {"name": name, "generation": 3, "uid": "u", "annotations": annotations},
        "spec": spec,
        "status": {"observedGeneration": 3, "conditions": [
            {"type": "Ready", "status": "True", "reason": "Valid", "message": "", "observedGeneration": 3},
        ]},
    })
}

/// Sets the classes, and those of them that decisions are made from.
pub(crate) fn set_classes(facts: &mut Facts, classes: &[Value]) {
    facts.classes = Seen::Found(classes.iter().map(|class| from_json(class.clone())).collect());
    facts.parts.classes.clear();
    for class in classes {
        let mut stored = class.clone();
        stored.as_object_mut().unwrap().remove("status");
        let metadata = stored["metadata"].as_object_mut().unwrap();
        metadata.retain(|member, _| member == "name" || member == "annotations");
        for found in read_document(&stored, "test") {
            if let Ok(object) = found.object {
                object.add_to(&mut facts.parts);
            }
        }
    }
}

/// A node of 64Gi with 32Gi of swap.
pub(crate) fn node(name: &str, labels: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
        "status": {"capacity": {"memory": "64Gi"}, "nodeInfo": {"swap": {"capacity": 32_u64 << 30}}},
    })
}

/// Adds an object to the state.
pub(crate) fn add(facts: &mut Facts, object: &Value) {
    for found in read_document(object, "test") {
        found.object.unwrap().add_to(&mut facts.parts);
    }
}

/// Lets the dry runs come back as they should.
pub(crate) fn answer(facts: &mut Facts) {
    let mut probe = unchanged_probe();
    if let Prediction::Planned(plan) = predict(facts, &probe) {
        probe.plain = changed(&probe.sent, &plan);
    }
    facts.probe = Some(probe);
}

/// Dry runs that come back unchanged.
pub(crate) fn unchanged_probe() -> Probe {
    let sent = probe::executor();
    Probe { plain: created(&sent), opted_out: created(&probe::opted_out(&sent)), sent }
}

pub(crate) fn created(pod: &Value) -> Answer {
    Answer::Created { pod: pod.clone(), warnings: Vec::new() }
}

pub(crate) fn changed(sent: &Value, plan: &Value) -> Answer {
    let mut pod = sent.clone();
    pod["metadata"]["annotations"] = json!({"spark-swap.io/plan": plan.to_string()});
    created(&pod)
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// The check of this id.
#[track_caller]
pub(crate) fn check(facts: &Facts, id: CheckId) -> Check {
    let checks = checks::all(facts);
    checks.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("no {id:?} in {checks:#?}")).clone()
}

/// The check of this id comes out like this, and its message holds the text.
#[track_caller]
pub(crate) fn assert_check(facts: &Facts, id: CheckId, status: Status, message: &str) {
    let check = check(facts, id);
    assert_eq!(check.status, status, "{check:#?}");
    assert!(check.message.contains(message), "{check:#?}");
    assert_eq!(check.advice.is_some(), status != Status::Pass, "{check:#?}");
}

/// The check of this id is not made.
#[track_caller]
pub(crate) fn assert_left_out(facts: &Facts, id: CheckId) {
    let checks = checks::all(facts);
    assert!(checks.iter().all(|check| check.id != id), "{checks:#?}");
}
