//! The webhook configuration: are the right pods sent, and how.

use std::collections::BTreeMap;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::core::{Expression, Selector, SelectorExt};

use super::checks::{Check, CheckId};
use super::facts::{Facts, Seen};
use crate::cluster::webhook_entry::{ENTRY, NEVER_ASKED};
use crate::sizing::state::{CLASS_LABEL, OPT_OUT};

/// The label of a namespace that holds its name.
pub const NAME_LABEL: &str = "kubernetes.io/metadata.name";
const ROLE_LABEL: &str = "spark-role";
/// The longest wait, in seconds, for a webhook that hangs.
const LONGEST_WAIT: i32 = 5;
const PRINT_AGAIN: &str = "spark-swap manifests --only webhook prints it as it should be.";

type Labels = BTreeMap<String, String>;

/// The configurations of spark-swap, by name: the named one, else those with our label, else those with our entry.
pub fn find<'c>(
    configurations: &'c [MutatingWebhookConfiguration],
    name: Option<&str>,
) -> Vec<&'c MutatingWebhookConfiguration> {
    let that = |is_ours: &dyn Fn(&MutatingWebhookConfiguration) -> bool| {
        let mut found: Vec<_> =
            configurations.iter().filter(|configuration| is_ours(configuration)).collect();
        found.sort_by_key(|configuration| configuration.metadata.name.as_deref());
        found
    };
    if let Some(name) = name {
        return that(&|configuration| configuration.metadata.name.as_deref() == Some(name));
    }
    let labelled = that(&|configuration| {
        let labels = configuration.metadata.labels.as_ref();
        labels
            .and_then(|labels| labels.get("app.kubernetes.io/name"))
            .is_some_and(|name| name == "spark-swap")
    });
    if labelled.is_empty() {
        that(&|configuration| entry(configuration).is_some_and(is_ours))
    } else {
        labelled
    }
}

/// Our entry: by its name, else the first.
pub fn entry(configuration: &MutatingWebhookConfiguration) -> Option<&MutatingWebhook> {
    let entries = configuration.webhooks.as_deref().unwrap_or_default();
    entries.iter().find(|entry| is_ours(entry)).or_else(|| entries.first())
}

fn is_ours(entry: &MutatingWebhook) -> bool {
    entry.name == ENTRY
}

/// The checks of the configuration and its entry.
pub fn checks(facts: &Facts) -> Vec<Check> {
    let Seen::Found(configurations) = &facts.configurations else { return Vec::new() };
    let mut checks = vec![configuration(&find(configurations, facts.name.as_deref()), facts.name.as_deref())];
    if let Some(entry) = facts.entry() {
        checks.push(rules(entry));
        checks.push(opt_out(entry));
        checks.push(namespaces(entry, facts));
        checks.extend(behaviour(entry));
    }
    checks
}

fn configuration(found: &[&MutatingWebhookConfiguration], name: Option<&str>) -> Check {
    let id = CheckId::WebhookConfiguration;
    let install = "Install it: spark-swap manifests | kubectl apply -f -; or name another with --name.";
    let name_of = |configuration: &MutatingWebhookConfiguration| {
        configuration.metadata.name.clone().unwrap_or_default()
    };
    let Some(first) = found.first() else {
        let message = match name {
            Some(name) => format!("there is no MutatingWebhookConfiguration {name}"),
            None => "there is no MutatingWebhookConfiguration of spark-swap".to_owned(),
        };
        return Check::fail(id, message, install);
    };
    let name = name_of(first);
    let entries = first.webhooks.as_deref().unwrap_or_default();
    if entries.is_empty() {
        return Check::fail(id, format!("{name} has no entry, so nothing is sent"), install);
    }
    if found.len() > 1 {
        let all: Vec<String> = found.iter().map(|configuration| name_of(configuration)).collect();
        let message = format!("there are several: {}; {name} is checked", all.join(", "));
        return Check::warn(id, message, "Delete the ones that are left over, or name one with --name.");
    }
    if entries.len() > 1 {
        let all: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        let message = format!(
            "{name} has several entries, each of which costs every executor a call: {}",
            all.join(", ")
        );
        return Check::warn(id, message, PRINT_AGAIN);
    }
    Check::pass(id, name)
}

