//! Density: the smallest request that memory and swap together make safe.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::bound::Bound;
use spark_swap::sizing::class::{LimitMode, Strategy, SwapClass};
use spark_swap::sizing::state::StateParts;

use crate::cluster::{
    EVIDENCE, GIB, admit, class, example, example_state, executor, limit_range, node, state, swap_node,
    with_container, with_env,
};
use crate::measured::usages;

const MIB: u64 = 1 << 20;

/// W 50 % and its margin 15 %: 57.5 % of 9011Mi is 5181.3Mi. The peak without a margin: R + R/2 >= 9011Mi and a page.
fn density() -> SwapClass {
    SwapClass { working_set_percent: 50, peak_margin_percent: 0, ..class(Strategy::Density) }
}

/// R and L in MiB for the example.
#[rstest]
// 1.5 * 6008 = 9012; 1.5 * 6007 = 9010.5.
#[case::the_peak_over_swap(density(), Bound::PeakOverSwap, 6008, 6129)]
// Q = 1.1 * 9011Mi = 9912.1Mi; 9912.1 / 1.5 = 6608.07, and a page more does not reach the next Mi.
#[case::the_peak_with_its_margin(SwapClass { peak_margin_percent: 10, ..density() }, Bound::PeakOverSwap, 6609, 6742)]
// Q = 0.8 * 9011 = 7208.8Mi; / 1.5 = 4805.9 is below the 5182 of the working set. 1.02 * 5182 = 5285.6.
#[case::the_working_set(SwapClass { peak_percent: 80, ..density() }, Bound::WorkingSet, 5182, 5286)]
// 70 % and 15 %: 80.5 % of 9011 = 7253.9.
#[case::the_default_working_set(SwapClass { working_set_percent: 70, ..density() }, Bound::WorkingSet, 7254, 7400)]
#[case::no_margin(SwapClass { working_set_percent: 70, margin_percent: 0, ..density() }, Bound::WorkingSet, 6308, 6435)]
#[case::the_minimum_request(SwapClass { minimum_request: 8 * GIB, ..density() }, Bound::MinimumRequest, 8192, 8356)]
#[case::a_minimum_that_is_no_whole_mib(SwapClass { minimum_request: 8 * GIB + 1, ..density() }, Bound::MinimumRequest, 8193, 8357)]
// 97 % of 9011Mi is 8740.67Mi: 8740 gains enough, 8741 does not.
#[case::the_least_gain(SwapClass { minimum_request: 8740 * MIB, ..density() }, Bound::MinimumRequest, 8740, 8915)]
#[case::too_little_gain(SwapClass { minimum_request: 8741 * MIB, ..density() }, Bound::GainTooSmall, 9010, 9011)]
#[case::a_loose_limit(SwapClass { limit: LimitMode::Loose, ..density() }, Bound::PeakOverSwap, 6008, 9011)]
fn the_largest_need_decides(
    #[case] class: SwapClass,
    #[case] bound: Bound,
    #[case] request: u64,
    #[case] limit: u64,
) {
    let (decision, patched) = admit(&example(), &state(class, vec![swap_node("swap-1")]));
    let plan = decision.plan.unwrap();
    assert_eq!((plan.bound, plan.request.to / MIB, plan.limit.to / MIB), (bound, request, limit));
    let expected = if bound == Bound::GainTooSmall { Strategy::SafetyNet } else { Strategy::Density };
    assert_eq!(plan.strategy, expected);
    assert_eq!(usages(&patched)[0].memory, (Some(request * MIB), Some(limit * MIB)));
}

