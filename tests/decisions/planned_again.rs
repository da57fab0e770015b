//! Pods that come with a plan: reinvocation, other webhooks, and copies.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::reason::{Notice, Reason};
use spark_swap::sizing::class::{Enforcement, Strategy, SwapClass};
use spark_swap::sizing::state::State;

use crate::cluster::{admit, class, example, state, swap_node, with, with_container};

const PLAN: &str = "/metadata/annotations/spark-swap.io~1plan";

fn growing(enforcement: Enforcement) -> State {
    let class = SwapClass { enforcement, heap_growth_percent: 25, ..class(Strategy::HeapGrowth) };
    state(class, vec![swap_node("swap-1")])
}

fn planned(enforcement: Enforcement) -> Value {
    admit(&example(), &growing(enforcement)).1
}

fn keep(pod: Value) -> Value {
    pod
}

/// The plan says 9011Mi to 9010Mi for the request, 9011Mi for the limit, and 8192m to 10240m for the heap.
#[rstest]
#[case::as_planned(keep, Reason::AlreadyPlanned)]
#[case::the_request_is_as_it_was(|pod| with_container(pod, "/resources/requests/memory", json!("9011Mi")), Reason::AlreadyPlanned)]
#[case::another_notation(|pod| with_container(pod, "/resources/requests/memory", json!("9447669760")), Reason::AlreadyPlanned)]
#[case::the_heap_is_as_it_was(|pod| with_container(pod, "/env/0/value", json!("8g")), Reason::AlreadyPlanned)]
#[case::another_request(|pod| with_container(pod, "/resources/requests/memory", json!("9009Mi")), Reason::ChangedSince)]
#[case::another_limit(|pod| with_container(pod, "/resources/limits/memory", json!("16Gi")), Reason::ChangedSince)]
#[case::another_heap(|pod| with_container(pod, "/env/0/value", json!("9g")), Reason::ChangedSince)]
#[case::no_limit(|pod| with_container(pod, "/resources/limits", json!({})), Reason::ChangedSince)]
#[case::no_resources(|pod| with_container(pod, "/resources", json!({})), Reason::ChangedSince)]
#[case::no_heap(|pod| with_container(pod, "/env/0/name", json!("OTHER")), Reason::ChangedSince)]
fn an_enforced_plan_is_looked_at(#[case] change: fn(Value) -> Value, #[case] reason: Reason) {
    let pod = change(planned(Enforcement::Enforce));
    let (decision, patched) = admit(&pod, &growing(Enforcement::Enforce));
    assert_eq!((decision.reason, &patched), (reason, &pod));
    let warns = decision.notes.iter().any(|note| note.notice == Notice::ChangedSince);
    assert_eq!(warns, reason == Reason::ChangedSince);
}

/// Nothing was applied, so nothing can have been changed; and never is it applied later.
#[test]
fn an_audited_plan_is_only_a_record() {
    let pod = with_container(planned(Enforcement::Audit), "/resources/requests/memory", json!("1Gi"));
    let (decision, patched) = admit(&pod, &growing(Enforcement::Enforce));
    assert_eq!((decision.reason, patched), (Reason::AlreadyPlanned, pod));
}

#[rstest]
#[case::empty("")]
#[case::not_json("{")]
#[case::another_shape("[1, 2]")]
#[case::another_version(r#"{"v": 2, "enforcement": "Enforce"}"#)]
#[case::numbers_out_of_range(r#"{"v": 1, "enforcement": "Enforce", "request": {"from": -1, "to": 1e99}}"#)]
fn any_plan_annotation_keeps_the_pod_as_it_is(#[case] annotation: &str) {
    let pod = with(example(), PLAN, json!(annotation));
    let (decision, patched) = admit(&pod, &State::default());
    assert_eq!((decision.reason, patched), (Reason::AlreadyPlanned, pod));
}

/// A planned pod whose class has gone, or that opted out since, is still a planned pod or left alone: never patched.
#[rstest]
#[case::the_class_has_gone(State::default())]
#[case::the_nodes_have_gone(state(class(Strategy::Density), vec![]))]
fn the_world_may_have_changed(#[case] state: State) {
    let pod = planned(Enforcement::Enforce);
    let (decision, patched) = admit(&pod, &state);
    assert_eq!((decision.reason, patched), (Reason::AlreadyPlanned, pod));
}
