//! The numbers that the design works out by hand.

use serde_json::json;
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::class::{LimitMode, Strategy, SwapClass};

use crate::cluster::{admit, class, example, plan_of, state, swap_node};

fn density() -> SwapClass {
    SwapClass { working_set_percent: 50, peak_margin_percent: 0, ..class(Strategy::Density) }
}

#[test]
fn the_density_example_of_the_design_comes_out_to_the_byte() {
    let (decision, patched) = admit(&example(), &state(density(), vec![swap_node("swap-1")]));
    assert_eq!(decision.reason, Reason::Planned);
    assert_eq!(
        plan_of(&patched),
        json!({
            "v": 1, "class": "batch", "strategy": "Density", "enforcement": "Enforce",
            "heap": {"from": 8_589_934_592_u64, "to": 8_589_934_592_u64}, "nonHeap": 858_783_744,
            "request": {"from": 9_448_718_336_u64, "to": 6_299_844_608_u64},
            "limit": {"from": 9_448_718_336_u64, "to": 6_426_722_304_u64},
            "workingSet": 4_724_359_168_u64, "peak": 9_448_718_336_u64, "unswappable": 0,
            "expectedSwap": 3_149_922_304_u64, "possibleSwap": 3_149_922_304_u64, "neededPermille": 500,
            "qosClass": "Burstable", "oomScoreAdj": 909, "bound": "PeakOverSwap",
            "node": {"name": "swap-1", "memory": 68_719_476_736_u64, "swap": 34_359_738_368_u64}
        })
    );
    let container = &patched["spec"]["containers"][0];
    assert_eq!(container["resources"]["requests"]["memory"], "6008Mi");
    assert_eq!(container["resources"]["limits"]["memory"], "6129Mi");
    assert_eq!(
        patched["spec"]["affinity"],
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [
                {"key": "spark-swap.io/limited-swap-permille", "operator": "Gt", "values": ["499"]}
            ]}
        ]}}})
    );
}

#[test]
fn loose_keeps_the_limit() {
    let loose = SwapClass { limit: LimitMode::Loose, ..density() };
    let (decision, patched) = admit(&example(), &state(loose, vec![swap_node("swap-1")]));
    let limit = decision.plan.unwrap().limit;
    assert_eq!(limit.to, limit.from);
    assert_eq!(patched["spec"]["containers"][0]["resources"]["limits"]["memory"], "9011Mi");
}

#[test]
fn the_built_in_class_only_opens_the_door_to_swap() {
    let (decision, patched) = admit(&example(), &spark_swap::sizing::state::State::default());
    let plan = decision.plan.unwrap();
    assert_eq!(decision.class_name, "safety-net");
    assert_eq!((plan.request.to, plan.limit.to), (9010 << 20, 9011 << 20));
    assert_eq!(decision.operations.len(), 2);
    assert_eq!(patched["spec"]["containers"][0]["resources"]["requests"]["memory"], "9010Mi");
    assert_eq!(plan_of(&patched)["node"], json!(null));
    assert_eq!(plan_of(&patched)["oomScoreAdj"], json!(null));
}
