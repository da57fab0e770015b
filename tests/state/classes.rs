//! What a SwapClass may say, and what is said about a wrong one.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::sizing::class::{Backend, QosMode, Strategy, SwapClass};
use spark_swap::sizing::placement::Toleration;

fn class(spec: &Value) -> Value {
    json!({"apiVersion": "spark-swap.io/v1alpha1", "kind": "SwapClass", "metadata": {"name": "batch"}, "spec": spec})
}

fn problems(object: &Value) -> Vec<String> {
    SwapClass::from_object(object)
        .map_or_else(|problems| problems.iter().map(ToString::to_string).collect(), |_| vec![])
}

#[rstest]
#[case::empty_spec(class(&json!({})))]
#[case::no_spec(json!({"metadata": {"name": "batch"}}))]
#[case::nulls(class(&json!({"strategy": null, "swap": null, "nodes": {"selector": null, "tolerations": null}, "heap": {"growthPercent": null}})))]
#[case::defaults_spelled_out(class(&json!({
    "enforcement": "Enforce", "rolloutPercent": 100, "strategy": "SafetyNet", "workingSetPercent": 70,
    "peakPercent": 100, "marginPercent": 15, "peakMarginPercent": 10, "limit": "Tight", "minimumRequest": "512Mi",
    "qosClass": "Preserve", "swap": {"via": "Kubelet"},
    "nodes": {"selector": {}, "tolerations": [], "onlyWithSwap": false, "minimumSwapPercent": 10},
    "heap": {"growthPercent": 0, "youngGenerationPercent": 0},
    "overrides": {"minWorkingSetPercent": 40, "minPeakPercent": 80},
})))]
fn what_is_left_out_has_the_default_of_the_built_in_class(#[case] object: Value) {
    let expected = SwapClass { name: "batch".to_owned(), ..SwapClass::built_in() };
    assert_eq!(SwapClass::from_object(&object), Ok(expected));
}

#[test]
fn every_field_arrives_where_it_belongs() {
    let mut object = class(&json!({
        "enforcement": "Audit", "rolloutPercent": 0, "strategy": "HeapGrowth", "workingSetPercent": 1,
        "peakPercent": 2, "marginPercent": 3, "peakMarginPercent": 4, "limit": "Loose", "minimumRequest": "1.5Gi",
        "qosClass": "Guaranteed", "swap": {"via": "NriMemoryQos", "maxPerExecutor": 4096},
        "nodes": {
            "selector": {"example.com/pool": "500", "empty": ""},
            "tolerations": [
                {"operator": "Exists"},
                {"key": "a/b", "value": "c", "effect": "NoExecute", "tolerationSeconds": -5},
            ],
            "onlyWithSwap": true, "minimumSwapPercent": 1000,
        },
        "heap": {"growthPercent": 100, "youngGenerationPercent": 50},
        "overrides": {"minWorkingSetPercent": 5, "minPeakPercent": 6},
    }));
    object["metadata"]["annotations"] = json!({"spark-swap.io/is-default-class": "true", "other": ""});
    let class = SwapClass::from_object(&object).unwrap();
    assert!(class.is_default);
    assert_eq!((class.enforcement.as_str(), class.rollout_percent), ("Audit", 0));
    assert_eq!((class.strategy, class.limit.as_str()), (Strategy::HeapGrowth, "Loose"));
    assert_eq!((class.working_set_percent, class.peak_percent), (1, 2));
    assert_eq!((class.margin_percent, class.peak_margin_percent), (3, 4));
    assert_eq!((class.minimum_request, class.qos_class), (1_610_612_736, QosMode::Guaranteed));
    assert_eq!((class.swap.via, class.swap.max_per_executor), (Backend::NriMemoryQos, Some(4096)));
    assert_eq!(class.nodes.selector["example.com/pool"], "500");
    assert_eq!(class.nodes.tolerations[0], Toleration { operator: "Exists".into(), ..Toleration::default() });
    let seconds = Toleration {
        key: "a/b".into(),
        value: "c".into(),
        effect: "NoExecute".into(),
        seconds: Some(-5),
        ..Toleration::default()
    };
    assert_eq!(class.nodes.tolerations[1], seconds);
    assert_eq!((class.nodes.only_with_swap, class.nodes.minimum_swap_percent), (true, 1000));
    assert_eq!((class.heap_growth_percent, class.young_generation_percent), (100, 50));
    assert_eq!((class.min_working_set_percent, class.min_peak_percent), (5, 6));
}

