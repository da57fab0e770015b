//! The webhook configuration.

use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::cli::check::checks::{CheckId, Status};
use spark_swap::cli::check::facts::{Facts, Seen};

use crate::installation::{assert_check, assert_left_out, bare, check, entry, from_json, working};

fn configurations(facts: &mut Facts) -> &mut Vec<MutatingWebhookConfiguration> {
    let Seen::Found(configurations) = &mut facts.configurations else { panic!("no configurations") };
    configurations
}

#[test]
fn without_a_configuration_there_is_nothing_to_check_of_it() {
    let facts = bare();
    assert_check(
        &facts,
        CheckId::WebhookConfiguration,
        Status::Fail,
        "there is no MutatingWebhookConfiguration",
    );
    assert_left_out(&facts, CheckId::WebhookRules);
    assert_left_out(&facts, CheckId::CaBundle);
}

#[test]
fn the_configuration_is_found_by_label_by_entry_and_by_name() {
    let mut facts = working();
    let other = json!({"metadata": {"name": "another"}, "webhooks": []});
    configurations(&mut facts).insert(0, from_json(other));
    assert_check(&facts, CheckId::WebhookConfiguration, Status::Pass, "spark-swap");

    configurations(&mut facts)[1].metadata.labels = None;
    assert_check(&facts, CheckId::WebhookConfiguration, Status::Pass, "spark-swap");

    facts.name = Some("another".to_owned());
    assert_check(&facts, CheckId::WebhookConfiguration, Status::Fail, "another has no entry");
    facts.name = Some("third".to_owned());
    assert_check(&facts, CheckId::WebhookConfiguration, Status::Fail, "MutatingWebhookConfiguration third");
}

#[test]
fn several_configurations_and_entries_are_warned_of() {
    let mut facts = working();
    let mut second = configurations(&mut facts)[0].clone();
    second.metadata.name = Some("left-over".to_owned());
    configurations(&mut facts).push(second);
    assert_check(
        &facts,
        CheckId::WebhookConfiguration,
        Status::Warn,
        "left-over, spark-swap; left-over is checked",
    );
    facts.name = Some("spark-swap".to_owned());
    assert_check(&facts, CheckId::WebhookConfiguration, Status::Pass, "spark-swap");

    let first = entry(&mut facts).clone();
    let another = MutatingWebhook { name: "other.spark-swap.io".to_owned(), ..first };
    configurations(&mut facts)[0].webhooks.as_mut().unwrap().push(another);
    assert_check(&facts, CheckId::WebhookConfiguration, Status::Warn, "other.spark-swap.io");
}

