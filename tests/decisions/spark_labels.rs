//! Spark conf labels: what the pod does not show, and growth into swap.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::reason::Notice;
use spark_swap::sizing::bound::Bound;
use spark_swap::sizing::class::{Strategy, SwapClass};
use spark_swap::sizing::plan::Plan;
use spark_swap::sizing::state::State;

use crate::cluster::{EVIDENCE, GIB};
use crate::cluster::{admit, class, example, executor, node, state, swap_node, with_env, with_label};

const MIB: u64 = 1 << 20;

fn labelled(pod: Value, labels: &[(&str, &str)]) -> Value {
    labels.iter().fold(pod, |pod, (key, value)| with_label(pod, key, value))
}

fn backed() -> State {
    state(class(Strategy::SafetyNet), vec![swap_node("swap-1")])
}

fn plan(pod: &Value, state: &State) -> (Plan, Vec<Notice>) {
    let (decision, _) = admit(pod, state);
    (decision.plan.unwrap(), decision.notes.iter().map(|note| note.notice).collect())
}

/// The example: H = 8192Mi and T0 = 9011Mi on a node with half its memory as swap. R = 9010Mi, g(R) = 4505Mi,
/// so Q may be 13515Mi less a page; Q = 1.1 * T.
#[rstest]
#[case::overhead_in_mib(&[("spark.executor.memoryOverhead", "2048")], 8192, 10240)]
#[case::overhead_with_a_unit(&[("spark.executor.memoryOverhead", "2g")], 8192, 10240)]
#[case::overhead_below_the_minimum_counts_as_it_is(&[("spark.executor.memoryOverhead", "1"), ("spark.executor.pyspark.memory", "1g")], 8192, 9217)]
#[case::factor(&[("spark.executor.memoryOverheadFactor", "0.4")], 8192, 8192 + 3276)]
#[case::overhead_beats_the_factor(&[("spark.executor.memoryOverheadFactor", "0.4"), ("spark.executor.memoryOverhead", "1000")], 8192, 9192)]
#[case::minimum_overhead(&[("spark.executor.minMemoryOverhead", "1000m")], 8192, 9192)]
#[case::minimum_overhead_below_the_factor(&[("spark.executor.minMemoryOverhead", "1m"), ("spark.executor.pyspark.memory", "100")], 8192, 8192 + 819 + 100)]
#[case::pyspark_in_mib(&[("spark.executor.pyspark.memory", "512")], 8192, 9011 + 512)]
#[case::off_heap_in_bytes(&[("spark.memory.offHeap.size", "1073741824")], 8192, 9011 + 1024)]
#[case::off_heap_with_a_unit(&[("spark.memory.offHeap.size", "1g")], 8192, 9011 + 1024)]
#[case::heap_in_mib(&[("spark.executor.memory", "9216")], 9216, 9216 + 921)]
#[case::heap_with_a_unit(&[("spark.executor.memory", "9g")], 9216, 9216 + 921)]
#[case::heap_and_factor(&[("spark.executor.memory", "9g"), ("spark.executor.memoryOverheadFactor", "0.25")], 9216, 11520)]
#[case::everything(&[("spark.executor.memory", "8g"), ("spark.executor.memoryOverhead", "1g"), ("spark.memory.offHeap.size", "512m"), ("spark.executor.pyspark.memory", "256m")], 8192, 9984)]
#[case::upper_case_units(&[("spark.executor.memoryOverhead", "2G")], 8192, 10240)]
#[case::long_units(&[("spark.executor.memoryOverhead", "2gb")], 8192, 10240)]
fn a_total_above_the_pods_grows_into_swap(
    #[case] labels: &[(&str, &str)],
    #[case] heap: u64,
    #[case] total: u64,
) {
    let (plan, notices) = plan(&labelled(example(), labels), &backed());
    assert_eq!((plan.total / MIB, plan.total % MIB), (total, 0));
    assert_eq!((plan.bound, notices), (Bound::Growth, vec![]));
    assert_eq!((plan.request.to, plan.limit.to), (9010 * MIB, 9011 * MIB));
    assert_eq!(plan.heap.unwrap().to, heap * MIB);
    assert_eq!(plan.non_heap, Some((total - heap) * MIB));
    assert_eq!((plan.peak, plan.working_set), (total * MIB, (total * MIB * 70).div_ceil(100)));
}

