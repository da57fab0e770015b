//! The patch itself: only `add` and `replace`, on what is there.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::patch::escape;
use spark_swap::sizing::class::{Backend, Strategy, SwapBackend, SwapClass};
use spark_swap::sizing::state::State;

use crate::cluster::{admit, class, example, node, state, swap_node, with, with_container, with_label};

fn operations(pod: &Value, state: &State) -> Vec<(String, String)> {
    let (decision, _) = admit(pod, state);
    decision.operations.iter().map(|operation| (operation.op.to_owned(), operation.path.clone())).collect()
}

const REQUEST: &str = "/spec/containers/0/resources/requests/memory";

#[rstest]
#[case::no_annotations(example(), "add", "/metadata/annotations")]
#[case::null_annotations(with(example(), "/metadata", json!({"annotations": null, "labels": example()["metadata"]["labels"]})), "add", "/metadata/annotations")]
#[case::empty_annotations(with(example(), "/metadata/annotations", json!({})), "add", "/metadata/annotations/spark-swap.io~1plan")]
#[case::annotations(with(example(), "/metadata/annotations/a", json!("b")), "add", "/metadata/annotations/spark-swap.io~1plan")]
fn a_missing_parent_is_added_complete(#[case] pod: Value, #[case] op: &str, #[case] path: &str) {
    let operations = operations(&pod, &State::default());
    let expected = [("replace".to_owned(), REQUEST.to_owned()), (op.to_owned(), path.to_owned())];
    assert!(operations.len() == 2 && expected.iter().all(|it| operations.contains(it)), "{operations:?}");
}

/// Defaulting makes the request of the limit, so a limit alone is an executor like any other.
#[rstest]
#[case::no_memory_request(
    with_container(example(), "/resources/requests/memory", Value::Null),
    "add",
    REQUEST
)]
#[case::no_requests(
    with_container(example(), "/resources/requests", Value::Null),
    "add",
    "/spec/containers/0/resources/requests"
)]
fn a_limit_alone_is_a_request_too(#[case] pod: Value, #[case] op: &str, #[case] path: &str) {
    let (decision, patched) = admit(&pod, &State::default());
    if decision.operations.is_empty() {
        assert_eq!(decision.reason.as_str(), "NoMemory");
        return;
    }
    assert_eq!(patched.pointer(REQUEST), Some(&json!("9010Mi")));
    assert!(operations(&pod, &State::default()).contains(&(op.to_owned(), path.to_owned())));
}

fn writing_everything() -> State {
    let mut class = SwapClass {
        swap: SwapBackend { via: Backend::CrioAnnotation, max_per_executor: None },
        young_generation_percent: 10,
        working_set_percent: 50,
        ..class(Strategy::Density)
    };
    class.nodes.selector.insert("example.com/pool".to_owned(), "swap".to_owned());
    class.nodes.selector.insert("a~b".to_owned(), "c".to_owned());
    class.nodes.tolerations =
        vec![spark_swap::sizing::placement::Toleration { operator: "Exists".into(), ..Default::default() }];
    let labels =
        [(Backend::CrioAnnotation.evidence_label(), "500"), ("example.com/pool", "swap"), ("a~b", "c")];
    state(class, vec![node("swap-1", 64 << 30, 32 << 30, &labels)])
}

fn scheduled() -> Value {
    let pod = with(example(), "/spec/nodeSelector", json!({}));
    let pod = with(pod, "/spec/tolerations", json!([]));
    let pod = with(pod, "/metadata/annotations", json!({"x": "y"}));
    with(pod, "/spec/affinity", json!({"nodeAffinity": {}}))
}

#[rstest]
#[case::every_parent_is_missing(example())]
#[case::every_parent_is_there(scheduled())]
#[case::empty_affinity(with(scheduled(), "/spec/affinity", json!({})))]
fn everything_at_once_applies(#[case] pod: Value) {
    let (decision, patched) = admit(&pod, &writing_everything());
    assert!(decision.plan.is_some(), "{}", decision.reason);
    for operation in &decision.operations {
        assert!(["add", "replace"].contains(&operation.op), "{operation:?}");
        assert_eq!(operation.op == "replace", pod.pointer(&operation.path).is_some(), "{operation:?}");
    }
    assert_eq!(patched["spec"]["nodeSelector"]["example.com/pool"], "swap");
    assert_eq!(patched["spec"]["nodeSelector"]["a~b"], "c");
    assert_eq!(patched["spec"]["tolerations"], json!([{"operator": "Exists"}]));
    let env = patched["spec"]["containers"][0]["env"].as_array().unwrap();
    assert_eq!(env.last().unwrap()["value"], "-Xmn819m");
}

#[rstest]
#[case::spec_members_are_null(&["/spec/nodeSelector", "/spec/tolerations", "/spec/affinity"])]
#[case::node_affinity_is_null(&["/spec/affinity/nodeAffinity"])]
#[case::the_requirement_is_null(&["/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution"])]
fn null_members_are_replaced(#[case] paths: &[&str]) {
    let pod = paths.iter().fold(example(), |pod, path| {
        let made = with(pod, path, json!("x"));
        serde_json::from_str(&made.to_string().replace("\"x\"", "null")).unwrap()
    });
    let (decision, patched) = admit(&pod, &writing_everything());
    assert!(decision.plan.is_some(), "{}", decision.reason);
    assert_eq!(patched["spec"]["tolerations"], json!([{"operator": "Exists"}]));
}

#[rstest]
#[case("plain", "plain")]
#[case("a/b", "a~1b")]
#[case("a~b", "a~0b")]
#[case("~1", "~01")]
#[case("/~", "~1~0")]
#[case("", "")]
fn keys_are_escaped_for_json_pointers(#[case] key: &str, #[case] escaped: &str) {
    assert_eq!(escape(key), escaped);
}

/// What another webhook put there is not touched: labels, annotations, other containers, unknown fields.
#[test]
fn everything_else_is_left_as_it_is() {
    let pod = with(with_label(example(), "x/y", "z"), "/metadata/annotations", json!({"a/b": "c", "e": ""}));
    let mut pod = with(pod, "/spec/somethingNew", json!({"deep": [1, {"x": null}]}));
    pod["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({"name": "proxy", "resources": {"requests": {"memory": "1.5Gi"}}, "newField": 1e3}));
    let (_, patched) = admit(&pod, &state(class(Strategy::SafetyNet), vec![swap_node("swap-1")]));
    let mut expected = pod.clone();
    expected["spec"]["containers"][1]["resources"]["requests"]["memory"] = json!("9010Mi");
    expected["metadata"]["annotations"]["spark-swap.io/plan"] =
        patched["metadata"]["annotations"]["spark-swap.io/plan"].clone();
    assert_eq!(patched, expected);
}