#[rstest]
#[case::no_rule("/rules", json!(null), CheckId::WebhookRules, Status::Fail, "no rule covers")]
#[case::update("/rules/0/operations", json!(["UPDATE"]), CheckId::WebhookRules, Status::Fail, "no rule covers")]
#[case::services("/rules/0/resources", json!(["services"]), CheckId::WebhookRules, Status::Fail, "no rule covers")]
#[case::update_too(
    "/rules/0/operations", json!(["CREATE", "UPDATE"]), CheckId::WebhookRules, Status::Warn, "CREATE, UPDATE of pods"
)]
#[case::all_of_pods("/rules/0/resources", json!(["pods/*"]), CheckId::WebhookRules, Status::Warn, "CREATE of pods/*")]
#[case::bindings("/rules/0/resources", json!(["pods/binding"]), CheckId::WebhookRules, Status::Fail, "no rule covers")]
#[case::everything("/rules/0/operations", json!(["*"]), CheckId::WebhookRules, Status::Warn, "* of pods")]
#[case::old_review("/admissionReviewVersions", json!(["v1beta1"]), CheckId::WebhookRules, Status::Fail, "lacks v1")]
#[case::every_pod(
    "/objectSelector", json!({}), CheckId::WebhookRules, Status::Warn, "without the label spark-role=executor"
)]
#[case::drivers(
    "/objectSelector", json!({"matchLabels": {"spark-role": "driver"}}), CheckId::WebhookRules, Status::Fail,
    "does not select the label spark-role=executor"
)]
#[case::a_trial(
    "/objectSelector", json!({"matchLabels": {"spark-role": "executor", "team": "x"}}), CheckId::WebhookRules,
    Status::Warn, "further labels are sent: team"
)]
#[case::opting_in_by_pods(
    "/objectSelector", json!({"matchLabels": {"spark-role": "executor", "spark-swap.io/class": "batch"}}),
    CheckId::WebhookRules, Status::Warn, "further labels are sent: spark-swap.io/class"
)]
#[case::pods_cannot_opt_out(
    "/objectSelector", json!({"matchLabels": {"spark-role": "executor"}}), CheckId::WebhookOptOut, Status::Warn,
    "the objectSelector lets pods"
)]
#[case::namespaces_cannot_opt_out(
    "/namespaceSelector",
    json!({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["default"]}]}),
    CheckId::WebhookOptOut, Status::Warn, "the namespaceSelector lets namespaces"
)]
#[case::opting_in(
    "/namespaceSelector", json!({"matchLabels": {"spark-swap.io/class": "batch"}}), CheckId::WebhookOptOut,
    Status::Pass, ""
)]
#[case::system_namespaces(
    "/namespaceSelector", json!(null), CheckId::WebhookNamespaces, Status::Warn,
    "kube-system, kube-node-lease, spark-swap"
)]
#[case::closed("/failurePolicy", json!("Fail"), CheckId::FailurePolicy, Status::Warn, "no executor starts")]
#[case::closed_by_default("/failurePolicy", json!(null), CheckId::FailurePolicy, Status::Warn, "failurePolicy Fail")]
#[case::slow("/timeoutSeconds", json!(30), CheckId::Timeout, Status::Warn, "timeoutSeconds 30")]
#[case::slow_by_default("/timeoutSeconds", json!(null), CheckId::Timeout, Status::Warn, "timeoutSeconds 10")]
#[case::called_once("/reinvocationPolicy", json!("Never"), CheckId::Reinvocation, Status::Warn, "Never")]
#[case::side_effects("/sideEffects", json!("Unknown"), CheckId::SideEffects, Status::Fail, "refuses dry runs")]
fn an_entry_that_is_not_as_printed(
    #[case] path: &str,
    #[case] value: Value,
    #[case] id: CheckId,
    #[case] status: Status,
    #[case] message: &str,
) {
    let mut facts = working();
    assert_eq!(check(&facts, id).status, Status::Pass);
    let entry = entry(&mut facts);
    let mut changed = serde_json::to_value(&*entry).unwrap();
    *changed.pointer_mut(path).unwrap() = value;
    *entry = from_json(changed);
    assert_check(&facts, id, status, message);
}

#[test]
fn webhooks_that_change_executors_after_ours_are_warned_of() {
    let mut facts = working();
    let another = |name: &str, object_selector: Value, resource: &str| {
        from_json(json!({"metadata": {"name": name}, "webhooks": [{
            "name": "w.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": {"url": "https://localhost/"}, "objectSelector": object_selector,
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource],
            }],
        }]}))
    };
    let anything = json!({});
    configurations(&mut facts).extend([
        another("earlier", anything.clone(), "pods"),
        another("upon-services", anything.clone(), "services"),
        another("upon-drivers", json!({"matchLabels": {"spark-role": "driver"}}), "pods"),
    ]);
    assert_check(&facts, CheckId::WebhookOrder, Status::Pass, "");
    configurations(&mut facts).extend([
        another("vpa-webhook-config", anything, "pods/*"),
        another("the-operator", json!({"matchLabels": {"launched-by-operator": "true"}}), "pods"),
    ]);
    assert_check(&facts, CheckId::WebhookOrder, Status::Warn, "the-operator, vpa-webhook-config");
}
