//! Whatever is asked, the answer is the one of the reference.

use proptest::prelude::*;

use crate::ask::Case;
use crate::cluster::{admit, plan_of};
use crate::differences::differences;
use crate::random::case;
use crate::reference::{Expected, expected, normalised, patched, plan_json};

pub fn agrees_with_the_reference(case: &Case) -> Result<(), TestCaseError> {
    let pod = case.ask.pod();
    let (decision, after) = admit(&pod, &case.state());
    let Expected { reasons, planned } = expected(case);
    let Some(plan) = decision.plan else {
        prop_assert!(reasons.contains(&decision.reason), "{} but {reasons:?} {planned:?}", decision.reason);
        prop_assert_eq!(after, pod);
        return Ok(());
    };
    prop_assert!(planned.is_some(), "planned for {}, but {reasons:?}", plan.bound);
    let planned = planned.unwrap();
    let found = plan_of(&after);
    let node = &found["node"];
    let annotated = differences(&found, &plan_json(case, &planned, plan.bound.as_str(), node));
    prop_assert!(annotated.is_empty(), "plan {annotated:?}");
    prop_assert!(planned.bounds.contains(&plan.bound), "{} but {:?}", plan.bound, planned.bounds);
    let sizes = (node["memory"].as_u64(), node["swap"].as_u64());
    let is_smallest = planned.smallest.iter().any(|shape| sizes == (Some(shape.memory), Some(shape.swap)));
    let is_unknown = planned.smallest.is_empty() && node.is_null();
    prop_assert!(is_smallest || is_unknown, "{node} is not of {:?}", planned.smallest);
    let annotation = after["metadata"]["annotations"]["spark-swap.io/plan"].as_str().unwrap();
    let written = differences(&normalised(after.clone()), &normalised(patched(case, &planned, annotation)));
    prop_assert!(written.is_empty(), "pod {written:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("CASES").ok().and_then(|c| c.parse().ok()).unwrap_or(2000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_decision_is_the_one_of_the_reference(case in case()) {
        agrees_with_the_reference(&case)?;
    }
}
