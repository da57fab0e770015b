//! The canary: a share of applications, each as a whole.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::class::{Enforcement, Strategy, SwapClass};

use crate::cluster::{admit, class, example, plan_of, state, with, with_env, with_label};

const APPLICATION: &str = "spark-app-selector";

fn nameless() -> Value {
    with(example(), &format!("/metadata/labels/{APPLICATION}"), Value::Null)
}

/// FNV-1a 64 modulo 100: 65 for spark-0123456789abcdef, 19 for spark-app-2, 38 for app-a.
#[rstest]
#[case::of_the_label(example(), 65)]
#[case::of_another_label(with_label(example(), APPLICATION, "spark-app-2"), 19)]
#[case::of_the_variable_where_there_is_no_label(with_env(nameless(), "SPARK_APPLICATION_ID", "app-a"), 38)]
#[case::the_label_wins(with_env(example(), "SPARK_APPLICATION_ID", "app-a"), 65)]
fn an_application_is_in_when_its_hash_is_below_the_percentage(#[case] pod: Value, #[case] hash: u64) {
    let reason = |rollout_percent| {
        let class = SwapClass { rollout_percent, ..class(Strategy::SafetyNet) };
        admit(&pod, &state(class, vec![])).0.reason
    };
    assert_eq!(reason(hash), Reason::OutsideRollout);
    assert_eq!(reason(hash + 1), Reason::Planned);
    assert_eq!((reason(0), reason(100)), (Reason::OutsideRollout, Reason::Planned));
}

#[test]
fn an_audited_plan_is_recorded_and_nothing_else_changes() {
    let audit = SwapClass { enforcement: Enforcement::Audit, ..class(Strategy::SafetyNet) };
    let (decision, patched) = admit(&example(), &state(audit, vec![]));
    assert_eq!(decision.reason, Reason::Audited);
    assert_eq!(plan_of(&patched)["enforcement"], "Audit");
    assert_eq!(plan_of(&patched)["request"], json!({"from": 9_448_718_336_u64, "to": 9_447_669_760_u64}));
    assert_eq!(with(patched, "/metadata/annotations", Value::Null), example());
}
