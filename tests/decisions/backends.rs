//! Swap that is written into annotations, for CRI-O and for the NRI plugin.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::bound::Bound;
use spark_swap::sizing::class::{Backend, Enforcement, Strategy, SwapBackend, SwapClass};
use spark_swap::sizing::nodes::Node;

use crate::cluster::{GIB, admit, class, example, node, plan_of, state, with, with_container, with_label};

const MIB: u64 = 1 << 20;
const CRIO: &str = "unified-cgroup.crio.io/";
const CRIO_OLD: &str = "io.kubernetes.cri-o.UnifiedCgroup.";
const NRI: &str = "memory.swap.max.memory-qos.nri.io/";

/// R = 6008Mi on 64Gi with 32Gi of swap: 3004Mi, 3149922304 bytes.
fn density(via: Backend) -> SwapClass {
    SwapClass {
        swap: SwapBackend { via, max_per_executor: None },
        working_set_percent: 50,
        peak_margin_percent: 0,
        ..class(Strategy::Density)
    }
}

fn safety_net(via: Backend) -> SwapClass {
    SwapClass { strategy: Strategy::SafetyNet, ..density(via) }
}

fn nodes(via: Backend) -> Vec<Node> {
    vec![node("swap-1", 64 * GIB, 32 * GIB, &[(via.evidence_label(), "500")])]
}

