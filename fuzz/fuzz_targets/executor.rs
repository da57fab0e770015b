//! An executor with odd texts where Spark writes sizes, options and labels.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use spark_swap::sizing::state::State;
use spark_swap_fuzz::{check, cluster, review_of};

#[derive(Arbitrary, Debug)]
struct Odd<'a> {
    class: u8,
    heap: Option<&'a str>,
    request: u64,
    limit: Option<u64>,
    limit_text: Option<&'a str>,
    cpu: &'a str,
    options: Vec<(&'a str, &'a str)>,
    labels: Vec<(u8, &'a str)>,
    size_limit: Option<Option<&'a str>>,
    container: &'a str,
    term_key: Option<&'a str>,
}

const CLASSES: [&str; 5] = ["density", "growth", "crio", "nri", "safety-net"];
const LABELS: [&str; 8] = [
    "spark.executor.memory",
    "spark.executor.memoryOverhead",
    "spark.executor.minMemoryOverhead",
    "spark.executor.memoryOverheadFactor",
    "spark.executor.pyspark.memory",
    "spark.memory.offHeap.size",
    "spark-swap.io/working-set-percent",
    "spark-swap.io/peak-percent",
];

static CLUSTER: LazyLock<State> = LazyLock::new(cluster);

fuzz_target!(|odd: Odd<'_>| {
    let mut labels = json!({
        "spark-role": "executor",
        "spark-app-selector": "spark-1",
        "spark-swap.io/class": CLASSES[usize::from(odd.class) % CLASSES.len()]
    });
    for (key, value) in &odd.labels {
        labels[LABELS[usize::from(*key) % LABELS.len()]] = json!(value);
    }
    let mut env = vec![json!({"name": "SPARK_EXECUTOR_ID", "value": "1"})];
    env.extend(odd.heap.map(|value| json!({"name": "SPARK_EXECUTOR_MEMORY", "value": value})));
    env.extend(
        odd.options
            .iter()
            .map(|(suffix, value)| json!({"name": format!("SPARK_JAVA_OPT_{suffix}"), "value": value})),
    );
    let limit = odd.limit_text.map_or_else(|| odd.limit.unwrap_or(odd.request).to_string(), str::to_owned);
    let mut spec = json!({"containers": [{
        "name": odd.container,
        "args": ["executor"],
        "env": env,
        "resources": {
            "requests": {"memory": odd.request.to_string(), "cpu": odd.cpu},
            "limits": {"memory": limit}
        }
    }]});
    if let Some(limit) = odd.size_limit {
        spec["volumes"] = json!([{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": limit}}]);
        spec["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    }
    if let Some(key) = odd.term_key {
        let term = json!({"matchExpressions": [{"key": key, "operator": "DoesNotExist"}]});
        spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
            json!({"nodeSelectorTerms": [{}, term]});
    }
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": labels}, "spec": spec});
    let body = review_of(&pod).to_string();
    check(body.as_bytes(), &CLUSTER).expect("it is a review");
});
