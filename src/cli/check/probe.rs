//! The dry-run executor: does the whole way from the API server to the webhook and back work, and to the right end.

use serde_json::{Value, json};

use super::certificate;
use super::checks::{Check, CheckId, Status};
use super::difference::difference;
use super::facts::{Answer, Facts, Probe};
use super::prediction::{Prediction, is_changed_since, predict};
use super::service;
use crate::cli::executor_pod::executor_pod;
use crate::cli::spark_conf::SparkConf;
use crate::cluster::webhook_entry::ENTRY;
use crate::server::handshake::{Handshake, Outcome};
use crate::sizing::sizes::mi;
use crate::sizing::state::{CLASS_LABEL, OPT_OUT};

/// What of a plan must be as predicted. The rest of it informs, and may differ when a node joins in between.
const DECIDED: [&str; 7] = ["class", "strategy", "enforcement", "heap", "request", "limit", "neededPermille"];

/// An executor as Spark makes it without any conf, harmless under Pod Security level restricted.
pub fn executor() -> Value {
    let mut conf = SparkConf::default();
    conf.set_flag("check", "spark.app.id", "spark-swap-check");
    conf.set_flag("check", "spark.app.name", "spark-swap-check");
    // Nothing in this conf is refused.
    let mut pod = executor_pod(&conf).map(|executor| executor.pod).unwrap_or_default();
    set(&mut pod, "/metadata", "name", Value::Null);
    set(&mut pod, "/metadata", "generateName", json!("spark-swap-check-"));
    set(&mut pod, "/spec", "automountServiceAccountToken", json!(false));
    set(&mut pod, "/spec/containers/0", "image", json!("apache/spark"));
    let security = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": true,
        "runAsUser": 185,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    set(&mut pod, "/spec/containers/0", "securityContext", security);
    pod
}

/// The same executor with the label that opts out.
pub fn opted_out(executor: &Value) -> Value {
    let mut pod = executor.clone();
    set(&mut pod, "/metadata/labels", CLASS_LABEL, json!(OPT_OUT));
    pod
}

fn set(object: &mut Value, path: &str, name: &str, value: Value) {
    if let Some(object) = object.pointer_mut(path).and_then(Value::as_object_mut) {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.to_owned(), value);
        }
    }
}

/// The checks of the dry runs.
pub fn checks(facts: &Facts) -> Vec<Check> {
    let Some(probe) = &facts.probe else { return Vec::new() };
    let mut checks = vec![judged(facts, probe)];
    if let Answer::Created { .. } = &probe.opted_out {
        let id = CheckId::ProbeOptOut;
        checks.push(match probe.opted_out.plan() {
            None => Check::pass(id, format!("{CLASS_LABEL}={OPT_OUT}")),
            Some(_) => Check::fail(
                id,
                format!("an executor with {CLASS_LABEL}={OPT_OUT} came back changed"),
                "Look for what removes the label before spark-swap sees it, and report it otherwise.",
            ),
        });
    }
    checks
}

fn judged(facts: &Facts, probe: &Probe) -> Check {
    let mut check = match &probe.plain {
        Answer::Created { .. } => created(facts, probe),
        Answer::Refused { code, message } => refused(facts, *code, message),
        Answer::Failed(problem) => could_not_look(problem),
    };
    if let Answer::Created { warnings, .. } = &probe.plain {
        for warning in warnings {
            check.message.push_str("\nwarning of the API server: ");
            check.message.push_str(warning);
        }
    }
    check
}

/// An error of our webhook, or of the patch that it sent, or somebody else's.
fn refused(facts: &Facts, code: u16, message: &str) -> Check {
    let ours = facts.entry().map_or(ENTRY, |entry| entry.name.as_str());
    let is_call = message.contains("failed calling webhook");
    let is_ours = message.contains(&format!("\"{ours}\"")) || (code >= 500 && !is_call);
    if !is_ours {
        return could_not_look(message);
    }
    let advice = if is_call {
        "The API server does not get through to the webhook, and failurePolicy Fail keeps every executor out. Look at the \
         checks of the server above, and at network policies and firewalls between them."
    } else {
        "Report it, with the output of -o json."
    };
    Check::fail(CheckId::Probe, format!("the API server refuses executors: {message}"), advice)
}

fn could_not_look(problem: &str) -> Check {
    Check::warn(
        CheckId::Probe,
        format!("could not look: {problem}"),
        "It takes the right to create pods, in a namespace whose quotas, LimitRanges and policies admit an executor of \
         1408Mi; --namespace names another one.",
    )
}

