//! Which nodes an executor may land on: shown by a node without evidence, which rules out Density where it is eligible.

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::class::{Strategy, SwapClass};
use spark_swap::sizing::nodes::{Node, TaintPattern};
use spark_swap::sizing::placement::{Taint, Toleration};
use spark_swap::sizing::state::{Settings, State, StateParts};

use crate::cluster::{GIB, admit, class, example, node, state, swap_node, with};

/// Without evidence, in another zone, of an older generation.
fn plain() -> Node {
    node("plain", 64 * GIB, 0, &[("zone", "b"), ("generation", "3"), ("word", "x")])
}

fn proven() -> Node {
    let mut node = swap_node("swap-1");
    let labels = [("zone", "a"), ("generation", "5"), ("disk", "nvme"), ("word", "9")];
    node.labels.extend(labels.map(|(key, value)| (key.to_owned(), value.to_owned())));
    node
}

fn reason(pod: &Value, class: SwapClass, plain: Node) -> Reason {
    admit(pod, &state(class, vec![proven(), plain])).0.reason
}

fn requiring(terms: &Value) -> Value {
    with(
        example(),
        "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms",
        terms.clone(),
    )
}

fn expression(key: &str, operator: &str, values: &[&str]) -> Value {
    json!([{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}])
}

fn field(operator: &str, name: &str) -> Value {
    json!([{"matchFields": [{"key": "metadata.name", "operator": operator, "values": [name]}]}])
}

#[rstest]
#[case::nothing_keeps_it_out(example(), true)]
#[case::node_selector(with(example(), "/spec/nodeSelector", json!({"zone": "a"})), false)]
#[case::node_selector_that_matches_both(with(example(), "/spec/nodeSelector", json!({})), true)]
#[case::in_another(requiring(&expression("zone", "In", &["a", "c"])), false)]
#[case::in_both(requiring(&expression("zone", "In", &["a", "b"])), true)]
#[case::not_in(requiring(&expression("zone", "NotIn", &["b"])), false)]
#[case::not_in_for_an_absent_label(requiring(&expression("disk", "NotIn", &["ssd"])), true)]
#[case::exists(requiring(&expression("disk", "Exists", &[])), false)]
#[case::greater(requiring(&expression("generation", "Gt", &["4"])), false)]
#[case::greater_than_both(requiring(&expression("generation", "Gt", &["2"])), true)]
#[case::greater_is_not_equal(requiring(&expression("generation", "Gt", &["3"])), false)]
#[case::a_word_is_not_greater(requiring(&expression("word", "Gt", &["1"])), false)]
#[case::by_name(requiring(&field("In", "swap-1")), false)]
#[case::not_by_name(requiring(&field("NotIn", "plain")), false)]
#[case::terms_are_alternatives(requiring(&json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["plain"]}]}, {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}])), true)]
#[case::an_empty_term_matches_nothing(requiring(&json!([{}, {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}])), false)]
#[case::requirements_are_all_needed(requiring(&json!([{"matchExpressions": [{"key": "generation", "operator": "Exists"}, {"key": "zone", "operator": "In", "values": ["a"]}]}])), false)]
#[case::preferences_do_not_count(with(example(), "/spec/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution", json!([{"weight": 1, "preference": {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["swap-1"]}]}}])), true)]
#[case::node_name(with(example(), "/spec/nodeName", json!("swap-1")), false)]
#[case::an_empty_node_name(with(example(), "/spec/nodeName", json!("")), true)]
fn the_pods_own_rules(#[case] pod: Value, #[case] eligible: bool) {
    let expected = if eligible { Reason::NoSwapNode } else { Reason::Planned };
    assert_eq!(reason(&pod, class(Strategy::Density), plain()), expected);
}