/// 10 % of 1024Mi is less than the minimum of 384Mi.
#[test]
fn the_overhead_has_sparks_minimum() {
    let pod = labelled(executor(1024, 1408), &[("spark.executor.pyspark.memory", "100")]);
    let (plan, _) = plan(&pod, &backed());
    assert_eq!((plan.bound, plan.total), (Bound::Growth, (1024 + 384 + 100) * MIB));
}

/// trunc(0.57 * 1200) in float64 is 683, not 684: 1200 + 683 = 1883Mi is exactly what Spark asked for.
#[test]
fn the_factor_truncates_as_sparks_float64_does() {
    let pod = labelled(executor(1200, 1883), &[("spark.executor.memoryOverheadFactor", "0.57")]);
    let (plan, notices) = plan(&pod, &backed());
    assert_eq!((plan.bound, plan.total, notices), (Bound::SafetyNet, 1883 * MIB, vec![]));
}

/// 8192 + 400 = 8592Mi is below 9011Mi.
#[rstest]
#[case::safety_net(Strategy::SafetyNet)]
#[case::density(Strategy::Density)]
fn a_total_below_the_pods_counts_as_the_pods(#[case] strategy: Strategy) {
    let pod = labelled(example(), &[("spark.executor.memoryOverhead", "400")]);
    let (plan, notices) = plan(&pod, &state(class(strategy), vec![swap_node("swap-1")]));
    assert_eq!((plan.total, plan.heap.unwrap().to), (9011 * MIB, 8192 * MIB));
    assert_eq!(notices, [Notice::LabelsBelowPod]);
}

fn without_evidence() -> State {
    state(class(Strategy::SafetyNet), vec![node("plain", 64 * GIB, 32 * GIB, &[])])
}

fn one_without_evidence() -> State {
    state(class(Strategy::SafetyNet), vec![swap_node("swap-1"), node("plain", 64 * GIB, 32 * GIB, &[])])
}

/// With 45 % of swap R + g(R) is 9010 + 4054 Mi, less than 1.1 * 12288.
fn too_little_swap() -> State {
    state(class(Strategy::SafetyNet), vec![node("swap-1", 64 * GIB, 64 * GIB, &[(EVIDENCE, "450")])])
}

/// W = 75 % of 12288Mi is 9216Mi, more than L, while Q = 1.1 * 9216Mi fits.
fn large_working_set() -> State {
    let class = SwapClass { working_set_percent: 75, peak_percent: 75, ..class(Strategy::SafetyNet) };
    state(class, vec![swap_node("swap-1")])
}

/// 8192 + 4096 = 12288Mi; Q = 13516.8Mi is not within 13515Mi either.
#[rstest]
#[case::no_nodes(State::default())]
#[case::no_evidence(without_evidence())]
#[case::one_node_without_evidence(one_without_evidence())]
#[case::too_little_swap(too_little_swap())]
#[case::just_too_little_swap(backed())]
#[case::the_working_set_is_above_the_limit(large_working_set())]
#[case::density(state(class(Strategy::Density), vec![swap_node("swap-1")]))]
#[case::heap_growth(state(SwapClass { heap_growth_percent: 10, ..class(Strategy::HeapGrowth) }, vec![swap_node("swap-1")]))]
fn growth_that_nothing_proves_is_dropped(#[case] state: State) {
    let pod = labelled(example(), &[("spark.executor.memoryOverhead", "4g")]);
    let (plan, notices) = plan(&pod, &state);
    assert_eq!((plan.total, plan.heap.unwrap().from), (9011 * MIB, 8192 * MIB));
    assert_eq!(notices, [Notice::GrowthDropped]);
}

