//! Which webhooks see executors after ours: what they change is not proven.

use std::collections::BTreeMap;

use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::checks::{Check, CheckId};
use super::facts::{Facts, Seen};
use super::webhook::{covers, find, selects};

/// The API server calls configurations in the order of their names.
pub fn check(facts: &Facts) -> Option<Check> {
    let Seen::Found(configurations) = &facts.configurations else { return None };
    let ours = find(configurations, facts.name.as_deref());
    let own_name = ours.first()?.metadata.name.as_ref()?;
    let is_later = |other: &&MutatingWebhookConfiguration| {
        other.metadata.name.as_ref().is_some_and(|name| name > own_name)
            && !ours.iter().any(|own| own.metadata.name == other.metadata.name)
            && other.webhooks.iter().flatten().any(may_see_executors)
    };
    let mut later: Vec<&str> =
        configurations.iter().filter(is_later).filter_map(|other| other.metadata.name.as_deref()).collect();
    later.sort_unstable();
    if later.is_empty() {
        return Some(Check::pass(CheckId::WebhookOrder, ""));
    }
    Some(Check::warn(
        CheckId::WebhookOrder,
        format!(
            "called after {own_name}, and not proven if they change memory or affinity: {}",
            later.join(", ")
        ),
        "Fine when they change neither; explain POD says ChangedSince of a plan whose memory was changed. Configurations \
         are called in the order of their names: spark-swap manifests --name zz-spark-swap makes ours the last.",
    ))
}

/// Some executor may be sent to it, whatever further labels it needs.
fn may_see_executors(entry: &MutatingWebhook) -> bool {
    let rules = entry.rules.as_deref().unwrap_or_default();
    let selector = entry.object_selector.as_ref();
    rules.iter().any(|rule| covers(rule, "CREATE", "pods")) && selects(selector, &executor_for(selector))
}

/// The labels of an executor that has everything the selector asks for.
fn executor_for(selector: Option<&LabelSelector>) -> BTreeMap<String, String> {
    let mut labels = selector.and_then(|selector| selector.match_labels.clone()).unwrap_or_default();
    for requirement in selector.and_then(|selector| selector.match_expressions.as_ref()).into_iter().flatten()
    {
        let value = requirement.values.as_ref().and_then(|values| values.first());
        if matches!(requirement.operator.as_str(), "In" | "Exists") {
            labels.insert(requirement.key.clone(), value.cloned().unwrap_or_default());
        }
    }
    labels.insert("spark-role".to_owned(), "executor".to_owned());
    labels
}