/// `Lt` and `DoesNotExist` the other way round: they keep out the node with evidence, and then nothing is left.
#[rstest]
#[case(requiring(&expression("generation", "Lt", &["4"])))]
#[case(requiring(&expression("disk", "DoesNotExist", &[])))]
#[case(requiring(&expression("zone", "In", &["nowhere"])))]
#[case(requiring(&json!([{}])))]
#[case(requiring(&expression("zone", "Like", &["a"])))]
fn rules_that_keep_out_all_swap(#[case] pod: Value) {
    assert_eq!(reason(&pod, class(Strategy::Density), plain()), Reason::NoSwapNode);
}

#[rstest]
#[case::a_node_without_evidence("plain")]
#[case::an_unknown_node("elsewhere")]
fn a_node_name_that_does_not_qualify_is_a_conflict(
    #[case] name: &str,
    #[values(Strategy::Density, Strategy::HeapGrowth)] strategy: Strategy,
) {
    let pod = with(example(), "/spec/nodeName", json!(name));
    assert_eq!(reason(&pod, class(strategy), plain()), Reason::PinConflict);
}

fn tainted(key: &str, value: &str, effect: &str) -> Node {
    let taint = Taint { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned() };
    Node { taints: vec![taint], ..plain() }
}

#[rstest]
#[case::no_schedule("dedicated", "NoSchedule", false)]
#[case::no_execute("dedicated", "NoExecute", false)]
#[case::only_preferred("dedicated", "PreferNoSchedule", true)]
#[case::cordoned("node.kubernetes.io/unschedulable", "NoSchedule", true)]
#[case::not_ready("node.kubernetes.io/not-ready", "NoExecute", true)]
#[case::unreachable("node.kubernetes.io/unreachable", "NoExecute", true)]
#[case::not_initialised("node.cloudprovider.kubernetes.io/uninitialized", "NoSchedule", true)]
#[case::shut_down("node.cloudprovider.kubernetes.io/shutdown", "NoSchedule", true)]
#[case::karpenter("karpenter.sh/disrupted", "NoSchedule", true)]
#[case::to_be_deleted("ToBeDeletedByClusterAutoscaler", "NoSchedule", true)]
#[case::perhaps_deleted("DeletionCandidateOfClusterAutoscaler", "NoSchedule", true)]
#[case::cilium("node.cilium.io/agent-not-ready", "NoSchedule", true)]
#[case::any_agent("example.com/agent-not-ready", "NoExecute", true)]
#[case::only_the_same_prefix("node.kubernetes.io.example.com/x", "NoSchedule", false)]
#[case::longer_than_the_name("ToBeDeletedByClusterAutoscalerSoon", "NoSchedule", false)]
#[case::more_by_the_operator("startup.example.com/cni", "NoSchedule", true)]
fn taints_that_pass_do_not_keep_nodes_out(#[case] key: &str, #[case] effect: &str, #[case] eligible: bool) {
    let settings = Settings {
        transient_taints: vec![TaintPattern::new("startup.example.com/*").unwrap()],
        ..Settings::default()
    };
    let parts = StateParts {
        classes: vec![class(Strategy::Density)],
        nodes: vec![proven(), tainted(key, "", effect)],
        ..StateParts::default()
    };
    let expected = if eligible { Reason::NoSwapNode } else { Reason::Planned };
    assert_eq!(admit(&example(), &State::new(parts, settings)).0.reason, expected);
}

fn tolerating(toleration: &Value) -> Value {
    with(example(), "/spec/tolerations", json!([toleration]))
}

/// The taint is `dedicated=spark:NoSchedule`.
#[rstest]
#[case::equal(json!({"key": "dedicated", "operator": "Equal", "value": "spark", "effect": "NoSchedule"}), true)]
#[case::equal_is_the_default(json!({"key": "dedicated", "value": "spark", "effect": "NoSchedule"}), true)]
#[case::every_effect(json!({"key": "dedicated", "value": "spark"}), true)]
#[case::every_value(json!({"key": "dedicated", "operator": "Exists"}), true)]
#[case::everything(json!({"operator": "Exists"}), true)]
#[case::everything_of_the_effect(json!({"operator": "Exists", "effect": "NoSchedule"}), true)]
#[case::another_value(json!({"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}), false)]
#[case::no_value(json!({"key": "dedicated", "effect": "NoSchedule"}), false)]
#[case::another_effect(json!({"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}), false)]
#[case::another_key(json!({"key": "other", "operator": "Exists"}), false)]
#[case::seconds_do_not_matter(json!({"key": "dedicated", "operator": "Exists", "tolerationSeconds": 1}), true)]
fn tolerations_let_nodes_in(#[case] toleration: Value, #[case] eligible: bool) {
    let expected = if eligible { Reason::NoSwapNode } else { Reason::Planned };
    let node = tainted("dedicated", "spark", "NoSchedule");
    assert_eq!(reason(&tolerating(&toleration), class(Strategy::Density), node), expected);
}