#[rstest]
#[case(json!({"workingSetPercent": 120}), "spec.workingSetPercent: 120 is not between 1 and 100")]
#[case(json!({"workingSetPercent": 0}), "spec.workingSetPercent: 0 is not between 1 and 100")]
#[case(json!({"peakPercent": 101}), "spec.peakPercent: 101 is not between 1 and 100")]
#[case(json!({"rolloutPercent": 101}), "spec.rolloutPercent: 101 is not between 0 and 100")]
#[case(json!({"marginPercent": -1}), "spec.marginPercent: -1 is not between 0 and 100")]
#[case(json!({"peakMarginPercent": 51}), "spec.peakMarginPercent: 51 is not between 0 and 50")]
#[case(json!({"heap": {"growthPercent": 101}}), "spec.heap.growthPercent: 101 is not between 0 and 100")]
#[case(json!({"heap": {"youngGenerationPercent": 51}}), "spec.heap.youngGenerationPercent: 51 is not between 0 and 50")]
#[case(json!({"nodes": {"minimumSwapPercent": 1001}}), "spec.nodes.minimumSwapPercent: 1001 is not between 0 and 1000")]
#[case(json!({"overrides": {"minPeakPercent": 0}}), "spec.overrides.minPeakPercent: 0 is not between 1 and 100")]
#[case(json!({"overrides": {"minWorkingSetPercent": 101}}), "spec.overrides.minWorkingSetPercent: 101 is not between 1 and 100")]
#[case(json!({"peakPercent": 60, "workingSetPercent": 61}), "spec.workingSetPercent: 61 is above spec.peakPercent, which is 60; set it to at most 60")]
#[case(json!({"peakPercent": 60}), "spec.workingSetPercent: 70, the default, is above spec.peakPercent, which is 60; set it to at most 60")]
#[case(json!({"strategy": "Dense"}), "spec.strategy: \"Dense\" is not one of SafetyNet, Density, HeapGrowth")]
#[case(json!({"limit": true}), "spec.limit: true is not one of Tight, Loose")]
#[case(json!({"minimumRequest": "0"}), "spec.minimumRequest: \"0\" is not above 0")]
#[case(json!({"minimumRequest": "-1"}), "spec.minimumRequest: \"-1\" is negative")]
#[case(json!({"minimumRequest": 1.5}), "spec.minimumRequest: expected a whole number or a quantity such as 512Mi, found 1.5")]
#[case(json!({"minimumRequest": {}}), "spec.minimumRequest: expected a quantity such as 512Mi, found an object")]
#[case(json!({"qosClass": "Guaranteed"}), "spec.qosClass: Guaranteed needs an explicit backend in spec.swap.via: CrioAnnotation or NriMemoryQos")]
#[case(json!({"swap": {"maxPerExecutor": "1Gi"}}), "spec.swap.maxPerExecutor: only for explicit backends; remove it, or set spec.swap.via to CrioAnnotation or NriMemoryQos")]
#[case(json!({"swap": {"via": "CrioAnnotation", "maxPerExecutor": "4095"}}), "spec.swap.maxPerExecutor: \"4095\" is less than a page of 4096 bytes")]
#[case(json!({"swap": "Kubelet"}), "spec.swap: expected an object, found \"Kubelet\"")]
#[case(json!({"nodes": {"selector": []}}), "spec.nodes.selector: expected an object, found a list")]
#[case(json!({"nodes": {"selector": {"a b": "c"}}}), "spec.nodes.selector[a b]: the key has a name that is not letters, digits, - _ . with a letter or digit at both ends")]
#[case(json!({"nodes": {"selector": {"pool": 5}}}), "spec.nodes.selector[pool]: expected a string, found 5; write \"5\" in quotes")]
#[case(json!({"nodes": {"selector": {"pool": "a/b"}}}), "spec.nodes.selector[pool]: \"a/b\" is not letters, digits, - _ . with a letter or digit at both ends")]
#[case(json!({"nodes": {"tolerations": {}}}), "spec.nodes.tolerations: expected a list, found an object")]
#[case(json!({"nodes": {"tolerations": ["a"]}}), "spec.nodes.tolerations[0]: expected an object, found \"a\"")]
#[case(json!({"workingsetPercent": 50}), "spec.workingsetPercent: unknown field; did you mean workingSetPercent?")]
#[case(json!({"workingSetPrecent": 50}), "spec.workingSetPrecent: unknown field; did you mean workingSetPercent?")]
#[case(json!({"swap": {"size": 1}}), "spec.swap.size: unknown field; known fields: via, maxPerExecutor")]
#[case(json!([]), "spec: expected an object, found a list")]
fn a_problem_says_where_and_what(#[case] spec: Value, #[case] expected: &str) {
    assert_eq!(problems(&class(&spec)), [expected]);
}

