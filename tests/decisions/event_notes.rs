//! What the owner of an application is told about its executors.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::answer::answer;
use spark_swap::admission::event_note::{EventNote, EventType, event_type, of_review};
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::class::{Enforcement, Strategy, SwapClass};
use spark_swap::sizing::state::{State, StateParts};

use crate::cluster::{
    class, example, limit_range, review_of, state, swap_node, with, with_container, with_label,
};

const OWNERS: &str = "/metadata/ownerReferences";

fn driver(uid: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "name": "etl-driver", "uid": uid, "controller": true})
}

/// The example's executor as a driver in cluster mode posts it.
fn owned() -> Value {
    with(example(), OWNERS, json!([driver("uid-1")]))
}

fn density() -> SwapClass {
    SwapClass { working_set_percent: 50, peak_margin_percent: 0, ..class(Strategy::Density) }
}

/// What the answer's record asks for, and the Event itself: both or neither.
fn told(review: &Value, state: &State) -> Option<EventNote> {
    let body = serde_json::to_vec(review).unwrap();
    let note = of_review(&body, state);
    assert_eq!(answer(&body, state).unwrap().record.event, note.as_ref().map(|note| note.key));
    note
}

fn note(pod: &Value, state: &State) -> EventNote {
    told(&review_of(pod), state).expect("an Event")
}

#[test]
fn a_plan_is_told_with_its_sizes() {
    let note = note(&owned(), &state(density(), vec![swap_node("swap-1")]));
    assert_eq!((note.reason, note.event_type, note.action), (Reason::Planned, EventType::Normal, "Plan"));
    assert_eq!((&*note.owner.kind, &*note.owner.name, &*note.namespace), ("Pod", "etl-driver", "default"));
    insta::assert_snapshot!(note.text, @"Executors are sized by SwapClass batch (Density). The first one: memory request 9011Mi -> 6008Mi, limit 9011Mi -> 6129Mi, at least 2.9Gi of swap. The peak with its margin must fit the request plus the granted swap. Every executor pod has its plan in the annotation spark-swap.io/plan.");
}

#[test]
fn a_safety_net_without_known_nodes_promises_nothing() {
    insta::assert_snapshot!(note(&owned(), &State::default()).text, @"Executors are sized by SwapClass safety-net (SafetyNet). The first one: memory request 9011Mi -> 9010Mi, swap as its node grants it. The request is one step below the declared total, so that the kubelet grants swap. Every executor pod has its plan in the annotation spark-swap.io/plan.");
}

#[test]
fn a_plan_that_is_only_recorded_is_told_as_such() {
    let class = SwapClass { enforcement: Enforcement::Audit, ..density() };
    let note = note(&owned(), &state(class, vec![swap_node("swap-1")]));
    assert_eq!((note.reason, note.event_type), (Reason::Audited, EventType::Normal));
    insta::assert_snapshot!(note.text, @"Executors stay as Spark made them, because SwapClass batch only audits. An executor would get, by Density: memory request 9011Mi -> 6008Mi, limit 9011Mi -> 6129Mi, at least 2.9Gi of swap. The peak with its margin must fit the request plus the granted swap. Look at the plan; to apply such plans, set enforcement: Enforce in the class.");
}

