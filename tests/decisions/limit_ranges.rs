//! LimitRanges that a safety net must keep: R = 9010Mi, L = 9011Mi. What they make of Density is in [`crate::density`].

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::class::{Strategy, SwapClass};
use spark_swap::sizing::limit_range::LimitRange;
use spark_swap::sizing::state::StateParts;

use crate::cluster::{admit, class, example, example_state, limit_range, plan_of, with};

fn reason(pod: &Value, ranges: Vec<LimitRange>) -> Reason {
    let more = StateParts { limit_ranges: ranges, ..StateParts::default() };
    admit(pod, &example_state(class(Strategy::SafetyNet), more)).0.reason
}

fn ratio(kind: &str, ratio: &str) -> Value {
    json!({"type": kind, "maxLimitRequestRatio": {"memory": ratio}})
}

/// 9011 / 9010 = 1.00011, in thousandths 1000.11.
#[rstest]
#[case::a_ratio_of_one(ratio("Container", "1"), false)]
#[case::a_ratio_of_one_for_the_pod(ratio("Pod", "1"), false)]
#[case::a_thousandth_more(ratio("Container", "1.001"), true)]
#[case::less_than_a_thousandth_counts_as_one(ratio("Container", "1.0001"), true)]
#[case::a_large_ratio(ratio("Container", "2"), true)]
#[case::a_minimum_above_the_request(json!({"type": "Container", "min": {"memory": "9011Mi"}}), false)]
#[case::a_byte_above(json!({"type": "Container", "min": {"memory": "9447669761"}}), false)]
#[case::a_minimum_at_the_request(json!({"type": "Container", "min": {"memory": "9010Mi"}}), true)]
#[case::a_maximum_below_the_limit(json!({"type": "Container", "max": {"memory": "9010Mi"}}), false)]
#[case::a_maximum_at_the_limit(json!({"type": "Container", "max": {"memory": "9011Mi"}}), true)]
#[case::a_minimum_of_the_pod(json!({"type": "Pod", "min": {"memory": "9011Mi"}}), false)]
#[case::cpu_that_is_not_written(json!({"type": "Container", "max": {"cpu": "1m"}, "min": {"cpu": "100"}}), true)]
#[case::another_type(json!({"type": "PersistentVolumeClaim", "max": {"memory": "1Mi"}}), true)]
fn what_a_safety_net_would_break_leaves_it_alone(#[case] item: Value, #[case] allowed: bool) {
    let expected = if allowed { Reason::Planned } else { Reason::LimitRange };
    assert_eq!(reason(&example(), vec![limit_range(&item)]), expected);
}

/// Highest min, lowest max, lowest ratio: in whatever order, and never from another namespace.
#[rstest]
#[case::the_highest_minimum("min", &["9011Mi", "1Mi"])]
#[case::the_lowest_maximum("max", &["9010Mi", "64Gi"])]
#[case::the_lowest_ratio("maxLimitRequestRatio", &["1", "4"])]
fn several_limit_ranges_hold_together(#[case] bound: &str, #[case] values: &[&str]) {
    let range = |value: &str| limit_range(&json!({"type": "Container", bound: {"memory": value}}));
    let mut ranges: Vec<LimitRange> = values.iter().map(|value| range(value)).collect();
    assert_eq!(reason(&example(), ranges.clone()), Reason::LimitRange);
    ranges.reverse();
    assert_eq!(reason(&example(), ranges.clone()), Reason::LimitRange);
    for range in &mut ranges {
        range.namespace = "other".to_owned();
    }
    assert_eq!(reason(&example(), ranges), Reason::Planned);
}

fn with_beside(list: &str, container: &Value) -> Value {
    let mut pod = example();
    if pod["spec"][list].is_null() {
        pod["spec"][list] = json!([]);
    }
    pod["spec"][list].as_array_mut().unwrap().push(container.clone());
    pod
}

fn using(memory: &str) -> Value {
    json!({"name": "beside", "resources": {"requests": {"memory": memory}, "limits": {"memory": memory}}})
}

fn native(memory: &str) -> Value {
    with(using(memory), "/restartPolicy", json!("Always"))
}

/// The pod's request is 9010Mi and what stands beside it; an init container counts where it needs more than all.
#[rstest]
#[case::alone(example(), "9010Mi")]
#[case::a_sidecar(with_beside("containers", &using("1Gi")), "10034Mi")]
#[case::a_native_sidecar(with_beside("initContainers", &native("1Gi")), "10034Mi")]
#[case::a_small_init_container(with_beside("initContainers", &using("1Gi")), "9010Mi")]
#[case::a_large_init_container(with_beside("initContainers", &using("16Gi")), "16Gi")]
fn the_pods_sum_is_the_api_servers(#[case] pod: Value, #[case] sum: &str) {
    let range = |min: String| vec![limit_range(&json!({"type": "Pod", "min": {"memory": min}}))];
    assert_eq!(reason(&pod, range(sum.to_owned())), Reason::Planned);
    let mib = if sum == "16Gi" { 16 * 1024 } else { sum.trim_end_matches("Mi").parse::<u64>().unwrap() };
    assert_eq!(reason(&pod, range(format!("{}Mi", mib + 1))), Reason::LimitRange);
}

/// Under Density the bound is looked for first: a minimum of 9010Mi leaves the safety net, one more nothing.
#[rstest]
#[case("9010Mi", "LimitRange")]
#[case("8741Mi", "LimitRange")]
fn a_limit_range_that_leaves_no_gain_is_named(#[case] min: &str, #[case] bound: &str) {
    let item = json!({"type": "Container", "min": {"memory": min}});
    let more = StateParts { limit_ranges: vec![limit_range(&item)], ..StateParts::default() };
    let class = SwapClass { working_set_percent: 50, ..class(Strategy::Density) };
    let (_, patched) = admit(&example(), &example_state(class, more));
    assert_eq!(plan_of(&patched)["bound"], bound);
    assert_eq!(plan_of(&patched)["strategy"], "SafetyNet");
}