#[test]
fn a_dropped_growth_leaves_the_heap_as_it_was() {
    let pod = labelled(example(), &[("spark.executor.memory", "12g")]);
    let (decision, patched) = admit(&pod, &without_evidence());
    assert_eq!(decision.plan.unwrap().heap.unwrap().to, 8192 * MIB);
    assert_eq!(patched["spec"]["containers"][0]["env"], pod["spec"]["containers"][0]["env"]);
}

#[rstest]
#[case::a_fraction("spark.executor.memory", "1.5g")]
#[case::not_a_size("spark.executor.memory", "lots")]
#[case::an_unknown_unit("spark.executor.memoryOverhead", "2GiB")]
#[case::empty("spark.executor.memoryOverhead", "")]
#[case::negative("spark.executor.pyspark.memory", "-1")]
#[case::too_large("spark.memory.offHeap.size", "99999999999999999999")]
#[case::a_factor_in_words("spark.executor.memoryOverheadFactor", "much")]
#[case::a_negative_factor("spark.executor.memoryOverheadFactor", "-0.1")]
#[case::not_a_factor("spark.executor.memoryOverheadFactor", "NaN")]
#[case::an_infinite_factor("spark.executor.memoryOverheadFactor", "inf")]
fn a_label_that_is_not_understood_is_a_warning(#[case] key: &str, #[case] value: &str) {
    let (plan, notices) = plan(&labelled(example(), &[(key, value)]), &backed());
    assert_eq!((plan.total, plan.bound), (9011 * MIB, Bound::SafetyNet));
    assert_eq!(notices, [Notice::LabelIgnored]);
}

/// 8500 + 400 = 8900Mi is below 9011Mi: no growth, a larger heap within the same total.
#[rstest]
#[case::larger("8500m", "400", "8500m", "8500m")]
#[case::smaller("4g", "400", "4096m", "4096m")]
#[case::what_spark_accepts_at_least("450m", "400", "450m", "450m")]
#[case::the_same("8g", "819", "8192m", "8192m")]
fn the_heap_label_rewrites_the_variable(
    #[case] heap: &str,
    #[case] overhead: &str,
    #[case] value: &str,
    #[case] last: &str,
) {
    let labels = [("spark.executor.memory", heap), ("spark.executor.memoryOverhead", overhead)];
    let (_, patched) = admit(&labelled(example(), &labels), &backed());
    assert_eq!(
        patched["spec"]["containers"][0]["env"][0],
        json!({"name": "SPARK_EXECUTOR_MEMORY", "value": value})
    );
    let twice = with_env(labelled(example(), &labels), "SPARK_EXECUTOR_MEMORY", "8g");
    let (_, patched) = admit(&twice, &backed());
    let env = &patched["spec"]["containers"][0]["env"];
    assert_eq!(env[0]["value"], "8192m", "only the last occurrence counts");
    let expected = if heap == "8g" { "8g" } else { last };
    assert_eq!(env[2]["value"], expected);
}

/// The design says "not below 450m"; that the label then does not count at all is how the code reads it.
#[test]
fn a_heap_below_what_spark_accepts_is_not_written() {
    let pod = labelled(example(), &[("spark.executor.memory", "449m")]);
    let (_, patched) = admit(&pod, &backed());
    assert_eq!(patched["spec"]["containers"][0]["env"][0]["value"], "8192m");
}

#[test]
fn a_label_cannot_size_an_unknown_heap() {
    let mut pod = labelled(example(), &[("spark.executor.memoryOverhead", "2g")]);
    pod["spec"]["containers"][0]["env"][0]["value"] = json!("much");
    let (plan, _) = plan(&pod, &backed());
    assert_eq!((plan.total, plan.heap, plan.non_heap), (9011 * MIB, None, None));
}

#[test]
fn labels_that_ask_for_more_than_can_be_counted_are_told_of() {
    let pod = labelled(example(), &[("spark.executor.memoryOverheadFactor", "1000000000")]);
    let (plan, notices) = plan(&pod, &backed());
    assert_eq!((plan.bound, notices), (Bound::SafetyNet, vec![Notice::LabelIgnored]));
}