/// The cases of `TestValidateTolerations` and of the tolerations of `TestValidatePodSpec` in Kubernetes.
#[rstest]
#[case::key_without_operator_needs_no_value(json!({"key": "foo", "effect": "NoSchedule"}), &[])]
#[case::everything(json!({"operator": "Exists"}), &[])]
#[case::every_key_of_an_effect(json!({"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20}), &[])]
#[case::zero_seconds(json!({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}), &[])]
#[case::no_key(json!({"operator": "Equal", "value": "bar", "effect": "NoSchedule"}),
    &["key: is required unless the operator is Exists, which then matches every taint"])]
#[case::nothing(json!({}), &["key: is required unless the operator is Exists, which then matches every taint"])]
#[case::value_with_exists(json!({"key": "foo", "operator": "Exists", "value": "bar", "effect": "NoSchedule"}),
    &["value: must be empty when the operator is Exists"])]
#[case::seconds_without_no_execute(json!({"key": "foo", "operator": "Equal", "value": "bar", "effect": "NoSchedule", "tolerationSeconds": 20}),
    &["effect: must be NoExecute when tolerationSeconds is set"])]
#[case::seconds_without_effect(json!({"key": "foo", "operator": "Exists", "tolerationSeconds": 20}),
    &["effect: must be NoExecute when tolerationSeconds is set"])]
#[case::operator(json!({"key": "foo", "operator": "In", "value": "bar"}), &["operator: \"In\" is not one of Equal, Exists"])]
#[case::comparison(json!({"key": "foo", "operator": "Gt", "value": "5"}),
    &["operator: \"Gt\" needs the feature gate TaintTolerationComparisonOperators, without which every executor would be refused; use Equal or Exists"])]
#[case::effect(json!({"key": "foo", "operator": "Exists", "effect": "noSchedule"}),
    &["effect: \"noSchedule\" is not one of NoSchedule, PreferNoSchedule, NoExecute"])]
#[case::key(json!({"key": "nospecialchars^=@", "operator": "Exists"}),
    &["key: \"nospecialchars^=@\" has a name that is not letters, digits, - _ . with a letter or digit at both ends"])]
#[case::value(json!({"key": "foo", "value": "-bar"}),
    &["value: \"-bar\" is not letters, digits, - _ . with a letter or digit at both ends"])]
#[case::types(json!({"key": 1, "operator": 2, "value": 3, "effect": 4, "tolerationSeconds": "5"}), &[
    "key: expected a string, found 1; write \"1\" in quotes",
    "operator: expected a string, found 2; write \"2\" in quotes",
    "value: expected a string, found 3; write \"3\" in quotes",
    "effect: expected a string, found 4; write \"4\" in quotes",
    "tolerationSeconds: expected an integer, found \"5\"; write it without quotes",
])]
#[case::unknown(json!({"key": "foo", "operator": "Exists", "efect": "NoExecute"}), &["efect: unknown field; did you mean effect?"])]
fn tolerations_are_valid_where_the_api_server_takes_them(
    #[case] toleration: Value,
    #[case] expected: &[&str],
) {
    let fine = json!({"key": "fine", "operator": "Exists"});
    let expected: Vec<String> =
        expected.iter().map(|problem| format!("spec.nodes.tolerations[1].{problem}")).collect();
    assert_eq!(problems(&class(&json!({"nodes": {"tolerations": [fine, toleration]}}))), expected);
}

#[rstest]
#[case::missing(json!({}), "metadata.name: is missing")]
#[case::reserved(json!({"name": "none"}), "metadata.name: none is reserved: as a label it opts out; choose another name")]
#[case::upper_case(json!({"name": "Batch"}), "metadata.name: \"Batch\" is not lower-case letters, digits, - and . with a letter or digit at both ends of every part")]
#[case::number(json!({"name": 5}), "metadata.name: expected a string, found 5; write \"5\" in quotes")]
#[case::unquoted_default(json!({"name": "a", "annotations": {"spark-swap.io/is-default-class": true}}),
    "metadata.annotations[spark-swap.io/is-default-class]: expected a string, found true; write \"true\" in quotes")]
fn metadata_is_checked(#[case] metadata: Value, #[case] expected: &str) {
    assert_eq!(problems(&json!({"metadata": metadata, "spec": {}})), [expected]);
}

#[test]
fn a_class_name_fits_a_label_value() {
    let named = |length: usize| json!({"metadata": {"name": "a".repeat(length)}});
    assert_eq!(problems(&named(63)), [""; 0]);
    assert!(problems(&named(64))[0].ends_with("has more than 63 characters and cannot be a label value"));
}

#[test]
fn a_misplaced_spec_is_not_taken_for_an_empty_one() {
    assert_eq!(
        problems(&json!({"metadata": {"name": "a"}, "sepc": {}, "strategy": "Density"})),
        [
            "sepc: unknown field; did you mean spec?",
            "strategy: unknown field; known fields: metadata, spec, apiVersion, kind, status"
        ]
    );
}
