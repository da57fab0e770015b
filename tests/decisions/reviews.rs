//! The wire: what is answered to which AdmissionReview.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::answer::{Malformed, answer};
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::state::{Namespace, Settings, State, StateParts};

use crate::cluster::{example, review_of, with, with_label};

fn review() -> Value {
    review_of(&example())
}

fn respond(body: &[u8]) -> (Reason, Value) {
    let answer = answer(body, &State::default()).expect("a review");
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (&body["apiVersion"], &body["kind"]),
        (&json!("admission.k8s.io/v1"), &json!("AdmissionReview"))
    );
    assert_eq!(body["response"]["allowed"], true);
    assert_eq!(body["response"].get("patch").is_some(), body["response"].get("patchType").is_some());
    (answer.record.reason, body["response"].clone())
}

fn reason(review: &Value) -> Reason {
    respond(&serde_json::to_vec(review).unwrap()).0
}

#[test]
fn a_plan_is_answered_with_a_base64_json_patch() {
    let (reason, response) = respond(review().to_string().as_bytes());
    assert_eq!(reason, Reason::Planned);
    assert_eq!(response["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
    assert_eq!(response["patchType"], "JSONPatch");
    let patch = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    let patch: Vec<Value> = serde_json::from_slice(&patch).unwrap();
    let expected =
        json!({"op": "replace", "path": "/spec/containers/0/resources/requests/memory", "value": "9010Mi"});
    assert!(patch.contains(&expected), "{patch:?}");
    let audit = json!({"reason": "Planned", "class": "safety-net", "bound": "SafetyNet"});
    assert_eq!(response["auditAnnotations"], audit);
    assert_eq!(response.get("warnings"), None);
}

#[test]
fn an_unchanged_pod_is_answered_without_a_patch_and_with_a_warning_where_somebody_should_know() {
    let pod = with_label(example(), "spark-swap.io/class", &"x".repeat(63));
    let (reason, response) = respond(review_of(&pod).to_string().as_bytes());
    assert_eq!(reason, Reason::UnknownClass);
    assert_eq!((response.get("patch"), response.get("patchType")), (None, None));
    assert_eq!(response["auditAnnotations"].get("bound"), None);
    let warnings = response["warnings"].as_array().unwrap();
    assert!(warnings.len() == 1 && warnings[0].as_str().unwrap().contains("UnknownClass"), "{warnings:?}");
}

#[rstest]
#[case::update(with(review(), "/request/operation", json!("UPDATE")))]
#[case::delete(with(with(review(), "/request/operation", json!("DELETE")), "/request/object", json!({})))]
#[case::connect(with(review(), "/request/operation", json!("CONNECT")))]
#[case::a_subresource(with(review(), "/request/subResource", json!("resize")))]
#[case::another_subresource(with(review(), "/request/subResource", json!("ephemeralcontainers")))]
#[case::another_kind(with(review(), "/request/kind", json!({"group": "apps", "version": "v1", "kind": "StatefulSet"})))]
#[case::a_pod_of_another_group(with(review(), "/request/kind", json!({"group": "example.com", "version": "v1", "kind": "Pod"})))]
#[case::no_object(with(review(), "/request/object", Value::Null))]
#[case::a_text(with(review(), "/request/object", json!("pod")))]
#[case::a_list(with(review(), "/request/object", json!([example()])))]
#[case::a_number(with(review(), "/request/object", json!(7)))]
#[case::metadata_is_a_text(with(review(), "/request/object/metadata", json!("x")))]
#[case::spec_is_a_list(with(review(), "/request/object/spec", json!([])))]
#[case::containers_are_an_object(with(review(), "/request/object/spec/containers", json!({})))]
#[case::members_of_a_pod_in_their_order(with(review(), "/request/object", json!([example()["metadata"], example()["spec"]])))]
#[case::members_of_resources_in_their_order(with(review(), "/request/object/spec/containers/0/resources", json!([{"memory": "9011Mi"}, {"memory": "9011Mi"}])))]
#[case::members_of_a_variable_in_their_order(with(review(), "/request/object/spec/containers/0/env/0", json!(["SPARK_EXECUTOR_ID", "1", null])))]
#[case::labels_are_a_list(with(review(), "/request/object/metadata/labels", json!(["a"])))]
#[case::args_are_numbers(with(review(), "/request/object/spec/containers/0/args", json!([1])))]
fn what_does_not_create_an_executor_is_let_through(#[case] review: Value) {
    assert_eq!(reason(&review), Reason::NotExecutor);
}

#[test]
fn a_null_object_is_let_through() {
    let body = review().to_string().replace(&example().to_string(), "null");
    assert_eq!(respond(body.as_bytes()).0, Reason::NotExecutor);
}

#[rstest]
#[case::dry_run(with(review(), "/request/dryRun", json!(true)))]
#[case::a_generated_name(with(review(), "/request/object/metadata/name", Value::Null))]
#[case::an_empty_subresource(with(review(), "/request/subResource", json!("")))]
#[case::unknown_fields_everywhere(with(with(with(review(), "/new", json!({})), "/request/new", json!([1])), "/request/object/new", json!(null)))]
#[case::an_old_object(with(review(), "/request/oldObject", json!({"anything": [1]})))]
#[case::a_status(with(review(), "/request/object/status", json!({"qosClass": 7})))]
#[case::managed_fields(with(review(), "/request/object/metadata/managedFields", json!([{"fieldsV1": {"f:x": {}}}])))]
fn what_else_a_review_holds_does_not_matter(#[case] review: Value) {
    assert_eq!(reason(&review), Reason::Planned);
}

#[test]
fn escaped_strings_are_read() {
    let body = review().to_string();
    let escaped = body
        .replace("\"executor\"", "\"\\u0065xecutor\"")
        .replace("SPARK_EXECUTOR_ID", "SPARK\\u005fEXECUTOR_ID")
        .replace("\"8192m\"", "\"\\u0038192m\"")
        .replace("spark-role", "spark\\u002drole")
        .replace("\"memory\"", "\"memor\\u0079\"")
        .replace("705ab4f5", "705\\u0061b4f5");
    assert_ne!(body, escaped);
    let (reason, response) = respond(escaped.as_bytes());
    assert_eq!(reason, Reason::Planned);
    assert_eq!(response["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
}

/// 3 MiB is what the API server accepts as a pod; old and new object come together.
#[test]
fn a_huge_review_is_answered() {
    let long = "x".repeat(4 << 20);
    let review = with(review(), "/request/oldObject", json!({"data": long}));
    let review =
        with(review, "/request/object/metadata/annotations/long", json!("\u{1F980}".repeat(100_000)));
    assert_eq!(reason(&review), Reason::Planned);
}

#[test]
fn ten_thousand_containers_are_no_trouble() {
    let mut review = review();
    let containers = review["request"]["object"]["spec"]["containers"].as_array_mut().unwrap();
    containers.splice(0..0, (0..10_000).map(|place| json!({"name": format!("c{place}")})));
    assert_eq!(reason(&review), Reason::Planned);
}

#[rstest]
#[case::nothing(b"".as_slice())]
#[case::not_json(b"hello")]
#[case::not_utf8(b"\xff\xfe")]
#[case::cut_off(br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"#)]
#[case::a_list(b"[]")]
#[case::null(b"null")]
#[case::members_of_a_request_in_their_order(
    br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":["a"]}"#
)]
#[case::members_of_a_kind_in_their_order(
    br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"a","kind":["","Pod"]}}"#
)]
#[case::trailing_garbage(
    br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"a"}} x"#
)]
fn what_is_no_json_object_is_refused(#[case] body: &[u8]) {
    let refused = answer(body, &State::default()).expect_err("no review");
    assert!(matches!(refused, Malformed::NotAReview(_) | Malformed::WrongKind { .. }), "{refused}");
}

