//! Reading pods, and comparing those of two runs.

use serde_json::{Value, json};

use crate::wait;

pub(crate) const MIB: u64 = 1 << 20;

pub(crate) const PLAN: &str = "spark-swap.io/plan";

/// An executor as Spark writes it, with only what makes it one.
pub(crate) fn executor(name: &str, heap_mib: u64, non_heap_mib: u64) -> Value {
    let total = format!("{}Mi", heap_mib + non_heap_mib);
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {
            "spark-role": "executor", "spark-app-selector": "spark-test", "spark-exec-id": "1",
        }},
        "spec": {"restartPolicy": "Never", "containers": [{
            "name": "spark-kubernetes-executor", "image": "spark:test", "args": ["executor"],
            "env": [
                {"name": "SPARK_EXECUTOR_MEMORY", "value": format!("{heap_mib}m")},
                {"name": "SPARK_APPLICATION_ID", "value": "spark-test"},
                {"name": "SPARK_EXECUTOR_ID", "value": "1"},
            ],
            "resources": {"requests": {"cpu": "1", "memory": total}, "limits": {"memory": total}},
        }]},
    })
}

pub(crate) fn name(pod: &Value) -> &str {
    pod["metadata"]["name"].as_str().unwrap()
}

/// The Spark container: found as the webhook finds it, by what Spark writes into it.
pub(crate) fn spark_container(pod: &Value) -> &Value {
    let containers = pod["spec"]["containers"].as_array().unwrap();
    containers
        .iter()
        .find(|container| container["args"][0] == "executor")
        .expect("a container that runs an executor")
}

pub(crate) fn spark_container_mut(pod: &mut Value) -> &mut Value {
    let containers = pod["spec"]["containers"].as_array_mut().unwrap();
    containers
        .iter_mut()
        .find(|container| container["args"][0] == "executor")
        .expect("a container that runs an executor")
}

pub(crate) fn request(pod: &Value) -> u64 {
    bytes(&spark_container(pod)["resources"]["requests"]["memory"])
}

pub(crate) fn limit(pod: &Value) -> u64 {
    bytes(&spark_container(pod)["resources"]["limits"]["memory"])
}

/// The value that counts of an environment variable of the Spark container: the last one.
pub(crate) fn env<'a>(pod: &'a Value, name: &str) -> Option<&'a str> {
    let variables = spark_container(pod)["env"].as_array().unwrap();
    variables.iter().rfind(|variable| variable["name"] == name)?["value"].as_str()
}

pub(crate) fn plan(pod: &Value) -> Option<Value> {
    let plan = pod["metadata"]["annotations"][PLAN].as_str()?;
    Some(serde_json::from_str(plan).unwrap_or_else(|error| panic!("{error} in the plan {plan}")))
}

/// The bytes of a memory quantity, in one of the forms that Spark, the API server and the webhook use.
pub(crate) fn bytes(quantity: &Value) -> u64 {
    let text = quantity.as_str().unwrap_or_else(|| panic!("no quantity: {quantity}"));
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => MIB,
        "Gi" => 1 << 30,
        other => panic!("unit {other} in {text}"),
    };
    digits.parse::<u64>().unwrap() * unit
}

/// Waits until the scheduler has judged each of the pods, which `list` reads, and returns the bound ones.
pub(crate) fn bound(count: usize, list: impl Fn() -> Vec<Value>) -> Vec<Value> {
    let pods = wait::until("verdict of the scheduler", wait::LIMIT, || {
        let pods = list();
        let judged = pods.iter().filter(|pod| is_bound(pod) || is_refused_by_scheduler(pod)).count();
        if judged == count { Ok(pods) } else { Err(format!("{judged} of {count} pods")) }
    });
    pods.into_iter().filter(is_bound).collect()
}

/// A pod without all that differs between two runs of the same application. `memory`
/// quantities become bytes, for the same size may be written in several ways.
pub(crate) fn comparable(pod: &Value) -> Value {
    let mut pod = pod.clone();
    let words = words_of_this_run(&pod);
    let meta = pod["metadata"].as_object_mut().unwrap();
    for server_side in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
        meta.remove(server_side);
    }
    pod["status"] = json!({"qosClass": pod["status"]["qosClass"]});
    replace_words(&mut pod, &words);
    for container in pod["spec"]["containers"].as_array_mut().unwrap() {
        for kind in ["requests", "limits"] {
            if let Some(memory) = container["resources"][kind].get_mut("memory") {
                *memory = json!(bytes(memory));
            }
        }
    }
    pod
}

fn is_bound(pod: &Value) -> bool {
    pod["spec"]["nodeName"].is_string()
}

fn is_refused_by_scheduler(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "PodScheduled" && c["status"] == "False"))
}

/// Names, ids and ports that are drawn anew for every run, with what stands for them.
fn words_of_this_run(pod: &Value) -> Vec<(String, &'static str)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let volume = |prefix: &str| {
        let names = pod["spec"]["volumes"].as_array().into_iter().flatten().map(|volume| &volume["name"]);
        names.filter_map(text).find(|name| name.starts_with(prefix))
    };
    let conf_map =
        pod["spec"]["volumes"].as_array().into_iter().flatten().find_map(|v| text(&v["configMap"]["name"]));
    let driver = env(pod, "SPARK_DRIVER_URL").and_then(|url| url.rsplit(':').next()).map(str::to_owned);
    // Longest first: the name of a pod holds the id of its application.
    [
        (text(&pod["metadata"]["name"]), "POD"),
        (text(&pod["spec"]["hostname"]), "POD"),
        (conf_map, "CONFIG-MAP"),
        (volume("kube-api-access-"), "TOKEN-VOLUME"),
        (text(&pod["metadata"]["labels"]["spark-app-selector"]), "APPLICATION"),
        (text(&pod["metadata"]["namespace"]), "NAMESPACE"),
        (driver, "DRIVER-PORT"),
    ]
    .into_iter()
    .filter_map(|(word, stand_in)| Some((word?, stand_in)))
    .collect()
}

fn replace_words(value: &mut Value, words: &[(String, &str)]) {
    match value {
        Value::String(text) => {
            for (word, stand_in) in words {
                *text = text.replace(word, stand_in);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|each| replace_words(each, words)),
        Value::Object(all) => all.values_mut().for_each(|each| replace_words(each, words)),
        _ => {}
    }
}
