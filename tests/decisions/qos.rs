//! QoS classes: kept, lost knowingly, or made.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::class::{Backend, QosMode, Strategy, SwapBackend, SwapClass};
use spark_swap::sizing::nodes::Node;
use spark_swap::sizing::state::{ResourceQuota, StateParts};

use crate::cluster::{
    EVIDENCE, GIB, admit, class, example, example_state, limit_range, node, plan_of, state, swap_node, with,
    with_container, with_env,
};

const MIB: u64 = 1 << 20;

fn guaranteed_pod() -> Value {
    with_container(example(), "/resources/limits/cpu", json!("1"))
}

#[rstest]
#[case::preserved(QosMode::Preserve, vec![swap_node("swap-1")], Reason::WouldLoseGuaranteed)]
#[case::preserved_where_nothing_is_known(QosMode::Preserve, vec![], Reason::WouldLoseGuaranteed)]
#[case::lost_for_proven_swap(QosMode::Burstable, vec![swap_node("swap-1")], Reason::Planned)]
#[case::not_for_swap_without_evidence(QosMode::Burstable, vec![node("plain", 64 * GIB, 32 * GIB, &[])], Reason::WouldLoseGuaranteed)]
#[case::not_where_one_node_has_none(QosMode::Burstable, vec![swap_node("swap-1"), node("plain", 64 * GIB, 32 * GIB, &[])], Reason::WouldLoseGuaranteed)]
#[case::not_where_nothing_is_known(QosMode::Burstable, vec![], Reason::WouldLoseGuaranteed)]
#[case::not_for_a_promise_without_swap(QosMode::Burstable, vec![swap_node("swap-1"), node("liar", 64 * GIB, 0, &[(EVIDENCE, "500")])], Reason::WouldLoseGuaranteed)]
fn guaranteed_is_given_up_only_for_proven_swap(
    #[case] qos_class: QosMode,
    #[case] nodes: Vec<Node>,
    #[case] reason: Reason,
) {
    let class = SwapClass { qos_class, ..class(Strategy::SafetyNet) };
    let (decision, patched) = admit(&guaranteed_pod(), &state(class, nodes));
    assert_eq!(decision.reason, reason);
    if reason == Reason::Planned {
        let plan = plan_of(&patched);
        // 1000 - 1000 * 9010Mi / 64Gi = 1000 - 137.
        assert_eq!((&plan["qosClass"], &plan["oomScoreAdj"]), (&json!("Burstable"), &json!(863)));
    } else {
        assert_eq!(patched, guaranteed_pod());
    }
}

fn sidecar(resources: &Value) -> Value {
    with(
        example(),
        "/spec/initContainers",
        json!([{"name": "proxy", "restartPolicy": "Always", "resources": resources}]),
    )
}

/// A pod is Guaranteed only with all of its containers; neither class nor plan ever see one here.
#[rstest]
#[case::no_cpu_limit(example())]
#[case::another_cpu_limit(with_container(example(), "/resources/limits/cpu", json!("2")))]
#[case::a_sidecar_without_resources(with_container(sidecar(&json!({})), "/resources/limits/cpu", json!("1")))]
#[case::a_sidecar_without_a_cpu_limit(with_container(sidecar(&json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}})), "/resources/limits/cpu", json!("1")))]
#[case::an_ephemeral_resource_does_not_count(with_container(example(), "/resources/limits/nvidia.com~1gpu", json!("1")))]
fn a_burstable_pod_has_nothing_to_lose(#[case] pod: Value) {
    let (decision, _) = admit(&pod, &state(class(Strategy::SafetyNet), vec![swap_node("swap-1")]));
    assert_eq!(decision.plan.unwrap().qos_class.as_str(), "Burstable");
}

/// Density on one node with half its memory as CRI-O's swap: R = L = 6008Mi.
fn guaranteeing() -> SwapClass {
    SwapClass {
        qos_class: QosMode::Guaranteed,
        swap: SwapBackend { via: Backend::CrioAnnotation, max_per_executor: None },
        working_set_percent: 50,
        peak_margin_percent: 0,
        ..class(Strategy::Density)
    }
}

fn crio_node() -> Node {
    node("swap-1", 64 * GIB, 32 * GIB, &[("spark-swap.io/crio-swap-permille", "500")])
}

fn cpu(request: &str, limit: Option<&str>) -> Value {
    let pod = with_container(example(), "/resources/requests/cpu", json!(request));
    match limit {
        Some(limit) => with_container(pod, "/resources/limits/cpu", json!(limit)),
        None => pod,
    }
}

fn with_collector(pod: Value) -> Value {
    with_env(pod, "SPARK_JAVA_OPT_0", "-XX:+UseG1GC")
}

fn with_sidecar(pod: Value, resources: &Value) -> Value {
    with(pod, "/spec/initContainers", json!([{"name": "proxy", "resources": resources}]))
}

fn equal(cpu: &str) -> Value {
    let list = json!({"cpu": cpu, "memory": "64Mi"});
    json!({"requests": list, "limits": list})
}