#[rstest]
#[case::another_version("/apiVersion", json!("admission.k8s.io/v1beta1"), "v1beta1")]
#[case::no_version("/apiVersion", Value::Null, "admission.k8s.io/v1")]
#[case::another_kind("/kind", json!("Pod"), "Pod")]
#[case::no_kind("/kind", Value::Null, "AdmissionReview")]
#[case::no_request("/request", Value::Null, "uid")]
#[case::no_uid("/request/uid", Value::Null, "uid")]
#[case::an_empty_uid("/request/uid", json!(""), "uid")]
fn what_is_no_review_is_refused_and_says_why(#[case] path: &str, #[case] value: Value, #[case] says: &str) {
    let body = with(review(), path, value).to_string();
    let refused = answer(body.as_bytes(), &State::default()).expect_err("no review").to_string();
    assert!(refused.contains(says), "{refused}");
}

#[test]
fn a_null_request_is_refused() {
    let body = br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}"#;
    assert_eq!(answer(body, &State::default()).expect_err("no review"), Malformed::NoUid);
}

/// The namespace comes from the request: Spark's pods have none of their own.
#[test]
fn the_record_names_the_pod_and_its_namespace() {
    let record = answer(review().to_string().as_bytes(), &State::default()).unwrap().record;
    assert_eq!((record.namespace.as_str(), record.name.as_str()), ("default", "job-exec-1"));
    assert_eq!((record.patched, record.request_bytes_removed), (true, 1 << 20));
}

#[test]
fn an_empty_namespace_of_the_request_is_none() {
    let review = with(review(), "/request/object/metadata/namespace", json!("team"));
    let review = with(review, "/request/namespace", json!(""));
    let labels = [("spark-swap.io/class".to_owned(), "none".to_owned())].into();
    let namespaces = vec![Namespace { name: "team".to_owned(), labels }];
    let state = State::new(StateParts { namespaces, ..StateParts::default() }, Settings::default());
    let answer = answer(review.to_string().as_bytes(), &state).unwrap();
    assert_eq!(answer.record.reason, Reason::OptedOut);
}

/// `kubectl diff` and `spark-swap check` must not look like memory that was freed.
#[test]
fn a_dry_run_is_answered_alike_and_counts_no_bytes() {
    let plain = answer(review().to_string().as_bytes(), &State::default()).unwrap();
    let dry = with(review(), "/request/dryRun", json!(true)).to_string();
    let dry = answer(dry.as_bytes(), &State::default()).unwrap();
    assert_eq!(dry.body, plain.body);
    assert_eq!(
        (dry.record.patched, dry.record.request_bytes_removed, dry.record.expected_swap),
        (true, 0, 0)
    );
}