fn created(facts: &Facts, probe: &Probe) -> Check {
    let id = CheckId::Probe;
    let predicted = predict(facts, probe);
    let Some(plan) = probe.plan() else { return unchanged(facts, predicted) };
    let plan: Value = serde_json::from_str(plan).unwrap_or_default();
    if let Answer::Created { pod, .. } = &probe.plain
        && is_changed_since(pod)
    {
        return Check::warn(
            id,
            format!("it came back with other sizes than its plan: {}", summary(&plan)),
            "A webhook that is called after spark-swap changed them, so nothing is proven of them. The check of the order \
             above names those that may be.",
        );
    }
    match predicted {
        Prediction::Planned(expected) => match difference(&decided(&plan), &decided(&expected)) {
            None => Check::pass(id, summary(&plan)),
            Some(difference) => Check::fail(
                id,
                format!("{}, but by the cluster's state {difference}", summary(&plan)),
                OTHER_STATE,
            ),
        },
        Prediction::LeftAlone { reason, why, .. } => Check::fail(
            id,
            format!(
                "{}, but by the cluster's state it should be left alone: {reason}. {why}",
                summary(&plan)
            ),
            OTHER_STATE,
        ),
        Prediction::NotSent(why) => Check::warn(
            id,
            format!("{}, although {why}: another configuration sends it", summary(&plan)),
            "Name the configuration that matters with --name.",
        ),
        Prediction::Unknown(unread) => Check::pass(
            id,
            format!("{}; not compared, because of what could not be read: {unread}", summary(&plan)),
        ),
    }
}

const OTHER_STATE: &str = "The webhook decides from something else than the cluster as it is: does serve run with --state, \
    --transient-taint (give it to check, too) or another version, or do its watches lag? Then run check again.";

fn unchanged(facts: &Facts, predicted: Prediction) -> Check {
    let id = CheckId::Probe;
    match predicted {
        Prediction::Planned(plan) => Check::fail(
            id,
            format!("it came back unchanged; by the cluster's state it should be: {}", summary(&plan)),
            cause_of_silence(facts),
        ),
        Prediction::LeftAlone { reason, why, advice } => {
            Check::warn(id, format!("rightly left alone: {reason}. {why}"), advice)
        }
        Prediction::NotSent(why) if facts.entry().is_some() => Check::warn(
            id,
            format!("it came back unchanged, because {why}"),
            format!(
                "Name a namespace of Spark's with --namespace; in {} executors stay as they are.",
                facts.namespace
            ),
        ),
        Prediction::NotSent(why) => Check::fail(
            id,
            format!("it came back unchanged: {why}"),
            "Install it: spark-swap manifests | kubectl apply -f -",
        ),
        Prediction::Unknown(unread) => Check::warn(
            id,
            format!("it came back unchanged; whether rightly, cannot be told without: {unread}"),
            "Run check with the rights to read that.",
        ),
    }
}

/// Why a webhook that should answer does not: what fails on the way to it, else what cannot be seen from here.
fn cause_of_silence(facts: &Facts) -> String {
    let on_the_way = service::checks(facts).into_iter().chain(certificate::checks(facts));
    if let Some(broken) = on_the_way.into_iter().find(|check| check.status == Status::Fail) {
        return format!("First cure what fails above: {}.", broken.id.text());
    }
    let is_by_url = facts.entry().is_some_and(|entry| entry.client_config.service.is_none());
    let is_unreachable = |handshake: &Handshake| matches!(handshake.outcome, Outcome::Unreachable(_));
    let likely = if is_by_url && facts.handshakes.iter().any(is_unreachable) {
        "Nothing answers at the webhook's URL. "
    } else {
        ""
    };
    format!(
        "{likely}Does the webhook run, may the API server reach it (network policies, firewalls), do its matchConditions \
         let the executor through, has something just changed? failurePolicy Ignore hides what is wrong; the API server's log and its metric \
         apiserver_admission_webhook_fail_open_count tell."
    )
}

fn decided(plan: &Value) -> Value {
    let member = |name: &&str| ((*name).to_owned(), plan.get(*name).cloned().unwrap_or_default());
    Value::Object(DECIDED.iter().map(member).collect())
}

/// `class batch, Density: request 1408Mi -> 1007Mi, limit 1408Mi -> 1028Mi`.
fn summary(plan: &Value) -> String {
    let text = |name: &str| plan.get(name).and_then(Value::as_str).unwrap_or("unknown");
    let size =
        |path: &str| plan.pointer(path).and_then(Value::as_u64).map_or_else(|| "unknown".to_owned(), mi);
    let change =
        |name: &str| format!("{name} {} -> {}", size(&format!("/{name}/from")), size(&format!("/{name}/to")));
    let audit = if text("enforcement") == "Audit" { ", recorded only (Audit)" } else { "" };
    format!(
        "class {}, {}{audit}: {}, {}",
        text("class"),
        text("strategy"),
        change("request"),
        change("limit")
    )
}
