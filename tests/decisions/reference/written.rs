//! Section 7: the pod as it must look after the patch, made from the plan without any patch.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use spark_swap::sizing::class::{Backend, Enforcement};
use spark_swap::sizing::quantity::Quantity;

use super::Planned;
use crate::ask::{Case, toleration_json};

const MIB: u64 = 1 << 20;

/// The plan annotation; `bound` and `node` are chosen where the design leaves a choice.
pub fn plan_json(case: &Case, planned: &Planned, bound: &str, node: &Value) -> Value {
    let change = |from: u64, to: u64| json!({"from": from, "to": to});
    json!({
        "v": 1,
        "class": case.class.name,
        "strategy": planned.strategy,
        "enforcement": case.class.enforcement,
        "heap": planned.heap.map(|(from, to)| change(from, to)),
        "nonHeap": planned.non_heap,
        "request": change(case.ask.request, planned.request),
        "limit": change(case.ask.limit, planned.limit),
        "workingSet": planned.working_set,
        "peak": planned.peak,
        "unswappable": planned.unswappable,
        "expectedSwap": planned.expected_swap,
        "possibleSwap": planned.possible_swap,
        "neededPermille": planned.needed_permille,
        "qosClass": planned.qos,
        "oomScoreAdj": planned.oom_score_adj,
        "bound": bound,
        "node": node
    })
}

/// The pod with the Spark container's amounts in bytes and millicores, whatever their notation.
pub fn normalised(mut pod: Value) -> Value {
    let containers = pod["spec"]["containers"].as_array_mut().unwrap();
    let resources = &mut containers.last_mut().unwrap()["resources"];
    for list in ["requests", "limits"] {
        for (key, of) in [("memory", Quantity::value as fn(Quantity) -> i64), ("cpu", Quantity::milli_value)]
        {
            if let Some(text) = resources[list][key].as_str() {
                resources[list][key] = json!(of(text.parse().unwrap()));
            }
        }
    }
    pod
}

/// The pod after the patch; `annotation` is the plan annotation as written.
pub fn patched(case: &Case, planned: &Planned, annotation: &str) -> Value {
    let mut pod = case.ask.pod();
    pod["metadata"]["annotations"]["spark-swap.io/plan"] = json!(annotation);
    if case.class.enforcement == Enforcement::Audit {
        return pod;
    }
    annotate_swap(case, planned, &mut pod);
    let spec = &mut pod["spec"];
    write_container(case, planned, spec["containers"].as_array_mut().unwrap().last_mut().unwrap());
    for (key, value) in &case.class.nodes.selector {
        spec["nodeSelector"][key] = json!(value);
    }
    for toleration in &case.class.nodes.tolerations {
        if case.ask.tolerations.contains(toleration) {
            continue;
        }
        if spec["tolerations"].is_null() {
            spec["tolerations"] = json!([]);
        }
        spec["tolerations"].as_array_mut().unwrap().push(toleration_json(toleration));
    }
    if planned.is_pinned {
        pin(
            case,
            planned,
            &mut spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"],
        );
    }
    pod
}

fn write_container(case: &Case, planned: &Planned, container: &mut Value) {
    let resources = &mut container["resources"];
    for (list, from, to) in
        [("requests", case.ask.request, planned.request), ("limits", case.ask.limit, planned.limit)]
    {
        if from != to {
            resources[list]["memory"] = json!(to.to_string());
        }
    }
    if planned.cpu_limit.is_some() {
        resources["limits"]["cpu"] = resources["requests"]["cpu"].clone();
    }
    let env = container["env"].as_array_mut().unwrap();
    if let Some((from, to)) = planned.heap
        && from != to
    {
        let last = env.iter_mut().rfind(|entry| entry["name"] == "SPARK_EXECUTOR_MEMORY").unwrap();
        last["value"] = json!(format!("{}m", to / MIB));
    }
    if let Some(mib) = planned.young_mib {
        let number =
            |entry: &Value| entry["name"].as_str()?.strip_prefix("SPARK_JAVA_OPT_")?.parse::<u64>().ok();
        let next = env.iter().filter_map(number).max().map_or(0, |highest| highest + 1);
        env.push(json!({"name": format!("SPARK_JAVA_OPT_{next}"), "value": format!("-Xmn{mib}m")}));
    }
}

fn annotate_swap(case: &Case, planned: &Planned, pod: &mut Value) {
    let annotations = &mut pod["metadata"]["annotations"];
    let swap = planned.written_swap.unwrap_or(0);
    match case.class.swap.via {
        Backend::Kubelet => {}
        Backend::NriMemoryQos => {
            annotations["memory.swap.max.memory-qos.nri.io/spark-kubernetes-executor"] =
                json!(swap.to_string());
        }
        Backend::CrioAnnotation => {
            let value = json!(format!("memory.swap.max={}", STANDARD.encode(swap.to_string())));
            annotations["unified-cgroup.crio.io/spark-kubernetes-executor"] = value.clone();
            annotations["io.kubernetes.cri-o.UnifiedCgroup.spark-kubernetes-executor"] = value;
        }
    }
}

fn pin(case: &Case, planned: &Planned, required: &mut Value) {
    let key = match case.class.swap.via {
        Backend::Kubelet => "spark-swap.io/limited-swap-permille",
        Backend::CrioAnnotation => "spark-swap.io/crio-swap-permille",
        Backend::NriMemoryQos => "spark-swap.io/nri-swap-permille",
    };
    let above = (planned.needed_permille - 1).to_string();
    let requirement = json!({"key": key, "operator": "Gt", "values": [above]});
    let Some(terms) = required["nodeSelectorTerms"].as_array_mut() else {
        *required = json!({"nodeSelectorTerms": [{"matchExpressions": [requirement]}]});
        return;
    };
    for term in terms.iter_mut().filter(|term| *term != &json!({})) {
        match term["matchExpressions"].as_array_mut() {
            Some(expressions) => expressions.push(requirement.clone()),
            None => term["matchExpressions"] = json!([requirement]),
        }
    }
}