#[test]
fn warnings_are_told_too_because_a_driver_shows_them_to_nobody() {
    let pod = with_label(owned(), "spark-swap.io/working-set-percent", "lots");
    insta::assert_snapshot!(note(&pod, &State::default()).text, @r#"Executors are sized by SwapClass safety-net (SafetyNet). The first one: memory request 9011Mi -> 9010Mi, swap as its node grants it. The request is one step below the declared total, so that the kubelet grants swap. Every executor pod has its plan in the annotation spark-swap.io/plan. LabelIgnored: label spark-swap.io/working-set-percent="lots" is not an integer from 1 to 100."#);
}

#[test]
fn who_names_a_class_that_is_not_there_is_told_its_name() {
    let note = note(&with_label(owned(), "spark-swap.io/class", "bath"), &State::default());
    assert_eq!((note.event_type, note.action), (EventType::Warning, "Admit"));
    insta::assert_snapshot!(note.text, @r#"Executors stay as Spark made them: there is no valid SwapClass "bath", the pod is unchanged. Create the SwapClass or correct the label spark-swap.io/class of the pod or its namespace."#);
}

#[test]
fn a_limit_range_in_the_way_is_told_with_what_to_do() {
    let ratio = limit_range(&json!({"type": "Container", "maxLimitRequestRatio": {"memory": "1"}}));
    let parts = StateParts { limit_ranges: vec![ratio], ..StateParts::default() };
    let state = crate::cluster::example_state(class(Strategy::SafetyNet), parts);
    insta::assert_snapshot!(note(&owned(), &state).text, @"Executors stay as Spark made them (SwapClass batch): A LimitRange of the namespace does not allow the plan. Loosen the LimitRange, or name another class: every plan needs a limit above the request, so a maxLimitRequestRatio above 1, and none goes below min or above max.");
}

#[test]
fn an_event_is_no_longer_than_the_api_server_takes() {
    let mut pod = owned();
    for key in ["memory", "memoryOverhead", "minMemoryOverhead", "pyspark.memory", "memoryOverheadFactor"] {
        pod = with_label(pod, &format!("spark.executor.{key}"), &"ä".repeat(200));
    }
    let text = note(&pod, &State::default()).text;
    assert!(text.len() <= 1024 && text.ends_with("..."), "{}: {text}", text.len());
}

#[rstest]
#[case::a_driver_in_client_mode_owns_nothing(with(owned(), OWNERS, Value::Null))]
#[case::no_owner(with(owned(), OWNERS, json!([])))]
#[case::an_owner_without_a_uid(with(owned(), OWNERS, json!([driver("")])))]
#[case::an_executor_that_opted_out(with_label(owned(), "spark-swap.io/class", "none"))]
#[case::what_gets_swap_already(with_container(owned(), "/resources/requests/memory", json!("4Gi")))]
#[case::no_executor(with_label(owned(), "spark-role", "driver"))]
fn there_is_nothing_to_tell_about(#[case] pod: Value) {
    assert_eq!(told(&review_of(&pod), &State::default()), None);
}

#[test]
fn a_dry_run_tells_nobody() {
    let review = with(review_of(&owned()), "/request/dryRun", json!(true));
    assert_eq!(told(&review, &State::default()), None);
}

#[test]
fn of_several_owners_the_controller_is_told() {
    let application = json!({"apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication", "name": "etl", "uid": "uid-2"});
    let both = with(owned(), OWNERS, json!([application, driver("uid-1")]));
    assert_eq!(note(&both, &State::default()).owner.name, "etl-driver");
    let one = with(owned(), OWNERS, json!([application]));
    assert_eq!(note(&one, &State::default()).owner.kind, "SparkApplication");
}

#[test]
fn executors_of_an_application_share_the_event_and_others_do_not() {
    let state = State::default();
    let key = |pod: &Value| note(pod, &state).key;
    let other_executor =
        with(with_label(owned(), "spark-exec-id", "7"), "/metadata/name", json!("job-exec-7"));
    assert_eq!(key(&owned()), key(&other_executor));
    let others = [
        owned(),
        with_label(owned(), "spark-app-selector", "spark-other"),
        with(owned(), OWNERS, json!([driver("uid-2")])),
        with_label(owned(), "spark-swap.io/class", "bath"),
    ];
    assert_eq!(others.iter().map(key).collect::<BTreeSet<_>>().len(), others.len());
    // Names of Events are made of it: replicas of two versions must agree.
    assert_eq!(format!("{:016x}", key(&owned())), "eb65aeddefaf03ad");
}

#[test]
fn an_application_that_only_the_environment_names_is_told_apart() {
    let unlabelled = |id: &str| {
        let pod = with(owned(), "/metadata/labels/spark-app-selector", Value::Null);
        crate::cluster::with_env(pod, "SPARK_APPLICATION_ID", id)
    };
    let key = |id| note(&unlabelled(id), &State::default()).key;
    assert_ne!(key("spark-1"), key("spark-2"));
}

#[test]
fn a_reason_that_changes_an_executor_is_always_told() {
    assert!([Reason::Planned, Reason::Audited].map(event_type).iter().all(Option::is_some));
}
