//! Our reading of LimitRanges against the API server's admission plugin.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use spark_swap::sizing::limit_range::{LimitRange, LimitRangeItem, NamespaceLimits};
use spark_swap::sizing::quantity::Quantity;

use crate::oracle::{Random, assert_no_difference};
use crate::resources::{memory_quantity, pod_resources, quantity};

#[test]
fn limit_ranges_allow_what_the_api_server_allows() {
    assert_no_difference(50_000, question, |question, answer| {
        let mut limits = NamespaceLimits::default();
        for range in question["limitRanges"].as_array().unwrap() {
            limits.add(&limit_range(range));
        }
        let pod = pod_resources(&question["pod"]);
        let [Some(memory_request), Some(memory_limit), Some(cpu_request), Some(cpu_limit)] =
            [pod.spark.memory_request, pod.spark.memory_limit, pod.spark.cpu_request, pod.spark.cpu_limit]
        else {
            return Err("a question without all of the Spark container's resources".to_owned());
        };
        let bytes = |quantity: Quantity| quantity.bytes().ok_or("a negative quantity");
        let ours = pod.memory_is_allowed(&limits, bytes(memory_request)?, bytes(memory_limit)?)
            && pod.cpu_is_allowed(&limits, cpu_request, cpu_limit);
        if answer["ok"] == ours { Ok(()) } else { Err(format!("we say {ours}")) }
    });
}

/// Bounds near the resources they bind, so that both verdicts are common.
fn question(random: &mut Random) -> Value {
    // The plugin judges every container by itself; we judge only Spark's, for the others
    // are none of ours. So there are others only where their sum is bound.
    let only_pod_bounds = random.percent(50);
    let mut containers = vec![container(random, true)];
    let mut init_containers = Vec::new();
    if only_pod_bounds {
        containers.extend(random.several(3, |random| container(random, false)));
        init_containers = random.several(3, |random| {
            let mut container = container(random, false);
            if random.percent(50) {
                container["restartPolicy"] = json!("Always");
            }
            container
        });
    }
    let kinds: &[&str] =
        if only_pod_bounds { &["Pod"] } else { &["Container", "Pod", "PersistentVolumeClaim"] };
    let limit_ranges = random.several(3, |random| {
        let items = random.several(3, |random| item(random, kinds));
        json!({"metadata": {"name": "limits", "namespace": "default"}, "spec": {"limits": items}})
    });
    json!({"op": "limitRange", "limitRanges": limit_ranges,
        "pod": {"spec": {"containers": containers, "initContainers": init_containers}}})
}

fn container(random: &mut Random, complete: bool) -> Value {
    let mut container = json!({"name": "c", "resources": {}});
    let request = near_gib(random);
    let limit = request + random.pick(&[0, 1, 1 << 20, 1 << 29, 1 << 30]);
    for (kind, bytes) in [("requests", request), ("limits", limit)] {
        if complete || random.percent(70) {
            // Whole bytes, as the webhook writes and compares them.
            container["resources"][kind]["memory"] = json!(bytes.to_string());
        }
        if complete || random.percent(50) {
            container["resources"][kind]["cpu"] = json!(random.pick(&["500m", "1", "1500m", "2", "4"]));
        }
    }
    container
}

fn item(random: &mut Random, kinds: &[&str]) -> Value {
    let mut item = json!({"type": random.pick(kinds)});
    if random.percent(30) {
        let lowest = near_gib(random) >> random.below(3);
        item["min"]["memory"] = json!(memory_quantity(random, lowest));
    }
    if random.percent(30) {
        let highest = near_gib(random) << random.below(4);
        item["max"]["memory"] = json!(memory_quantity(random, highest));
    }
    if random.percent(30) {
        let ratios = ["1", "1.0009", "1.001", "1001m", "1.25", "1.5", "2", "2.0005", "3"];
        item["maxLimitRequestRatio"]["memory"] = json!(random.pick(&ratios));
    }
    if random.percent(10) {
        let bound = random.pick(&["min", "max", "maxLimitRequestRatio"]);
        item[bound]["cpu"] = json!(random.pick(&["250m", "1", "2", "8"]));
    }
    item
}

fn near_gib(random: &mut Random) -> u64 {
    let base: u64 = random.pick(&[512 << 20, 1 << 30, 3 << 29, 2 << 30]);
    base + random.below(3) - 1
}

fn limit_range(object: &Value) -> LimitRange {
    let items = object["spec"]["limits"].as_array().unwrap().iter().map(|item| LimitRangeItem {
        kind: item["type"].as_str().unwrap().to_owned(),
        min: quantities(&item["min"]),
        max: quantities(&item["max"]),
        max_limit_request_ratio: quantities(&item["maxLimitRequestRatio"]),
    });
    LimitRange { namespace: "default".to_owned(), name: "limits".to_owned(), items: items.collect() }
}

fn quantities(list: &Value) -> BTreeMap<String, Quantity> {
    let list = list.as_object().into_iter().flatten();
    list.filter_map(|(resource, value)| Some((resource.clone(), quantity(value)?))).collect()
}