fn annotations(pod: &Value) -> Vec<(String, String)> {
    let annotations = pod["metadata"]["annotations"].as_object().into_iter().flatten();
    let others = annotations.filter(|(key, _)| *key != "spark-swap.io/plan");
    others.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// CRI-O decodes a value that happens to be base64, as 3149922304 would not but others do: always encoded.
#[rstest]
#[case::crio(Backend::CrioAnnotation, &[CRIO_OLD, CRIO], "memory.swap.max=MzE0OTkyMjMwNA==")]
#[case::nri(Backend::NriMemoryQos, &[NRI], "3149922304")]
#[case::kubelet(Backend::Kubelet, &[], "")]
fn each_backend_has_its_annotations(#[case] via: Backend, #[case] prefixes: &[&str], #[case] value: &str) {
    let (decision, patched) = admit(&example(), &state(density(via), nodes(via)));
    let expected: Vec<_> = prefixes
        .iter()
        .map(|prefix| (format!("{prefix}spark-kubernetes-executor"), value.to_owned()))
        .collect();
    assert_eq!(annotations(&patched), expected);
    let plan = decision.plan.unwrap();
    assert_eq!((plan.expected_swap, plan.possible_swap), (3_149_922_304, 3_149_922_304));
    let pinned =
        &patched["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let key = &pinned["nodeSelectorTerms"][0]["matchExpressions"][0]["key"];
    assert_eq!(key, via.evidence_label());
}

/// The name part of an annotation key has at most 63 characters: 34 of them are CRI-O's old prefix.
#[rstest]
#[case::fits(29, &[CRIO_OLD, CRIO])]
#[case::one_more(30, &[CRIO])]
#[case::the_longest_container_name(63, &[CRIO])]
fn a_key_that_is_too_long_is_not_written(#[case] length: usize, #[case] prefixes: &[&str]) {
    let name = "c".repeat(length);
    let pod = with_container(example(), "/name", json!(name));
    let via = Backend::CrioAnnotation;
    let (_, patched) = admit(&pod, &state(density(via), nodes(via)));
    let keys: Vec<String> = annotations(&patched).into_iter().map(|(key, _)| key).collect();
    let expected: Vec<String> = prefixes.iter().map(|prefix| format!("{prefix}{name}")).collect();
    assert_eq!(keys, expected);
}

/// 1Gi of swap at most: R >= 9011Mi - 1024Mi and a page; 1.02 * 7988 = 8147.8.
#[rstest]
#[case::the_cap_decides(GIB, 7988, GIB)]
#[case::above_the_share(64 * GIB, 6008, 3_149_922_304)]
#[case::whole_pages(GIB + 4095, 7988, GIB)]
fn the_cap_is_the_most_an_executor_gets(#[case] cap: u64, #[case] request: u64, #[case] swap: u64) {
    let via = Backend::NriMemoryQos;
    let mut class = density(via);
    class.swap.max_per_executor = Some(cap);
    let (decision, patched) = admit(&example(), &state(class, nodes(via)));
    let plan = decision.plan.unwrap();
    assert_eq!((plan.bound, plan.request.to / MIB), (Bound::PeakOverSwap, request));
    assert_eq!(annotations(&patched)[0].1, swap.to_string());
    assert_eq!(plan_of(&patched)["expectedSwap"], swap);
}

/// The annotation is one value for whatever node comes: the smallest share. 9010Mi * 16 / 64 = 2252.5Mi.
#[test]
fn the_smallest_share_is_written() {
    let via = Backend::NriMemoryQos;
    let mut two = nodes(via);
    two.push(node("swap-2", 64 * GIB, 16 * GIB, &[(via.evidence_label(), "250")]));
    let (decision, patched) = admit(&example(), &state(safety_net(via), two));
    assert_eq!(decision.reason, Reason::Planned);
    assert_eq!(annotations(&patched)[0].1, "2361917440");
    assert_eq!(plan_of(&patched)["node"]["name"], "swap-2");
}

fn unlabelled() -> Node {
    node("plain", 64 * GIB, 32 * GIB, &[])
}

#[rstest]
#[case::nothing_known(vec![], false, Reason::NodesUnknown)]
#[case::no_evidence(vec![unlabelled()], false, Reason::NoSwapNode)]
#[case::no_evidence_when_confined(vec![unlabelled()], true, Reason::NoSwapNode)]
#[case::one_without(vec![nodes(Backend::NriMemoryQos)[0].clone(), unlabelled()], false, Reason::NoSwapNode)]
#[case::confined_to_the_others(vec![nodes(Backend::NriMemoryQos)[0].clone(), unlabelled()], true, Reason::Planned)]
#[case::evidence_of_the_kubelet(vec![node("swap-1", 64 * GIB, 32 * GIB, &[("spark-swap.io/limited-swap-permille", "500")])], false, Reason::NoSwapNode)]
#[case::less_than_the_class_asks_for(vec![node("swap-1", 64 * GIB, 32 * GIB, &[("spark-swap.io/nri-swap-permille", "99")])], false, Reason::NoSwapNode)]
// 9010Mi / 64Gi * 29000 bytes is less than a page.
#[case::a_grant_of_nothing(vec![node("swap-1", 64 * GIB, 29000, &[("spark-swap.io/nri-swap-permille", "500")])], false, Reason::NoSwapNode)]
fn a_safety_net_needs_evidence_as_well(
    #[case] nodes: Vec<Node>,
    #[case] only_with_swap: bool,
    #[case] reason: Reason,
) {
    let mut class = safety_net(Backend::NriMemoryQos);
    class.nodes.only_with_swap = only_with_swap;
    let (decision, patched) = admit(&example(), &state(class, nodes));
    assert_eq!(decision.reason, reason);
    let confined = patched["spec"].get("affinity").is_some();
    assert_eq!(confined, only_with_swap && reason == Reason::Planned);
}

#[rstest]
#[case::the_same_value(CRIO, "memory.swap.max=MzE0OTkyMjMwNA==", Reason::Planned)]
#[case::another_value(CRIO, "memory.swap.max=bWF4", Reason::PinConflict)]
#[case::another_value_of_the_old_key(CRIO_OLD, "memory.high=MTAw", Reason::PinConflict)]
fn an_annotation_that_is_there_is_not_overwritten(
    #[case] prefix: &str,
    #[case] value: &str,
    #[case] reason: Reason,
) {
    let key = format!("{prefix}spark-kubernetes-executor").replace('/', "~1");
    let pod = with(example(), &format!("/metadata/annotations/{key}"), json!(value));
    let via = Backend::CrioAnnotation;
    let (decision, patched) = admit(&pod, &state(density(via), nodes(via)));
    assert_eq!(decision.reason, reason);
    assert_eq!(patched == pod, reason == Reason::PinConflict);
}

#[test]
fn an_audited_plan_writes_no_swap() {
    let via = Backend::CrioAnnotation;
    let class = SwapClass { enforcement: Enforcement::Audit, ..density(via) };
    let (_, patched) = admit(&example(), &state(class, nodes(via)));
    assert_eq!(annotations(&patched), []);
    assert_eq!(plan_of(&patched)["expectedSwap"], 3_149_922_304_u64);
}

/// Executors of the class are confined to nodes with evidence, whatever else is there.
#[test]
fn growth_by_labels_needs_no_evidence_on_nodes_that_the_class_keeps_executors_off() {
    let via = Backend::CrioAnnotation;
    let mut class = safety_net(via);
    class.nodes.only_with_swap = true;
    let nodes = [nodes(via), vec![node("plain-1", 64 * GIB, 0, &[])]].concat();
    let pod = with_label(example(), "spark.executor.memory", "10g");
    let (decision, _) = admit(&pod, &state(class, nodes));
    assert_eq!((decision.plan.unwrap().bound, decision.notes.len()), (Bound::Growth, 0));
}

#[test]
fn audit_records_no_plan_that_enforce_would_not_apply() {
    let via = Backend::CrioAnnotation;
    let class = SwapClass { enforcement: Enforcement::Audit, ..density(via) };
    let key = format!("{CRIO}spark-kubernetes-executor").replace('/', "~1");
    let pod = with(example(), &format!("/metadata/annotations/{key}"), json!("memory.swap.max=bWF4"));
    let (decision, patched) = admit(&pod, &state(class, nodes(via)));
    assert_eq!((decision.reason, patched), (Reason::PinConflict, pod));
}
