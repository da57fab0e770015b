//! The API server: does it answer, is it recent enough, and does it know SwapClass as this binary does.

use k8s_openapi::apimachinery::pkg::version::Info;
use serde_json::Value;

use super::checks::{Check, CheckId};
use super::difference::difference;
use super::facts::{Facts, Seen};
use crate::cluster::api::definition::definition;
use crate::cluster::snapshot::INSTALL_CRD;

/// The first minor version in which node swap is GA.
const GA: u64 = 34;
/// In these it is beta and on; a container can be given swap.
const BETA_ON: u64 = 30;
/// In these it is beta and off, unless the kubelet's feature gate says otherwise.
const BETA: u64 = 28;
/// From this one on nodes report their swap.
const REPORTED: u64 = 33;

/// The checks of the cluster itself.
pub fn checks(facts: &Facts) -> Vec<Check> {
    match &facts.server {
        Ok(server) => {
            let mut checks = vec![
                Check::pass(CheckId::ApiServer, server.url.clone()),
                access(facts),
                version(&server.version),
            ];
            checks.extend(custom_resource(&facts.definition));
            checks
        }
        Err(problem) => vec![Check::fail(
            CheckId::ApiServer,
            problem,
            "Look at the kubeconfig, its context and its credentials; --kubeconfig and --context choose others.",
        )],
    }
}

fn access(facts: &Facts) -> Check {
    let findings: Vec<String> =
        facts.unread.iter().map(|unread| format!("{}: {}", unread.what, unread.why)).collect();
    Check::warn_of(
        CheckId::Access,
        &findings,
        "What depends on it is left out below. Run check with the rights to read it.",
        "",
    )
}

fn version(info: &Info) -> Check {
    let id = CheckId::Version;
    let number = |text: &str| {
        let digits = text.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
        digits.parse::<u64>().unwrap_or(0)
    };
    // Some providers write the minor version as 34+.
    let minor = if number(&info.major) > 1 { u64::MAX } else { number(&info.minor) };
    let found = &info.git_version;
    let unreported = if minor < REPORTED {
        ", and nodes do not report their swap, so no plan but a safety net can be made"
    } else {
        ""
    };
    match minor {
        GA.. => Check::pass(id, found),
        BETA_ON..GA => Check::warn(
            id,
            format!("{found}: node swap is beta{unreported}"),
            "Plan for 1.34, where it is GA.",
        ),
        BETA..BETA_ON => Check::warn(
            id,
            format!("{found}: node swap is beta and off{unreported}"),
            "Set the kubelets' feature gate NodeSwap, or upgrade to 1.34, where swap is GA.",
        ),
        _ => Check::fail(
            id,
            format!("{found}: kubelets before 1.28 do not size swap by the memory request"),
            "Upgrade to 1.34 or later.",
        ),
    }
}

fn custom_resource(definition: &Seen<Value>) -> Vec<Check> {
    let id = CheckId::SwapClassCrd;
    let install = || format!("Install it: {INSTALL_CRD}");
    let installed = match definition {
        Seen::Unread => return Vec::new(),
        Seen::Absent => return vec![Check::fail(id, "the cluster does not know this kind", install())],
        Seen::Found(installed) => installed,
    };
    let conditions = installed.pointer("/status/conditions").and_then(Value::as_array);
    let unmet = conditions.into_iter().flatten().find(|condition| {
        matches!(text(condition, "type"), "Established" | "NamesAccepted")
            && text(condition, "status") != "True"
    });
    if let Some(condition) = unmet {
        let kind = text(condition, "type");
        let message = format!("the condition {kind} is not met: {}", text(condition, "message"));
        return vec![Check::fail(id, message, "Remove what has the same names, or wait a moment.")];
    }
    let Some(version) = served_version(installed) else {
        let message = "it does not serve v1alpha1, which this spark-swap reads";
        return vec![Check::fail(id, message, install())];
    };
    vec![Check::pass(id, "v1alpha1"), schema(version)]
}

fn schema(version: &Value) -> Check {
    let id = CheckId::SwapClassSchema;
    let schema_of = |version: &Value| version.get("schema").cloned().unwrap_or_default();
    let ours = definition().ok();
    let ours = ours.as_ref().and_then(served_version).map(schema_of).unwrap_or_default();
    match difference(&schema_of(version), &ours) {
        None => Check::pass(id, ""),
        Some(difference) => Check::warn(
            id,
            format!("it is not that of version {}: {difference}", env!("CARGO_PKG_VERSION")),
            format!("Use the spark-swap that is installed, or upgrade the definition: {INSTALL_CRD}"),
        ),
    }
}

fn served_version(definition: &Value) -> Option<&Value> {
    let versions = definition.pointer("/spec/versions")?.as_array()?;
    versions.iter().find(|version| {
        text(version, "name") == "v1alpha1" && version.get("served") == Some(&Value::Bool(true))
    })
}

fn text<'v>(object: &'v Value, member: &str) -> &'v str {
    object.get(member).and_then(Value::as_str).unwrap_or_default()
}