/// The smallest promise of all eligible nodes counts; R for Q = 9011Mi.
#[rstest]
#[case::one_to_one(&[(64, 64, "1000")], 4506, 5182)]
#[case::the_smallest_ratio(&[(64, 64, "1000"), (64, 32, "500")], 6008, 6008)]
#[case::the_smaller_of_label_and_actual_label(&[(64, 64, "500")], 6008, 6008)]
#[case::the_smaller_of_label_and_actual_swap(&[(64, 32, "1000")], 6008, 6008)]
// 1000 * 40 / 376 = 106.4: 106 permille; 9011 / 1.106 = 8147.4.
#[case::ratios_round_down(&[(376, 40, "106")], 8148, 8148)]
// The 4Gi node cannot hold it.
#[case::nodes_that_are_too_small_do_not_count(&[(64, 32, "500"), (4, 1, "250")], 6008, 6008)]
fn every_node_must_back_the_peak(
    #[case] nodes: &[(u64, u64, &str)],
    #[case] by_swap: u64,
    #[case] request: u64,
) {
    let nodes = nodes.iter().enumerate().map(|(place, (memory, swap, label))| {
        node(&format!("swap-{place}"), memory * GIB, swap * GIB, &[(EVIDENCE, label)])
    });
    let (decision, _) = admit(&example(), &state(density(), nodes.collect()));
    let plan = decision.plan.unwrap();
    assert_eq!(plan.request.to / MIB, request, "swap alone asks for {by_swap}");
}

/// R is 1334Mi for 2000Mi (1.5 * 1334 = 2001); 1.02 * 1334 = 1360.7. The JDK falls back to SerialGC below 1792Mi.
#[rstest]
#[case::stays_at_1792(2000, None, 1334, 1792)]
#[case::a_collector_is_chosen(2000, Some("-XX:+UseG1GC"), 1334, 1361)]
#[case::another_collector(2000, Some("-XX:+UseParallelGC"), 1334, 1361)]
#[case::a_collector_is_switched_off(2000, Some("-XX:-UseG1GC"), 1334, 1792)]
#[case::another_flag(2000, Some("-XX:+UseStringDeduplication"), 1334, 1792)]
// 1792 / 1.5 = 1194.7 and a page: 1195.
#[case::exactly_1792(1792, None, 1195, 1792)]
// Below already: 1791 / 1.5 = 1194, and a page more: 1195; 1.02 * 1195 = 1218.9.
#[case::below_already(1791, None, 1195, 1219)]
// 2700 / 1.5 = 1800 and a page: 1801; 1.02 * 1801 = 1837.02 is above 1792 itself.
#[case::tight_is_above(2700, None, 1801, 1838)]
fn a_tight_limit_keeps_the_collector(
    #[case] total: u64,
    #[case] option: Option<&str>,
    #[case] request: u64,
    #[case] limit: u64,
) {
    let pod = executor(total / 2, total);
    let pod = option.map_or_else(|| pod.clone(), |option| with_env(pod.clone(), "SPARK_JAVA_OPT_7", option));
    let (decision, _) = admit(&pod, &state(density(), vec![swap_node("swap-1")]));
    let plan = decision.plan.unwrap();
    assert_eq!((plan.request.to / MIB, plan.limit.to / MIB), (request, limit));
}

/// T is not whole: 9011Mi and a byte. R and L are whole all the same, and a limit that stays is not touched.
#[test]
fn odd_totals_keep_their_limit_to_the_byte() {
    let odd = json!({"memory": "9448718337"});
    let pod = with_container(example(), "/resources", json!({"requests": odd, "limits": odd}));
    let loose = SwapClass { limit: LimitMode::Loose, ..density() };
    let (decision, patched) = admit(&pod, &state(loose, vec![swap_node("swap-1")]));
    assert_eq!(decision.plan.unwrap().request.to, 6008 * MIB);
    assert_eq!(patched["spec"]["containers"][0]["resources"]["limits"]["memory"], "9448718337");
}

fn requesting(mib: u64) -> Value {
    with_container(example(), "/resources/requests/memory", json!(format!("{mib}Mi")))
}

/// 6008 is 97 % of 6193.8.
#[rstest]
#[case::enough_gain(6194, Reason::Planned)]
#[case::too_little_gain(6193, Reason::AlreadyBelowLimit)]
#[case::the_request_is_smaller_already(5000, Reason::AlreadyBelowLimit)]
fn a_request_below_the_limit_shrinks_when_that_gains(#[case] request: u64, #[case] reason: Reason) {
    let (decision, _) = admit(&requesting(request), &state(density(), vec![swap_node("swap-1")]));
    assert_eq!(decision.reason, reason);
}

