//! What JVM options and volumes say about an executor's memory.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::reason::Notice;
use spark_swap::sizing::bound::Bound;
use spark_swap::sizing::class::{Strategy, SwapClass};

use crate::cluster::{admit, class, example, executor, state, swap_node, with, with_container, with_env};

const MIB: u64 = 1 << 20;

fn young() -> SwapClass {
    SwapClass { young_generation_percent: 10, ..class(Strategy::SafetyNet) }
}

fn with_options(options: &[(&str, &str)]) -> Value {
    options.iter().fold(example(), |pod, (name, value)| with_env(pod, name, value))
}

fn last_env(pod: &Value) -> Value {
    pod["spec"]["containers"][0]["env"].as_array().unwrap().last().unwrap().clone()
}

/// 10 % of 8192Mi is 819.2Mi.
#[rstest]
#[case::without_options(&[], 0)]
#[case::behind_the_highest(&[("SPARK_JAVA_OPT_0", "-Da=b"), ("SPARK_JAVA_OPT_12", "-Dc=d"), ("SPARK_JAVA_OPT_3", "-De=f")], 13)]
#[case::numbers_compare_as_numbers(&[("SPARK_JAVA_OPT_9", "-Da=b"), ("SPARK_JAVA_OPT_10", "-Dc=d")], 11)]
#[case::other_suffixes_do_not_count(&[("SPARK_JAVA_OPT_ZZ", "-Da=b"), ("SPARK_JAVA_OPT_2", "-Dc=d")], 3)]
#[case::a_gap_is_not_filled(&[("SPARK_JAVA_OPT_5", "-Da=b")], 6)]
#[case::an_old_size_is_not_a_new_one(&[("SPARK_JAVA_OPT_0", "-XX:OldSize=1g")], 1)]
#[case::a_property_is_not_a_flag(&[("SPARK_JAVA_OPT_0", "-Dx=NewRatio")], 1)]
#[case::another_variable(&[("NOTES", "-Xmn1g")], 0)]
fn the_young_generation_is_the_next_option(#[case] options: &[(&str, &str)], #[case] number: u64) {
    let (decision, patched) = admit(&with_options(options), &state(young(), vec![]));
    assert_eq!(decision.plan.unwrap().young_generation_mib, Some(819));
    let name = format!("SPARK_JAVA_OPT_{number}");
    assert_eq!(last_env(&patched), json!({"name": name, "value": "-Xmn819m"}));
}

#[rstest]
#[case("SPARK_JAVA_OPT_3", "-Xmn1g")]
#[case("SPARK_JAVA_OPT_ZZ", "-Xmn1g")]
#[case("JAVA_TOOL_OPTIONS", "-Da=b -XX:NewSize=1g")]
#[case("JDK_JAVA_OPTIONS", "-XX:MaxNewSize=1g -Da=b")]
#[case("_JAVA_OPTIONS", "-XX:NewRatio=3")]
#[case("SPARK_JAVA_OPT_0", "-XX:G1NewSizePercent=5")]
#[case("SPARK_JAVA_OPT_0", "-XX:G1MaxNewSizePercent=20")]
#[case("JAVA_TOOL_OPTIONS", "-Da=b\n-Xmn1g")]
fn a_young_generation_that_is_set_stays(#[case] name: &str, #[case] value: &str) {
    let pod = with_options(&[(name, value)]);
    let (decision, patched) = admit(&pod, &state(young(), vec![]));
    assert_eq!(decision.plan.unwrap().young_generation_mib, None);
    assert_eq!(patched["spec"]["containers"][0]["env"], pod["spec"]["containers"][0]["env"]);
}

#[test]
fn the_young_generation_is_a_share_of_the_grown_heap() {
    let class = SwapClass { strategy: Strategy::HeapGrowth, heap_growth_percent: 25, ..young() };
    let (_, patched) = admit(&example(), &state(class, vec![swap_node("swap-1")]));
    assert_eq!(last_env(&patched)["value"], "-Xmn1024m");
}

#[rstest]
#[case::an_unknown_heap(with_container(example(), "/env/0/value", json!("lots")))]
#[case::a_share_below_a_mib(executor(9, 500))]
fn there_is_no_share_of_nothing(#[case] pod: Value) {
    let (decision, patched) = admit(&pod, &state(young(), vec![]));
    assert_eq!(decision.plan.unwrap().young_generation_mib, None);
    assert_eq!(patched["spec"]["containers"][0]["env"], pod["spec"]["containers"][0]["env"]);
}

