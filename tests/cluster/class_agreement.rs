//! The API server accepts exactly the classes that spark-swap understands, and stores what spark-swap read in them.

use serde_json::{Map, Value, json};
use spark_swap::cluster::api::SwapClass as WireClass;
use spark_swap::sizing::class::SwapClass;

use crate::classes::{class, swap_class_crd};
use crate::control_plane::ControlPlane;
use crate::dry_run::{DryRun, UnknownFields};
use crate::oracle::Random;
use crate::random_class::{
    BAD_KEYS, BAD_QUANTITIES, BAD_VALUES, GOOD_QUANTITIES, KEYS, VALUES, long_keys, long_values, numbers,
    spec,
};

#[test]
fn every_quantity_and_label_counts_alike() {
    let agreement = Agreement::new();
    let quantities = GOOD_QUANTITIES.iter().chain(&BAD_QUANTITIES).map(|text| json!(text));
    for quantity in quantities.chain(numbers()) {
        agreement.check(json!({"minimumRequest": quantity}));
        agreement.check(json!({"swap": {"via": "NriMemoryQos", "maxPerExecutor": quantity}}));
    }
    assert!(!agreement.check(json!({"minimumRequest": 1.5})), "neither takes a fraction without quotes");
    for key in KEYS.iter().chain(&BAD_KEYS).map(|key| json!(key)).chain(long_keys()) {
        agreement.check(json!({"nodes": {"selector": {key.as_str().unwrap(): ""}}}));
        agreement.check(json!({"nodes": {"tolerations": [{"key": key, "operator": "Exists"}]}}));
    }
    for value in VALUES.iter().chain(&BAD_VALUES).map(|value| json!(value)).chain(long_values()) {
        agreement.check(json!({"nodes": {"selector": {"pool": value}}}));
        agreement.check(json!({"nodes": {"tolerations": [{"key": "pool", "value": value}]}}));
    }
}

#[test]
fn every_combination_counts_alike() {
    let agreement = Agreement::new();
    let mut random = Random::new();
    let all = 3000;
    let accepted = (0..all).filter(|_| agreement.check(spec(&mut random))).count();
    assert!((all / 4..all * 3 / 4).contains(&accepted), "{accepted} of {all} say nothing of the others");
}

/// Harmless ones: whoever refuses one says so, and what is stored is understood.
#[test]
fn these_few_classes_do_not_count_alike() {
    let agreement = Agreement::new();
    let tolerations =
        |count: usize| json!({"nodes": {"tolerations": vec![json!({"operator": "Exists"}); count]}});
    let labels = |count: usize| {
        let labels: Map<String, Value> =
            (0..count).map(|index| (format!("label-{index}"), json!(""))).collect();
        json!({"nodes": {"selector": labels}})
    };
    for spec in [tolerations(64), labels(64)] {
        assert!(agreement.check(spec));
    }
    // Rules over longer lists would be too slow for the API server.
    for spec in [tolerations(65), labels(65)] {
        agreement.check_read_by_us_alone(spec);
    }
    for quantity in [json!("1e-100"), json!(format!("{}1Gi", "0".repeat(64)))] {
        agreement.check_read_by_us_alone(json!({"minimumRequest": quantity}));
    }
    // The API server stores 70, which is read like any other.
    let whole_float = class("random", json!({"marginPercent": 70.0}));
    assert!(SwapClass::from_object(&whole_float).is_err());
    let stored = agreement.0.swap_class(&whole_float, UnknownFields::Refused).unwrap();
    assert_eq!(SwapClass::from_object(&stored).unwrap().margin_percent, 70);
}

/// An API server that knows SwapClasses, beside our own reading of them.
struct Agreement(DryRun);

impl Agreement {
    fn new() -> Self {
        let cluster = ControlPlane::shared();
        swap_class_crd(cluster);
        Self(DryRun::new(cluster))
    }

    /// Both accept the class and understand the same by it, which is the answer, or both refuse it.
    fn check(&self, spec: Value) -> bool {
        let object = class("random", spec);
        let stored = self.0.swap_class(&object, UnknownFields::Refused);
        match (SwapClass::from_object(&object), stored) {
            (Ok(class), Ok(stored)) => {
                assert_eq!(SwapClass::from_object(&stored).as_ref(), Ok(&class), "{object} became {stored}");
                let typed: WireClass = serde_json::from_value(stored).unwrap();
                assert_eq!(SwapClass::from_object(&json!(typed)), Ok(class), "{object} became {typed:?}");
                true
            }
            (Err(_), Err(_)) => false,
            (ours, theirs) => panic!("{object}\nspark-swap: {ours:?}\nAPI server: {theirs:?}"),
        }
    }

    fn check_read_by_us_alone(&self, spec: Value) {
        let object = class("random", spec);
        assert!(SwapClass::from_object(&object).is_ok(), "{object}");
        assert!(self.0.swap_class(&object, UnknownFields::Refused).is_err(), "{object}");
    }
}