/// What a LimitRange makes of 6008 and 6129.
#[rstest]
#[case::a_minimum(json!({"type": "Container", "min": {"memory": "8000Mi"}}), LimitMode::Tight, Bound::LimitRange, 8000, 8160)]
#[case::a_minimum_below(json!({"type": "Container", "min": {"memory": "6008Mi"}}), LimitMode::Tight, Bound::PeakOverSwap, 6008, 6129)]
#[case::a_minimum_of_the_pod(json!({"type": "Pod", "min": {"memory": "7000Mi"}}), LimitMode::Tight, Bound::LimitRange, 7000, 7140)]
// 9011 / 7510 = 1.19987, 9011 / 7509 = 1.20003.
#[case::a_ratio(json!({"type": "Container", "maxLimitRequestRatio": {"memory": "1.2"}}), LimitMode::Loose, Bound::LimitRange, 7510, 9011)]
#[case::a_ratio_of_the_pod(json!({"type": "Pod", "maxLimitRequestRatio": {"memory": "1.2"}}), LimitMode::Loose, Bound::LimitRange, 7510, 9011)]
// 1.01 * 8922 = 9011.2 is more than 97 % of 9011.
#[case::a_ratio_that_leaves_too_little(json!({"type": "Container", "maxLimitRequestRatio": {"memory": "1.01"}}), LimitMode::Loose, Bound::LimitRange, 9010, 9011)]
#[case::a_minimum_that_leaves_too_little(json!({"type": "Container", "min": {"memory": "8741Mi"}}), LimitMode::Tight, Bound::LimitRange, 9010, 9011)]
#[case::of_another_type(json!({"type": "PersistentVolumeClaim", "min": {"memory": "8000Mi"}}), LimitMode::Tight, Bound::PeakOverSwap, 6008, 6129)]
#[case::of_another_resource(json!({"type": "Container", "min": {"cpu": "4"}}), LimitMode::Tight, Bound::PeakOverSwap, 6008, 6129)]
// Tight is 6129 / 6008 = 1.0201 and more than 1.02; 6050 is the next multiple of 50: exactly 6171.
#[case::the_tight_ratio_itself(json!({"type": "Container", "maxLimitRequestRatio": {"memory": "1.02"}}), LimitMode::Tight, Bound::LimitRange, 6050, 6171)]
fn limit_ranges_hold(
    #[case] item: Value,
    #[case] limit_mode: LimitMode,
    #[case] bound: Bound,
    #[case] request: u64,
    #[case] limit: u64,
) {
    let class = SwapClass { limit: limit_mode, ..density() };
    let more = StateParts { limit_ranges: vec![limit_range(&item)], ..StateParts::default() };
    let (decision, _) = admit(&example(), &example_state(class, more));
    let plan = decision.plan.unwrap();
    assert_eq!((plan.bound, plan.request.to / MIB, plan.limit.to / MIB), (bound, request, limit));
}

/// T = 20000Mi and a little: R is 13334Mi by swap and more; the LimitRange asks for 18001Mi, and 18050 is the next
/// multiple of 50. What still gains enough ends at 97 %, which is a multiple of 50 for 20000 alone.
#[rstest]
#[case(20000)]
#[case(20010)]
#[case(20049)]
fn a_tight_ratio_far_above_the_smallest_request_still_has_its_request(#[case] total: u64) {
    let item = json!({"type": "Container", "min": {"memory": "18001Mi"}, "maxLimitRequestRatio": {"memory": "1.02"}});
    let more = StateParts { limit_ranges: vec![limit_range(&item)], ..StateParts::default() };
    let (decision, _) = admit(&executor(18000, total), &example_state(density(), more));
    let plan = decision.plan.unwrap();
    assert_eq!((plan.bound, plan.request.to / MIB, plan.limit.to / MIB), (Bound::LimitRange, 18050, 18411));
}