/// P is 80 % of 9011Mi, 7208.8Mi, and at least the heap of 8192Mi where all of it is touched at start.
#[rstest]
#[case::touched_at_start("-XX:+AlwaysPreTouch", 8192 * MIB)]
#[case::not_touched("-XX:-AlwaysPreTouch", 7_558_974_669)]
fn touching_the_heap_at_start_raises_the_peak(#[case] option: &str, #[case] peak: u64) {
    let class = SwapClass { peak_percent: 80, ..class(Strategy::Density) };
    let pod = with_options(&[("SPARK_JAVA_OPT_0", option)]);
    let (decision, _) = admit(&pod, &state(class, vec![swap_node("swap-1")]));
    assert_eq!(decision.plan.unwrap().peak, peak);
    let warns = decision.notes.iter().any(|note| note.notice == Notice::AlwaysPreTouch);
    assert_eq!(warns, peak == 8192 * MIB);
}

/// A pod with memory emptyDirs: (sizeLimit, mounted by the Spark container).
fn with_tmpfs(volumes: &[(Option<&str>, bool)]) -> Value {
    let volume = |(place, (limit, _)): (usize, &(Option<&str>, bool))| json!({"name": format!("v{place}"), "emptyDir": {"medium": "Memory", "sizeLimit": limit}});
    let mount =
        |(place, _): (usize, _)| json!({"name": format!("v{place}"), "mountPath": format!("/v{place}")});
    let all: Vec<Value> = volumes.iter().enumerate().map(volume).collect();
    let mounted = volumes.iter().enumerate().filter(|(_, (_, mounted))| *mounted);
    let mounts: Vec<Value> = mounted.map(mount).collect();
    with_container(with(example(), "/spec/volumes", json!(all)), "/volumeMounts", json!(mounts))
}

fn twice_mounted() -> Value {
    let mounts =
        json!([{"name": "v0", "mountPath": "/a"}, {"name": "v0", "mountPath": "/b", "subPath": "x"}]);
    with_container(with_tmpfs(&[(Some("1Gi"), true)]), "/volumeMounts", mounts)
}

fn mounted_by_an_init_container() -> Value {
    let pod = with_tmpfs(&[(Some("1Gi"), false)]);
    with(
        pod,
        "/spec/initContainers",
        json!([{"name": "init", "volumeMounts": [{"name": "v0", "mountPath": "/a"}]}]),
    )
}

fn on_disk() -> Value {
    let pod = with_tmpfs(&[(Some("1Gi"), true)]);
    with(pod, "/spec/volumes", json!([{"name": "v0", "emptyDir": {"sizeLimit": "1Gi"}}]))
}

/// W 57.5 % of 9011Mi is 5181.3Mi; with 1Gi 6205.3Mi, with 1.5Gi 6717.3Mi; the peak asks for 6008Mi.
#[rstest]
#[case::nothing(example(), 0, 6008)]
#[case::mounted(with_tmpfs(&[(Some("1Gi"), true)]), 1024, 6206)]
#[case::the_sum(with_tmpfs(&[(Some("1Gi"), true), (Some("512Mi"), true)]), 1536, 6718)]
#[case::not_mounted(with_tmpfs(&[(Some("1Gi"), false), (None, false)]), 0, 6008)]
#[case::mounted_twice(twice_mounted(), 1024, 6206)]
#[case::mounted_by_another(mounted_by_an_init_container(), 0, 6008)]
#[case::on_disk(on_disk(), 0, 6008)]
fn memory_volumes_stay_in_memory(#[case] pod: Value, #[case] unswappable: u64, #[case] request: u64) {
    let class = SwapClass { working_set_percent: 50, peak_margin_percent: 0, ..class(Strategy::Density) };
    let (decision, _) = admit(&pod, &state(class, vec![swap_node("swap-1")]));
    let plan = decision.plan.unwrap();
    assert_eq!((plan.unswappable / MIB, plan.request.to / MIB), (unswappable, request));
}