fn rules(entry: &MutatingWebhook) -> Check {
    let id = CheckId::WebhookRules;
    let rules = entry.rules.as_deref().unwrap_or_default();
    if !rules.iter().any(|rule| covers(rule, "CREATE", "pods")) {
        return Check::fail(id, "no rule covers the creation of pods", PRINT_AGAIN);
    }
    if !entry.admission_review_versions.iter().any(|version| version == "v1") {
        return Check::fail(id, "admissionReviewVersions lacks v1, which spark-swap speaks", PRINT_AGAIN);
    }
    let selector = entry.object_selector.as_ref();
    let executor = labels(&[(ROLE_LABEL, "executor")]);
    if !selects(selector, &executor) {
        let further = unmet(selector, &executor);
        if further.is_empty() || further.contains(&ROLE_LABEL) {
            let message = "the objectSelector does not select the label spark-role=executor";
            return Check::fail(id, message, PRINT_AGAIN);
        }
        let message = format!("only executors with further labels are sent: {}", further.join(", "));
        return Check::warn(
            id,
            message,
            "Fine when it is meant so, for a trial; the others stay as they are.",
        );
    }
    let mut wider = Vec::new();
    if selects(selector, &labels(&[(ROLE_LABEL, "driver")])) {
        wider.push("the objectSelector also selects pods without the label spark-role=executor".to_owned());
    }
    let more = rules.iter().filter_map(|rule| {
        let all = |list: &Option<Vec<String>>| list.as_deref().unwrap_or_default().join(", ");
        let is_wider = all(&rule.operations) != "CREATE" || all(&rule.resources) != "pods";
        is_wider.then(|| format!("a rule covers {} of {}", all(&rule.operations), all(&rule.resources)))
    });
    wider.extend(more);
    let advice = format!("They cost a call each and stay as they are. {PRINT_AGAIN}");
    Check::warn_of(id, &wider, &advice, entry.name.clone())
}

/// The rule covers the operation on the core resource.
pub fn covers(rule: &RuleWithOperations, operation: &str, resource: &str) -> bool {
    let has = |list: &Option<Vec<String>>, wanted: &[&str]| {
        list.as_deref().unwrap_or_default().iter().any(|found| wanted.contains(&found.as_str()))
    };
    has(&rule.api_groups, &["", "*"])
        && has(&rule.api_versions, &["v1", "*"])
        && has(&rule.operations, &[operation, "*"])
        && rule.resources.iter().flatten().any(|pattern| is_matched(pattern, resource))
        && rule.scope.as_deref().is_none_or(|scope| scope != "Cluster")
}

/// Mirrors `resource` of `k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules/rules.go`.
fn is_matched(pattern: &str, resource: &str) -> bool {
    let (matched, subresource) = pattern.split_once('/').unwrap_or((pattern, ""));
    [resource, "*"].contains(&matched) && ["", "*"].contains(&subresource)
}

fn opt_out(entry: &MutatingWebhook) -> Check {
    let selectors = [
        ("objectSelector", "pods", &entry.object_selector),
        ("namespaceSelector", "namespaces", &entry.namespace_selector),
    ];
    let missing = selectors.into_iter().filter(|(_, _, selector)| !rejects_opt_out(selector.as_ref()));
    let findings: Vec<String> = missing
        .map(|(name, what, _)| format!("the {name} lets {what} with {CLASS_LABEL}={OPT_OUT} through"))
        .collect();
    let advice = format!(
        "The webhook leaves them alone, but only when it is asked and up to date. Add {CLASS_LABEL} NotIn [{OPT_OUT}]. \
         {PRINT_AGAIN}"
    );
    Check::warn_of(CheckId::WebhookOptOut, &findings, &advice, format!("{CLASS_LABEL} NotIn [{OPT_OUT}]"))
}

/// One of its requirements is about the class, and does not hold for the one that opts out.
fn rejects_opt_out(selector: Option<&LabelSelector>) -> bool {
    let Some(selector) = selector else { return false };
    let opted_out = labels(&[(CLASS_LABEL, OPT_OUT)]);
    let of_expressions = selector
        .match_expressions
        .iter()
        .flatten()
        .any(|requirement| requirement.key == CLASS_LABEL && !holds(requirement, &opted_out));
    let of_labels = selector.match_labels.as_ref().and_then(|labels| labels.get(CLASS_LABEL));
    of_expressions || of_labels.is_some_and(|class| class != OPT_OUT)
}