fn selecting(zone: &str) -> SwapClass {
    let mut class = class(Strategy::Density);
    class.nodes.selector = BTreeMap::from([("zone".to_owned(), zone.to_owned())]);
    class
}

#[test]
fn the_classs_tolerations_let_nodes_in_and_are_written() {
    let toleration =
        Toleration { key: "dedicated".into(), operator: "Exists".into(), ..Toleration::default() };
    let mut class = class(Strategy::Density);
    class.nodes.tolerations = vec![toleration];
    let node = tainted("dedicated", "spark", "NoSchedule");
    assert_eq!(reason(&example(), class.clone(), node), Reason::NoSwapNode);
    let (_, patched) = admit(&example(), &state(class, vec![proven()]));
    assert_eq!(patched["spec"]["tolerations"], json!([{"key": "dedicated", "operator": "Exists"}]));
}

#[rstest]
#[case::density(Strategy::Density)]
#[case::safety_net(Strategy::SafetyNet)]
fn the_classs_selector_keeps_nodes_out_and_is_written(#[case] strategy: Strategy) {
    let class = SwapClass { strategy, ..selecting("a") };
    let pod = with(example(), "/spec/nodeSelector", json!({"disk": "nvme"}));
    let (decision, patched) = admit(&pod, &state(class, vec![proven(), plain()]));
    assert_eq!(decision.reason, Reason::Planned);
    assert_eq!(patched["spec"]["nodeSelector"], json!({"disk": "nvme", "zone": "a"}));
}

#[rstest]
#[case::another_value("b", Reason::PinConflict)]
#[case::the_same_value("a", Reason::Planned)]
fn a_selector_of_the_pod_is_not_overwritten(
    #[case] zone: &str,
    #[case] expected: Reason,
    #[values(Strategy::SafetyNet, Strategy::Density)] strategy: Strategy,
) {
    let class = SwapClass { strategy, ..selecting("a") };
    let pod = with(example(), "/spec/nodeSelector", json!({"zone": zone}));
    assert_eq!(reason(&pod, class, plain()), expected);
}

/// "Never pin to nothing"; with nodes known, but none that matches, the design also says NoSwapNode.
#[rstest]
#[case::no_nodes(vec![], &[Reason::NodesUnknown])]
#[case::none_matches(vec![plain()], &[Reason::NodesUnknown, Reason::NoSwapNode])]
fn a_class_with_a_selector_needs_a_matching_node(#[case] nodes: Vec<Node>, #[case] reasons: &[Reason]) {
    let class = SwapClass { strategy: Strategy::SafetyNet, ..selecting("nowhere") };
    let (decision, patched) = admit(&example(), &state(class, nodes));
    assert!(reasons.contains(&decision.reason), "{}", decision.reason);
    assert_eq!(patched, example());
}

#[rstest]
#[case::no_swap_anywhere(vec![plain()], Reason::NoSwapNode)]
#[case::swap_without_evidence(vec![plain(), node("other", 64 * GIB, GIB, &[])], Reason::Planned)]
#[case::nothing_is_known(vec![], Reason::Planned)]
fn a_safety_net_needs_a_node_with_swap_where_nodes_are_known(
    #[case] nodes: Vec<Node>,
    #[case] expected: Reason,
) {
    assert_eq!(admit(&example(), &state(class(Strategy::SafetyNet), nodes)).0.reason, expected);
}
