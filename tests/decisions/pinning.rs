//! The proof travels with the pod: the node affinity that a plan writes.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::sizing::class::{Strategy, SwapClass};

use crate::cluster::{EVIDENCE, GIB, admit, class, example, node, plan_of, state, swap_node, with};

const REQUIRED: &str =
    "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";

/// R = 6008Mi needs 3003Mi and a page of 9011Mi: 499.9 permille, so 500.
fn density() -> SwapClass {
    SwapClass { working_set_percent: 50, peak_margin_percent: 0, ..class(Strategy::Density) }
}

fn pin() -> Value {
    json!({"key": EVIDENCE, "operator": "Gt", "values": ["499"]})
}

fn exists(key: &str) -> Value {
    json!({"key": key, "operator": "Exists"})
}

fn name_is(name: &str) -> Value {
    json!([{"key": "metadata.name", "operator": "In", "values": [name]}])
}

#[rstest]
#[case::none(Value::Null, json!([{"matchExpressions": [pin()]}]))]
#[case::one_term(json!([{"matchExpressions": [exists(EVIDENCE)]}]), json!([{"matchExpressions": [exists(EVIDENCE), pin()]}]))]
#[case::every_term(
    json!([{"matchExpressions": [exists(EVIDENCE)]}, {"matchExpressions": [exists("gpu")]}]),
    json!([{"matchExpressions": [exists(EVIDENCE), pin()]}, {"matchExpressions": [exists("gpu"), pin()]}])
)]
#[case::only_fields(
    json!([{"matchFields": name_is("swap-1")}]),
    json!([{"matchFields": name_is("swap-1"), "matchExpressions": [pin()]}])
)]
#[case::empty_expressions_beside_fields(
    json!([{"matchExpressions": [], "matchFields": name_is("swap-1")}]),
    json!([{"matchExpressions": [pin()], "matchFields": name_is("swap-1")}])
)]
#[case::an_empty_term_stays_empty(
    json!([{}, {"matchExpressions": [exists(EVIDENCE)]}]),
    json!([{}, {"matchExpressions": [exists(EVIDENCE), pin()]}])
)]
#[case::a_term_of_empty_lists_stays_empty(
    json!([{"matchExpressions": [], "matchFields": []}, {"matchExpressions": [exists(EVIDENCE)]}]),
    json!([{"matchExpressions": [], "matchFields": []}, {"matchExpressions": [exists(EVIDENCE), pin()]}])
)]
fn the_pin_goes_into_every_term_that_can_match(#[case] terms: Value, #[case] expected: Value) {
    let pod = if terms.is_null() { example() } else { with(example(), REQUIRED, terms) };
    let (_, patched) = admit(&pod, &state(density(), vec![swap_node("swap-1")]));
    assert_eq!(patched.pointer(REQUIRED), Some(&expected));
}

/// Other affinities, and preferences, stay as they are.
#[rstest]
#[case::empty(json!({}))]
#[case::of_pods(json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}}))]
#[case::an_empty_node_affinity(json!({"nodeAffinity": {}, "podAffinity": {}}))]
#[case::preferences(json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {"matchExpressions": [exists("gpu")]}}]}}))]
fn the_pin_finds_its_place(#[case] affinity: Value) {
    let pod = with(example(), "/spec/affinity", affinity.clone());
    let (_, patched) = admit(&pod, &state(density(), vec![swap_node("swap-1")]));
    let expected = with(pod, REQUIRED, json!([{"matchExpressions": [pin()]}]));
    assert_eq!(patched["spec"]["affinity"], expected["spec"]["affinity"]);
}

/// P = 60 % of 9011Mi is 5406.6Mi, W = 57.5 % is 5181.3Mi: R = 5182Mi needs 224.6Mi and a page, 43.4 permille.
#[rstest]
#[case::the_peak(0, 44)]
#[case::the_class(10, 100)]
#[case::just_the_peak(4, 44)]
#[case::just_the_class(5, 50)]
fn a_plan_that_needs_little_asks_for_what_the_class_asks_for(#[case] minimum: u64, #[case] needed: u64) {
    let mut class = SwapClass { peak_percent: 60, ..density() };
    class.nodes.minimum_swap_percent = minimum;
    let (_, patched) = admit(&example(), &state(class, vec![swap_node("swap-1")]));
    let expected = json!([(needed - 1).to_string()]);
    assert_eq!(patched.pointer(&format!("{REQUIRED}/0/matchExpressions/0/values")), Some(&expected));
    assert_eq!(plan_of(&patched)["neededPermille"], needed);
}

/// P = 50 % fits the request without any swap; still a node must promise something.
#[test]
fn at_least_one_permille_is_needed() {
    let mut class = SwapClass { peak_percent: 50, ..density() };
    class.nodes.minimum_swap_percent = 0;
    let (_, patched) = admit(&example(), &state(class, vec![swap_node("swap-1")]));
    assert_eq!(plan_of(&patched)["neededPermille"], 1);
    let expected = json!(["0"]);
    assert_eq!(patched.pointer(&format!("{REQUIRED}/0/matchExpressions/0/values")), Some(&expected));
}

#[test]
fn only_with_swap_confines_and_does_not_count_the_others() {
    let plain = node("plain", 64 * GIB, 0, &[]);
    let mut class = density();
    class.nodes.only_with_swap = true;
    let (decision, patched) = admit(&example(), &state(class, vec![swap_node("swap-1"), plain]));
    assert_eq!(patched.pointer(REQUIRED), Some(&json!([{"matchExpressions": [pin()]}])));
    let found = decision.plan.unwrap();
    assert_eq!((found.expected_swap, found.possible_swap), (3_149_922_304, 3_149_922_304));
}

#[rstest]
#[case::a_safety_net(class(Strategy::SafetyNet))]
#[case::a_fallback(SwapClass { working_set_percent: 90, ..class(Strategy::Density) })]
fn a_safety_net_is_not_pinned(#[case] class: SwapClass) {
    let (_, patched) = admit(&example(), &state(class, vec![swap_node("swap-1")]));
    assert_eq!(patched["spec"].get("affinity"), None);
    assert_eq!(plan_of(&patched)["neededPermille"], 0);
}

/// expectedSwap is 0 where one node lacks evidence; possibleSwap is the smallest grant all the same.
#[test]
fn a_safety_net_tells_what_it_expects_and_what_is_possible() {
    let nodes = vec![swap_node("swap-1"), node("plain", 128 * GIB, 32 * GIB, &[])];
    let (_, patched) = admit(&example(), &state(class(Strategy::SafetyNet), nodes));
    let plan = plan_of(&patched);
    // 9010Mi * 32 / 128 = 2252.5Mi on the plain node; oomScoreAdj for the smaller 64Gi: 1000 - 137.
    assert_eq!((&plan["expectedSwap"], &plan["possibleSwap"]), (&json!(0), &json!(2_361_917_440_u64)));
    assert_eq!((&plan["node"]["name"], &plan["oomScoreAdj"]), (&json!("plain"), &json!(863)));
}