fn namespaces(entry: &MutatingWebhook, facts: &Facts) -> Check {
    let own = entry.client_config.service.as_ref().map(|service| service.namespace.as_str());
    let never = NEVER_ASKED.into_iter().chain(own);
    let selected: Vec<&str> = never.filter(|name| selects_namespace(entry, name, facts)).collect();
    if selected.is_empty() {
        return Check::pass(CheckId::WebhookNamespaces, "");
    }
    let message = format!("the namespaceSelector selects {}", selected.join(", "));
    let advice = format!("What keeps the cluster up must not wait for a webhook. {PRINT_AGAIN}");
    Check::warn(CheckId::WebhookNamespaces, message, advice)
}

/// Pods of the namespace are sent, as far as its labels decide.
pub fn selects_namespace(entry: &MutatingWebhook, name: &str, facts: &Facts) -> bool {
    let known = facts.parts.namespaces.iter().find(|namespace| namespace.name == name);
    let mut all = known.map(|namespace| namespace.labels.clone()).unwrap_or_default();
    all.insert(NAME_LABEL.to_owned(), name.to_owned());
    selects(entry.namespace_selector.as_ref(), &all)
}

fn behaviour(entry: &MutatingWebhook) -> Vec<Check> {
    let policy = match entry.failure_policy.as_deref() {
        Some("Ignore") => Check::pass(CheckId::FailurePolicy, "Ignore"),
        policy => Check::warn(
            CheckId::FailurePolicy,
            format!(
                "failurePolicy {}: while the webhook is away, no executor starts",
                policy.unwrap_or("Fail")
            ),
            "Fail keeps unplanned executors out of a crowded fleet; Ignore lets them start as Spark wrote them.",
        ),
    };
    // What the API server takes when it is not set.
    let timeout = match entry.timeout_seconds.unwrap_or(10) {
        seconds @ ..=LONGEST_WAIT => Check::pass(CheckId::Timeout, format!("{seconds} s")),
        seconds => Check::warn(
            CheckId::Timeout,
            format!("timeoutSeconds {seconds}: a webhook that hangs delays every executor by as much"),
            "Set it to 2; an answer takes less than a millisecond.",
        ),
    };
    let reinvocation = match entry.reinvocation_policy.as_deref() {
        Some("IfNeeded") => Check::pass(CheckId::Reinvocation, "IfNeeded"),
        policy => Check::warn(
            CheckId::Reinvocation,
            format!(
                "reinvocationPolicy {}: what a later webhook changes is not checked again",
                policy.unwrap_or("Never")
            ),
            "Set it to IfNeeded; a pod is planned once in any case.",
        ),
    };
    let side_effects = match entry.side_effects.as_str() {
        effects @ ("None" | "NoneOnDryRun") => Check::pass(CheckId::SideEffects, effects),
        effects => Check::fail(
            CheckId::SideEffects,
            format!("sideEffects {effects}: the API server refuses dry runs, and kubectl diff with them"),
            PRINT_AGAIN,
        ),
    };
    vec![policy, timeout, reinvocation, side_effects]
}

/// The selector selects these labels, as the API server matches them: none selects everything, an invalid one nothing.
pub fn selects(selector: Option<&LabelSelector>, labels: &Labels) -> bool {
    let Some(selector) = selector else { return true };
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
}

fn holds(requirement: &LabelSelectorRequirement, labels: &Labels) -> bool {
    Expression::try_from(requirement.clone()).is_ok_and(|expression| expression.matches(labels))
}

/// The keys for which the selector asks something else.
fn unmet<'s>(selector: Option<&'s LabelSelector>, labels: &Labels) -> Vec<&'s str> {
    let Some(selector) = selector else { return Vec::new() };
    let of_labels = selector.match_labels.iter().flatten();
    let of_labels = of_labels.filter(|(key, value)| labels.get(*key) != Some(value)).map(|(key, _)| key);
    let of_expressions = selector.match_expressions.iter().flatten();
    let of_expressions = of_expressions.filter(|requirement| !holds(requirement, labels));
    of_labels.chain(of_expressions.map(|requirement| &requirement.key)).map(String::as_str).collect()
}

/// Labels of these pairs.
pub fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}