#[rstest]
#[case::a_volume_without_a_limit(with_tmpfs(&[(None, true)]))]
#[case::one_of_two_without_a_limit(with_tmpfs(&[(Some("1Gi"), true), (None, true)]))]
#[case::a_limit_of_zero_is_none(with_tmpfs(&[(Some("0"), true)]))]
#[case::huge_pages(with_container(example(), "/resources/limits/hugepages-2Mi", json!("1Gi")))]
#[case::huge_pages_of_another_size(with_container(example(), "/resources/requests/hugepages-1Gi", json!("1Gi")))]
#[case::large_pages(with_options(&[("SPARK_JAVA_OPT_0", "-XX:+UseLargePages")]))]
#[case::large_pages_by_the_tools(with_options(&[("JAVA_TOOL_OPTIONS", "-Da=b -XX:+UseLargePages")]))]
fn unswappable_memory_of_unknown_size_is_a_safety_net(
    #[case] pod: Value,
    #[values(Strategy::Density, Strategy::HeapGrowth)] strategy: Strategy,
) {
    let class = SwapClass { heap_growth_percent: 25, ..class(strategy) };
    let (decision, _) = admit(&pod, &state(class, vec![swap_node("swap-1")]));
    let plan = decision.plan.unwrap();
    assert_eq!((plan.strategy, plan.bound), (Strategy::SafetyNet, Bound::UnswappableMemory));
    assert_eq!(plan.request.to, 9010 * MIB);
}

/// The heap is what the last variable says, in the JVM's units; without it nothing of the heap is known.
#[rstest]
#[case::mebibytes("8192m", Some(8192 * MIB))]
#[case::gibibytes("8g", Some(8192 * MIB))]
#[case::upper_case("8G", Some(8192 * MIB))]
#[case::kibibytes("8388608k", Some(8192 * MIB))]
#[case::bytes("8589934592", Some(8192 * MIB))]
#[case::two_letters("8gb", None)]
#[case::binary_suffix("8Gi", None)]
#[case::a_fraction("8.5g", None)]
#[case::spaces(" 8g", None)]
#[case::empty("", None)]
#[case::zero("0", None)]
#[case::negative("-8g", None)]
#[case::too_large("99999999999t", None)]
fn the_heap_is_read_as_the_jvm_reads_it(#[case] value: &str, #[case] heap: Option<u64>) {
    let pod = with_container(example(), "/env/0/value", json!(value));
    let (decision, _) = admit(&pod, &state(class(Strategy::SafetyNet), vec![]));
    assert_eq!(decision.plan.unwrap().heap.map(|heap| heap.from), heap);
}

#[rstest]
#[case::absent(with_container(example(), "/env/0/name", json!("OTHER")))]
#[case::from_elsewhere(with_container(example(), "/env/0", json!({"name": "SPARK_EXECUTOR_MEMORY", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}})))]
#[case::the_last_one_is_from_elsewhere(with_container(example(), "/env/1", json!({"name": "SPARK_EXECUTOR_MEMORY", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})))]
#[case::overruled(with_options(&[("_JAVA_OPTIONS", "-Xms64m -Xmx1g")]))]
fn an_unknown_heap_is_never_touched(
    #[case] pod: Value,
    #[values(Strategy::SafetyNet, Strategy::Density, Strategy::HeapGrowth)] strategy: Strategy,
) {
    let pod = with_env(pod, "SPARK_EXECUTOR_ID", "1");
    let class = SwapClass { heap_growth_percent: 25, young_generation_percent: 10, ..class(strategy) };
    let (decision, patched) = admit(&pod, &state(class, vec![swap_node("swap-1")]));
    let plan = decision.plan.unwrap();
    assert_eq!((plan.heap, plan.non_heap), (None, None));
    assert_eq!(plan.strategy == Strategy::Density, strategy == Strategy::Density);
    assert_eq!(patched["spec"]["containers"][0]["env"], pod["spec"]["containers"][0]["env"]);
}

/// -Xmx elsewhere is overruled by the entrypoint's own, which comes last.
#[rstest]
#[case("SPARK_JAVA_OPT_0", "-Xmx1g")]
#[case("JAVA_TOOL_OPTIONS", "-Xmx1g")]
#[case("_JAVA_OPTIONS", "-Dx=y")]
fn other_heap_options_change_nothing(#[case] name: &str, #[case] value: &str) {
    let (decision, _) = admit(&with_options(&[(name, value)]), &state(young(), vec![]));
    assert_eq!(decision.plan.unwrap().heap.unwrap().from, 8192 * MIB);
}