/// T = 2000Mi: R is 1334Mi by swap. Up to 1756Mi the limit is 1792Mi, for the collector, which is more than 1.02 times;
/// from there on it is tight, and only multiples of 50 are exact: 1800Mi and 1836Mi.
/// DISAGREES: "R = the smallest value with ... LimitRange bounds"; halving needs the largest size, 1940Mi, to fit.
#[test]
fn a_tight_ratio_above_the_collectors_limit_still_has_its_request() {
    let item = json!({"type": "Container", "maxLimitRequestRatio": {"memory": "1.02"}});
    let more = StateParts { limit_ranges: vec![limit_range(&item)], ..StateParts::default() };
    let (decision, _) = admit(&executor(1000, 2000), &example_state(density(), more));
    let plan = decision.plan.unwrap();
    assert_eq!((plan.bound, plan.request.to / MIB, plan.limit.to / MIB), (Bound::LimitRange, 1800, 1836));
}

#[rstest]
#[case::nothing_is_known(vec![], Reason::NodesUnknown)]
#[case::no_node_has_swap(vec![node("plain", 64 * GIB, 0, &[])], Reason::NoSwapNode)]
#[case::no_evidence(vec![node("plain", 64 * GIB, 32 * GIB, &[])], Reason::NoSwapNode)]
#[case::one_node_without_evidence(vec![swap_node("swap-1"), node("plain", 64 * GIB, 32 * GIB, &[])], Reason::NoSwapNode)]
#[case::the_node_without_evidence_is_too_small(vec![swap_node("swap-1"), node("plain", 5 * GIB, 0, &[])], Reason::Planned)]
#[case::less_than_the_class_asks_for(vec![node("swap-1", 64 * GIB, 32 * GIB, &[(EVIDENCE, "99")])], Reason::NoSwapNode)]
// R is 6008Mi.
#[case::a_node_of_exactly_the_request(vec![node("swap-1", 6008 * MIB, 3004 * MIB, &[(EVIDENCE, "500")])], Reason::Planned)]
#[case::a_node_a_page_too_small(vec![node("swap-1", 6008 * MIB - 4096, 3004 * MIB, &[(EVIDENCE, "500")])], Reason::NoSwapNode)]
#[case::no_node_is_large_enough(vec![node("swap-1", 5 * GIB, 5 * GIB, &[(EVIDENCE, "1000")])], Reason::NoSwapNode)]
#[case::evidence_of_another_backend(vec![node("swap-1", 64 * GIB, 32 * GIB, &[("spark-swap.io/crio-swap-permille", "500")])], Reason::NoSwapNode)]
fn the_nodes_must_promise_swap(#[case] nodes: Vec<spark_swap::sizing::nodes::Node>, #[case] reason: Reason) {
    let (decision, patched) = admit(&example(), &state(density(), nodes));
    assert_eq!(decision.reason, reason);
    assert_eq!(patched == example(), reason != Reason::Planned);
}

/// 0 or not an integer: no evidence.
#[rstest]
#[case("", false)]
#[case("0", false)]
#[case("-500", false)]
#[case("500.0", false)]
#[case("5e2", false)]
#[case("0x1F4", false)]
#[case("yes", false)]
#[case("500 ", false)]
#[case("99999999999999999999", false)]
#[case("500", true)]
#[case("0500", true)]
#[case("1", true)]
fn evidence_is_a_positive_integer(#[case] label: &str, #[case] counts: bool) {
    let mut class = SwapClass { peak_percent: 50, ..density() };
    class.nodes.minimum_swap_percent = 0;
    let node = node("swap-1", 64 * GIB, 32 * GIB, &[(EVIDENCE, label)]);
    let (decision, _) = admit(&example(), &state(class, vec![node]));
    assert_eq!(decision.reason, if counts { Reason::Planned } else { Reason::NoSwapNode });
}
