//! Executors that no class changes.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::class::{Strategy, SwapClass};
use spark_swap::sizing::state::{Settings, State, StateParts};

use crate::cluster::{admit, class, example, executor, state, swap_node, with, with_container};

#[rstest]
#[case::no_memory_request_and_no_limit(with_container(example(), "/resources", json!({"requests": {"cpu": "1"}})), &[Reason::NoMemory, Reason::NoLimit])]
#[case::no_resources(with_container(example(), "/resources", Value::Null), &[Reason::NoMemory, Reason::NoLimit])]
#[case::nothing_is_requested(with_container(example(), "/resources/requests/memory", json!("0")), &[Reason::NoMemory])]
#[case::no_limit(with_container(example(), "/resources/limits", Value::Null), &[Reason::NoLimit])]
#[case::the_limit_is_not_a_quantity(with_container(example(), "/resources/limits/memory", json!("lots")), &[Reason::NoLimit])]
#[case::the_request_is_not_a_quantity(with_container(example(), "/resources/requests/memory", json!("lots")), &[Reason::NoMemory])]
#[case::the_heap_is_the_limit(executor(9011, 9011), &[Reason::HeapExceedsLimit])]
#[case::the_heap_is_above_the_limit(executor(9012, 9011), &[Reason::HeapExceedsLimit])]
#[case::the_lowest_critical_priority(with(example(), "/spec/priority", json!(2_000_000_000)), &[Reason::CriticalPod])]
#[case::a_mirror_pod(with(example(), "/metadata/annotations/kubernetes.io~1config.mirror", json!("x")), &[Reason::CriticalPod])]
#[case::a_static_pod(with(example(), "/metadata/annotations/kubernetes.io~1config.source", json!("file")), &[Reason::CriticalPod])]
#[case::pod_level_resources(with(example(), "/spec/resources", json!({"limits": {"memory": "9Gi"}})), &[Reason::PodLevelResources])]
#[case::a_runtime_class(with(example(), "/spec/runtimeClassName", json!("kata")), &[Reason::RuntimeClass])]
#[case::the_request_is_below_the_limit(with_container(example(), "/resources/requests/memory", json!("9010Mi")), &[Reason::AlreadyBelowLimit])]
#[case::the_request_is_a_byte_below_the_limit(with_container(example(), "/resources/requests/memory", json!("9448718335")), &[Reason::AlreadyBelowLimit])]
fn each_has_its_reason(#[case] pod: Value, #[case] reasons: &[Reason]) {
    let (decision, patched) = admit(&pod, &State::default());
    assert!(reasons.contains(&decision.reason), "{} is not of {reasons:?}", decision.reason);
    assert_eq!(patched, pod);
}

#[rstest]
#[case::a_priority_below_critical(with(example(), "/spec/priority", json!(1_999_999_999)))]
#[case::a_pod_from_the_api_server(with(example(), "/metadata/annotations/kubernetes.io~1config.source", json!("api")))]
#[case::a_heap_just_below_the_limit(executor(9010, 9011))]
#[case::an_allowed_runtime_class(with(example(), "/spec/runtimeClassName", json!("runc-fast")))]
#[case::an_empty_runtime_class(with(example(), "/spec/runtimeClassName", json!("")))]
#[case::empty_pod_level_resources(with(example(), "/spec/resources", Value::Null))]
fn its_neighbour_is_planned(#[case] pod: Value) {
    let settings = Settings { allowed_runtime_classes: vec!["runc-fast".to_owned()], ..Settings::default() };
    let (decision, _) = admit(&pod, &State::new(StateParts::default(), settings));
    assert_eq!(decision.reason, Reason::Planned);
}

/// Under the other strategies such a pod is planned: [`crate::density`] and [`crate::heap_growth`].
#[rstest]
#[case::density_that_gains_too_little(SwapClass { working_set_percent: 90, ..class(Strategy::Density) })]
#[case::heap_growth_without_growth(class(Strategy::HeapGrowth))]
fn a_fallback_leaves_alone_what_a_safety_net_leaves_alone(#[case] class: SwapClass) {
    let pod = with_container(example(), "/resources/requests/memory", json!("9000Mi"));
    let (decision, patched) = admit(&pod, &state(class, vec![swap_node("swap-1")]));
    assert_eq!((decision.reason, &patched), (Reason::AlreadyBelowLimit, &pod));
}
