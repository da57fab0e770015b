//! Our copy of the kubelet's rules against the kubelet: swap, QoS class and OOM score of random pods on random nodes.

use serde_json::{Value, json};
use spark_swap::sizing::kubelet::{
    CRITICAL_PRIORITY, QosClass, calculated_swap, is_swap_eligible, oom_score_adj, qos_class,
};
use spark_swap::sizing::quantity::Quantity;

use crate::oracle::{self, Random, assert_no_difference};
use crate::resources::{self, is_sidecar, memory_quantity, pod_resources, quantity, resources_of};

#[test]
fn the_oracle_answers_what_upstream_tests_expect() {
    let vectors: [(u64, u64, u64, u64); 3] =
        [(1, 80, 4, 53_687_091), (2, 40, 2, 107_374_182), (5, 150, 40, 1_431_655_765)];
    let questions = vectors.map(|(request, memory, swap, _)| {
        let resources = json!({"requests": {"memory": format!("{request}Gi")}});
        json!({"op": "pod", "memory": memory << 30, "swap": swap << 30,
            "pod": {"spec": {"containers": [{"name": "c", "resources": resources}]}}})
    });
    for (answer, (.., expected)) in oracle::answers(&questions).iter().zip(vectors) {
        assert_eq!(answer["containers"][0]["swap"], expected, "{answer}");
    }
}

#[test]
fn swap_qos_class_and_oom_score_are_the_kubelets_own() {
    assert_no_difference(100_000, pod_on_node, |question, answer| {
        let (pod, memory) = (&question["pod"], question["memory"].as_u64().unwrap());
        let critical = pod["spec"]["priority"].as_i64().is_some_and(|priority| priority >= CRITICAL_PRIORITY);
        let qos = qos_class(&pod_resources(pod));
        expect("qosClass", &json!(qos.to_string()), &answer["qosClass"])?;
        expect("critical", &json!(critical), &answer["critical"])?;

        let of_kubelet = answer["containers"].as_array().ok_or("no containers")?;
        for (container, theirs) in resources::containers(pod).zip(of_kubelet) {
            let ours = resources_of(container);
            let request = ours.memory_request.and_then(Quantity::bytes).unwrap_or(0);
            let swap = if is_swap_eligible(critical, qos, &ours) {
                calculated_swap(request, memory, question["swap"].as_u64().unwrap())
            } else {
                0
            };
            expect("swap", &json!(swap), &theirs["swap"])?;
            // A sidecar's score follows the app containers'; we show only those of app containers.
            if !is_sidecar(container) {
                expect("oomScoreAdj", &json!(oom_score_adj(qos, request, memory)), &theirs["oomScoreAdj"])?;
            }
        }
        Ok(())
    });
}

fn pod_on_node(random: &mut Random) -> Value {
    let memory = (1 + random.below(1 << 31)) << 10;
    let swap = if random.percent(10) { 0 } else { random.below(2 * memory) & !1023 };
    let mut pod = json!({"spec": {
        "containers": random.several(3, |random| container(random, memory, false)),
        "initContainers": random.several(3, |random| container(random, memory, true)),
    }});
    let first = container(random, memory, false);
    pod["spec"]["containers"].as_array_mut().unwrap().push(first);
    if random.percent(30) {
        pod["spec"]["priority"] = json!(random.pick(&[0, -1, 1_999_999_999, 2_000_000_000, 2_000_001_000]));
    }
    json!({"op": "pod", "default": true, "memory": memory, "swap": swap, "pod": pod})
}

/// Often with a request that is close to its limit, or equal and written differently.
fn container(random: &mut Random, node_memory: u64, init: bool) -> Value {
    let most = if random.percent(5) { 2 * node_memory } else { node_memory };
    let request = random.below(most);
    let limit = match random.below(4) {
        0 => request,
        1 => request + 1,
        2 => request.saturating_sub(1),
        _ => random.below(2 * node_memory),
    };
    let mut container = json!({"name": format!("c{}", random.below(1000)), "resources": {}});
    for (kind, bytes) in [("requests", request), ("limits", limit)] {
        if random.percent(70) {
            container["resources"][kind]["memory"] = json!(memory_quantity(random, bytes));
        }
        if random.percent(50) {
            container["resources"][kind]["cpu"] =
                json!(random.pick(&["1", "1000m", "0", "1.5", "0.0001", "1e0"]));
        }
    }
    keep_requests_below_limits(&mut container["resources"]);
    if init && random.percent(50) {
        container["restartPolicy"] = json!("Always");
    }
    container
}

/// The API server refuses other pods. They have another QoS class up to Kubernetes 1.36, which compares the sums of a
/// pod, than from 1.37 on, which compares container by container.
fn keep_requests_below_limits(resources: &mut Value) {
    for resource in ["cpu", "memory"] {
        let (request, limit) = (&resources["requests"][resource], &resources["limits"][resource]);
        if let (Some(asked), Some(most)) = (quantity(request), quantity(limit))
            && asked.cmp_amount(most).is_gt()
        {
            let (request, limit) = (request.clone(), limit.clone());
            resources["requests"][resource] = limit;
            resources["limits"][resource] = request;
        }
    }
}

fn expect(what: &str, ours: &Value, theirs: &Value) -> Result<(), String> {
    if ours == theirs { Ok(()) } else { Err(format!("{what}: ours {ours}, the kubelet's {theirs}")) }
}

#[test]
fn guaranteed_pods_and_containers_without_room_get_no_swap() {
    let container = |request: &str, limit: &str| {
        json!({"name": "c", "resources": {
            "requests": {"cpu": "1", "memory": request}, "limits": {"cpu": "1", "memory": limit}}})
    };
    for (request, limit, class, granted) in [
        ("1Gi", "1Gi", QosClass::Guaranteed, false),
        ("1Gi", "1073741824", QosClass::Guaranteed, false),
        ("1023Mi", "1Gi", QosClass::Burstable, true),
    ] {
        let pod = json!({"spec": {"containers": [container(request, limit)]}});
        let question = json!({"op": "pod", "memory": 4_u64 << 30, "swap": 4_u64 << 30, "pod": pod});
        let answer = &oracle::answers(&[question])[0];
        assert_eq!(answer["qosClass"], class.to_string());
        assert_eq!(answer["containers"][0]["swap"] != 0, granted, "{answer}");
    }
}
