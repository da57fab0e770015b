//! HeapGrowth: the heap grows into swap, request and limit stay.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::bound::Bound;
use spark_swap::sizing::class::{Strategy, SwapClass};
use spark_swap::sizing::state::{State, StateParts};

use crate::cluster::{
    EVIDENCE, GIB, admit, class, example, example_state, executor, limit_range, node, plan_of, state,
    swap_node, with_container, with_env,
};

const MIB: u64 = 1 << 20;

fn growth(percent: u64) -> SwapClass {
    SwapClass { heap_growth_percent: percent, ..class(Strategy::HeapGrowth) }
}

fn with_swap(memory: u64, swap: u64, permille: &str, class: SwapClass) -> State {
    state(class, vec![node("swap-1", memory * GIB, swap * GIB, &[(EVIDENCE, permille)])])
}

/// R = 9010Mi and g(R) = 4505Mi: Q' and a page fit 13515Mi, P' fits 13515 / 1.1 = 12286.4Mi.
#[rstest]
// P' = 9011 + 2048, Q' = 12164.9Mi: 3154.9 of 9010 are 350.2 permille.
#[case::all_that_was_asked_for(25, Bound::Growth, 10240, 11059, 351)]
// 9011 + 3275 = 12286: Q' = 13514.6; one more would be 13515.7.
#[case::cut_to_the_swap(100, Bound::SwapSpent, 11467, 12286, 500)]
// 8192 * 1.01 = 8273.92.
#[case::down_to_a_whole_mib(1, Bound::Growth, 8273, 9092, 111)]
fn the_heap_grows_as_far_as_swap_backs_it(
    #[case] percent: u64,
    #[case] bound: Bound,
    #[case] heap: u64,
    #[case] peak: u64,
    #[case] needed: u64,
) {
    let (decision, patched) = admit(&example(), &with_swap(64, 32, "500", growth(percent)));
    let plan = decision.plan.unwrap();
    assert_eq!((plan.bound, plan.heap.unwrap().to, plan.peak), (bound, heap * MIB, peak * MIB));
    assert_eq!((plan.request.to, plan.limit.to), (9010 * MIB, 9011 * MIB));
    assert_eq!(plan.needed_permille, needed);
    assert_eq!(plan.non_heap, Some(819 * MIB), "before the growth");
    let container = &patched["spec"]["containers"][0];
    assert_eq!(container["env"][0]["value"], format!("{heap}m"));
    assert_eq!(container["resources"]["limits"]["memory"], "9011Mi");
    assert_eq!(plan_of(&patched)["heap"], json!({"from": 8192 * MIB, "to": heap * MIB}));
}

/// One to one swap on 128Gi.
#[rstest]
#[case::kept_below_32g(30 * 1024, 33792, 25, Bound::CompressedOops, 32767)]
#[case::just_below_is_no_cut(30 * 1024, 33792, 6, Bound::Growth, 32563)]
// 31208 * 1.05 = 32768.4: asked for exactly 32Gi.
#[case::asked_for_32g(31208, 35000, 5, Bound::CompressedOops, 32767)]
#[case::at_32g_already(32 * 1024, 36044, 25, Bound::Growth, 40960)]
#[case::no_room_below_32g(32767, 36043, 25, Bound::NoRoomToGrow, 32767)]
fn compressed_pointers_are_kept(
    #[case] from: u64,
    #[case] total: u64,
    #[case] percent: u64,
    #[case] bound: Bound,
    #[case] to: u64,
) {
    let state = with_swap(128, 128, "1000", growth(percent));
    let (decision, _) = admit(&executor(from, total), &state);
    let plan = decision.plan.unwrap();
    assert_eq!((plan.bound, plan.heap.unwrap().to), (bound, to * MIB));
}

fn unknown_heap() -> Value {
    with_container(example(), "/env/0/value", json!("lots"))
}

#[rstest]
#[case::nothing_is_asked_for(example(), growth(0), Bound::NoRoomToGrow)]
// 0.01 * 90Mi is no whole MiB.
#[case::less_than_a_mib(executor(90, 500), growth(1), Bound::NoRoomToGrow)]
// 1.5 * 9011 = 13516.5Mi is more than 13515.
#[case::the_peak_takes_all_the_swap(example(), SwapClass { peak_margin_percent: 50, ..growth(25) }, Bound::NoRoomToGrow)]
#[case::the_heap_is_unknown(unknown_heap(), growth(25), Bound::NoRoomToGrow)]
#[case::large_pages(
    with_env(example(), "SPARK_JAVA_OPT_0", "-XX:+UseLargePages"),
    growth(25),
    Bound::UnswappableMemory
)]
fn without_room_it_is_a_safety_net(#[case] pod: Value, #[case] class: SwapClass, #[case] bound: Bound) {
    let (decision, patched) = admit(&pod, &with_swap(64, 32, "500", class));
    let plan = decision.plan.unwrap();
    assert_eq!((plan.strategy, plan.bound), (Strategy::SafetyNet, bound));
    assert_eq!(plan.request.to, plan.limit.to - MIB);
    assert_eq!(patched["spec"]["containers"][0]["env"], pod["spec"]["containers"][0]["env"]);
    assert_eq!(patched["spec"].get("affinity"), None);
}

/// R0 = 7000Mi stays: 7000 + 3500 = 10500; / 1.1 = 9545.4; 9545 - 9011 = 534 more.
#[test]
fn a_request_below_the_limit_stays_and_decides() {
    let pod = with_container(example(), "/resources/requests/memory", json!("7000Mi"));
    let (decision, patched) = admit(&pod, &with_swap(64, 32, "500", growth(25)));
    let plan = decision.plan.unwrap();
    assert_eq!((plan.bound, plan.heap.unwrap().to), (Bound::Received, 8726 * MIB));
    assert_eq!((plan.request.to, plan.limit.to), (7000 * MIB, 9011 * MIB));
    assert_eq!(patched["spec"]["containers"][0]["resources"], pod["spec"]["containers"][0]["resources"]);
}

/// A LimitRange that a safety net breaks as well: 9011 / 9010 is more than 1.
#[test]
fn a_ratio_of_one_leaves_it_alone() {
    let item = json!({"type": "Container", "maxLimitRequestRatio": {"memory": "1"}});
    let more = StateParts { limit_ranges: vec![limit_range(&item)], ..StateParts::default() };
    let (decision, patched) = admit(&example(), &example_state(growth(25), more));
    assert_eq!((decision.reason, &patched), (Reason::LimitRange, &example()));
}

#[test]
fn the_last_of_two_variables_is_rewritten() {
    let pod = with_env(example(), "SPARK_EXECUTOR_MEMORY", "4g");
    let (decision, patched) = admit(&pod, &state(growth(25), vec![swap_node("swap-1")]));
    assert_eq!(decision.plan.unwrap().heap.unwrap().from, 4096 * MIB);
    let env = &patched["spec"]["containers"][0]["env"];
    assert_eq!((&env[0]["value"], &env[2]["value"]), (&json!("8192m"), &json!("5120m")));
}