#[rstest]
#[case::two_cpus(cpu("2", None), Some("2"))]
#[case::many_cpus(cpu("16", None), Some("16"))]
#[case::two_thousand_milli(cpu("2000m", None), Some("2"))]
#[case::one_cpu(cpu("1", None), None)]
#[case::not_whole(cpu("2500m", None), None)]
#[case::one_cpu_with_a_collector(with_collector(cpu("1", None)), Some("1"))]
#[case::not_whole_with_a_collector(with_collector(cpu("2500m", None)), Some("2500m"))]
#[case::there_already(cpu("4", Some("4")), Some("4"))]
#[case::lowered(cpu("4", Some("8")), Some("4"))]
#[case::no_cpu_request(with_container(cpu("4", None), "/resources/requests/cpu", Value::Null), None)]
#[case::no_cpu_at_all(cpu("0", None), None)]
#[case::a_container_that_qualifies(with_sidecar(cpu("4", None), &equal("1")), Some("4"))]
#[case::a_container_without_limits(with_sidecar(cpu("4", None), &json!({"requests": {"cpu": "1", "memory": "64Mi"}})), None)]
#[case::a_container_with_nothing(with_sidecar(cpu("4", None), &json!({})), None)]
fn the_cpu_limit_makes_it_guaranteed(#[case] pod: Value, #[case] cpu: Option<&str>) {
    let (decision, patched) = admit(&pod, &state(guaranteeing(), vec![crio_node()]));
    let Some(cpu) = cpu else {
        assert_eq!((decision.reason, &patched), (Reason::NotGuaranteed, &pod));
        return;
    };
    let plan = decision.plan.unwrap();
    assert_eq!((plan.request.to, plan.limit.to), (6008 * MIB, 6008 * MIB));
    let resources = &patched["spec"]["containers"][0]["resources"];
    assert_eq!(
        (&resources["limits"]["memory"], &resources["limits"]["cpu"]),
        (&json!("6008Mi"), &json!(cpu))
    );
    let plan = plan_of(&patched);
    assert_eq!((&plan["qosClass"], &plan["oomScoreAdj"]), (&json!("Guaranteed"), &json!(-997)));
}

fn cpu_range(item: &Value) -> StateParts {
    StateParts { limit_ranges: vec![limit_range(item)], ..StateParts::default() }
}

fn quota(namespace: &str, key: &str) -> StateParts {
    let quota = ResourceQuota {
        namespace: namespace.to_owned(),
        name: "quota".to_owned(),
        hard: vec!["requests.cpu".to_owned(), key.to_owned()],
    };
    StateParts { quotas: vec![quota], ..StateParts::default() }
}

#[rstest]
#[case::a_maximum_below(cpu_range(&json!({"type": "Container", "max": {"cpu": "3"}})), false)]
#[case::a_maximum_of_the_pod_below(cpu_range(&json!({"type": "Pod", "max": {"cpu": "3"}})), false)]
#[case::a_maximum_that_fits(cpu_range(&json!({"type": "Container", "max": {"cpu": "4"}})), true)]
#[case::a_minimum_above(cpu_range(&json!({"type": "Container", "min": {"cpu": "5"}})), false)]
#[case::a_ratio_of_one(cpu_range(&json!({"type": "Container", "maxLimitRequestRatio": {"cpu": "1"}})), true)]
#[case::a_quota_on_cpu_limits(quota("default", "limits.cpu"), false)]
#[case::a_quota_on_something_else(quota("default", "limits.memory"), true)]
#[case::a_quota_of_another_namespace(quota("other", "limits.cpu"), true)]
fn what_is_written_is_allowed_in_the_namespace(#[case] more: StateParts, #[case] allowed: bool) {
    let parts = StateParts { nodes: vec![crio_node()], ..more };
    let state = with_nodes(guaranteeing(), parts);
    let (decision, _) = admit(&cpu("4", None), &state);
    let reason = if allowed { Reason::Planned } else { Reason::NotGuaranteed };
    assert_eq!(decision.reason, reason);
    let (decision, _) = admit(&cpu("4", Some("4")), &state);
    assert_eq!(decision.reason, Reason::Planned, "a limit that is there is not written");
}

fn with_nodes(class: SwapClass, parts: StateParts) -> spark_swap::sizing::state::State {
    let parts = StateParts { classes: vec![class], ..parts };
    spark_swap::sizing::state::State::new(parts, spark_swap::sizing::state::Settings::default())
}

/// The kubelet gives Guaranteed pods no swap, so their swap must be written: validated, and safe if it is not.
#[test]
fn the_kubelet_backend_never_makes_a_pod_guaranteed() {
    let swap = SwapBackend { via: Backend::Kubelet, max_per_executor: None };
    let class = SwapClass { swap, ..guaranteeing() };
    let (decision, patched) = admit(&cpu("4", None), &example_state(class, StateParts::default()));
    assert_ne!(patched["spec"]["containers"][0]["resources"]["limits"]["cpu"], "4", "{}", decision.reason);
}

/// Under Guaranteed L = R whatever the strategy, so a ratio cannot forbid what HeapGrowth keeps: R = L = 9010Mi.
#[test]
fn a_ratio_does_not_stop_the_growth_of_a_guaranteed_heap() {
    let class = SwapClass {
        strategy: Strategy::HeapGrowth,
        heap_growth_percent: 10,
        peak_margin_percent: 0,
        ..guaranteeing()
    };
    let ratio = json!({"type": "Container", "maxLimitRequestRatio": {"memory": "1"}});
    let parts = StateParts { nodes: vec![crio_node()], ..cpu_range(&ratio) };
    let (decision, _) = admit(&cpu("4", None), &with_nodes(class, parts));
    let plan = decision.plan.unwrap();
    assert_eq!((plan.strategy, plan.limit.to), (Strategy::HeapGrowth, 9010 * MIB));
}
