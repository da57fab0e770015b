//! Which class an executor is admitted under.

use std::collections::BTreeMap;

use rstest::rstest;
use spark_swap::admission::reason::{Notice, Reason};
use spark_swap::sizing::class::{Strategy, SwapClass};
use spark_swap::sizing::state::{Namespace, Settings, State, StateParts};

use crate::cluster::{admit, class, example, with_label};

const CLASS: &str = "spark-swap.io/class";

/// The classes `a` to `d`; `b` and `c` are default ones where asked.
fn cluster(with_defaults: bool, namespace_class: Option<&str>) -> State {
    let named = |name: &str| SwapClass {
        name: name.to_owned(),
        is_default: with_defaults && ["b", "c"].contains(&name),
        ..class(Strategy::SafetyNet)
    };
    let labels: BTreeMap<String, String> =
        namespace_class.map(|name| (CLASS.to_owned(), name.to_owned())).into_iter().collect();
    let parts = StateParts {
        classes: ["d", "c", "b", "a"].map(named).to_vec(),
        namespaces: vec![Namespace { name: "default".to_owned(), labels }],
        ..StateParts::default()
    };
    State::new(parts, Settings::default())
}

#[rstest]
#[case::the_pods_label_first(true, Some("a"), Some("d"), Reason::Planned, "d")]
#[case::then_the_namespaces(true, Some("a"), None, Reason::Planned, "a")]
#[case::then_the_first_default_class_by_name(true, None, None, Reason::Planned, "b")]
#[case::then_the_built_in_class(false, None, None, Reason::Planned, "safety-net")]
#[case::the_built_in_class_by_its_name(true, None, Some("safety-net"), Reason::Planned, "safety-net")]
#[case::a_pod_in_an_opted_out_namespace(true, Some("none"), Some("a"), Reason::Planned, "a")]
#[case::the_pod_opts_out(true, Some("a"), Some("none"), Reason::OptedOut, "none")]
#[case::the_namespace_opts_out(true, Some("none"), None, Reason::OptedOut, "none")]
#[case::an_unknown_class_on_the_pod(true, Some("a"), Some("x"), Reason::UnknownClass, "x")]
#[case::an_unknown_class_on_the_namespace(true, Some("x"), None, Reason::UnknownClass, "x")]
#[case::an_empty_class_on_the_pod(true, Some("a"), Some(""), Reason::UnknownClass, "")]
#[case::an_empty_class_on_the_namespace(true, Some(""), None, Reason::UnknownClass, "")]
#[case::names_are_case_sensitive(true, None, Some("A"), Reason::UnknownClass, "A")]
fn the_first_that_is_named_decides(
    #[case] with_defaults: bool,
    #[case] on_namespace: Option<&str>,
    #[case] on_pod: Option<&str>,
    #[case] reason: Reason,
    #[case] name: &str,
) {
    let pod = on_pod.map_or_else(example, |class| with_label(example(), CLASS, class));
    let (decision, patched) = admit(&pod, &cluster(with_defaults, on_namespace));
    assert_eq!((decision.reason, decision.class_name.as_str()), (reason, name));
    assert_eq!(patched == pod, reason != Reason::Planned);
    let warns = decision.notes.iter().any(|note| note.notice == Notice::UnknownClass);
    assert_eq!(warns, reason == Reason::UnknownClass);
}

#[test]
fn more_default_classes_are_a_problem_to_report() {
    let state = cluster(true, None);
    assert_eq!(state.problems().len(), 1);
    assert!(state.problems()[0].contains("SwapClass c"), "{:?}", state.problems());
    assert!(cluster(false, None).problems().is_empty());
}

#[test]
fn an_object_with_the_name_of_the_built_in_class_takes_its_place() {
    let ours = SwapClass {
        name: SwapClass::BUILT_IN.to_owned(),
        is_default: false,
        rollout_percent: 0,
        ..SwapClass::built_in()
    };
    let state = State::new(StateParts { classes: vec![ours], ..StateParts::default() }, Settings::default());
    assert_eq!(admit(&example(), &state).0.reason, Reason::OutsideRollout);
}
