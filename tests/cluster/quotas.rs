//! ResourceQuotas in place: a plan never asks for more than the pod did, and is what the quota is charged.

use serde_json::{Value, json};

use crate::classes::{CLASS_LABEL, class_for, density, judged, swap_class_crd, swap_node};
use crate::control_plane::ControlPlane;
use crate::nodes::{self, GIB};
use crate::pods::{self, MIB};
use crate::wait;
use crate::webhook::{Verdict, Webhook};

#[test]
fn a_quota_holds_as_many_executors_as_before_or_more_and_is_charged_what_was_planned() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let home = cluster.namespace("quotas", json!({}));
    nodes::join(cluster, &swap_node(&home), &home);
    // Memory for three executors as Spark writes them, cpu for four.
    let memory = (3 * 9011 * MIB).to_string();
    let hard = json!({
        "requests.memory": memory, "limits.memory": memory, "requests.cpu": "2", "limits.cpu": "4",
    });
    let growing = json!({"strategy": "HeapGrowth", "heap": {"growthPercent": 50}});
    let fleets = [(json!({"strategy": "SafetyNet"}), 3), (density(), 4), (growing, 3)];
    let fleets = fleets.map(|(spec, expected)| {
        let namespace = namespace_with_quota(cluster, &hard);
        cluster.apply(&class_for(&home, &namespace, spec));
        (namespace, expected)
    });
    let plain = namespace_with_quota(cluster, &hard);
    assert_eq!(fill(cluster, &plain).len(), 3);

    let _webhook = Webhook::start_live(cluster, &fleets.each_ref().map(|(namespace, _)| &**namespace));
    for (namespace, expected) in &fleets {
        judged(cluster, namespace);
        let stored = fill(cluster, namespace);
        assert_eq!(stored.len(), *expected, "{namespace}");
        for plan in stored.iter().map(|pod| pods::plan(pod).expect("a plan")) {
            let [request, limit] = ["request", "limit"].map(|size| plan[size]["to"].as_u64().unwrap());
            assert!(request <= 9011 * MIB && limit <= 9011 * MIB, "{plan}");
        }
    }
}

/// Creates executors until the quota refuses one, and returns the others.
fn fill(cluster: &ControlPlane, namespace: &str) -> Vec<Value> {
    let mut stored = Vec::new();
    loop {
        let mut pod = executor(&format!("executor-{}", stored.len()), namespace);
        pods::spark_container_mut(&mut pod)["resources"]["limits"]["cpu"] = json!("1");
        pods::spark_container_mut(&mut pod)["resources"]["requests"]["cpu"] = json!("500m");
        match cluster.try_create(&pod, &["-n", namespace]) {
            Ok(pod) => stored.push(pod),
            Err(refusal) => {
                assert!(refusal.contains("exceeded quota: quota, "), "{refusal}");
                return stored;
            }
        }
        let used = cluster.get("resourcequota", namespace, "quota")["status"]["used"].take();
        let sum = |of: fn(&Value) -> u64| stored.iter().map(of).sum::<u64>();
        assert_eq!(pods::bytes(&used["requests.memory"]), sum(pods::request));
        assert_eq!(pods::bytes(&used["limits.memory"]), sum(pods::limit));
    }
}

/// QoS class Guaranteed needs a cpu limit that is the cpu request. Where limits are counted, none is changed.
#[test]
fn under_a_quota_on_cpu_limits_no_cpu_limit_is_written() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let home = cluster.namespace("cpu-limits", json!({}));
    let labels = json!({"spark-swap.io/crio-swap-permille": "500"});
    nodes::join(cluster, &nodes::node(&home, 64 * GIB, 32 * GIB, labels), &home);
    let guaranteed = json!({
        "strategy": "Density", "workingSetPercent": 50, "peakMarginPercent": 0,
        "qosClass": "Guaranteed", "swap": {"via": "CrioAnnotation"},
    });
    cluster.apply(&class_for(&home, &home, guaranteed));
    let free = namespace_with_quota(cluster, &json!({"requests.memory": "100Gi"}));
    let counted = namespace_with_quota(cluster, &json!({"limits.cpu": "100"}));
    let webhook = Webhook::start_live(cluster, &[&free, &counted]);
    judged(cluster, &home);

    let planned = Verdict { mutated: true, reason: "Planned".to_owned() };
    let left_alone = Verdict { mutated: false, reason: "NotGuaranteed".to_owned() };
    for (namespace, cpu_limit, verdict, qos_class) in [
        (&free, "4", &planned, "Guaranteed"),
        (&counted, "4", &left_alone, "Burstable"),
        (&counted, "2", &planned, "Guaranteed"),
    ] {
        let name = format!("with-{cpu_limit}");
        let mut pod = executor(&name, &home);
        pods::spark_container_mut(&mut pod)["resources"]["requests"]["cpu"] = json!("2");
        pods::spark_container_mut(&mut pod)["resources"]["limits"]["cpu"] = json!(cpu_limit);
        let stored = cluster.try_create(&pod, &["-n", namespace]).unwrap();
        assert_eq!(webhook.verdict_on(namespace, &name).as_ref(), Some(verdict), "{stored}");
        assert_eq!(stored["status"]["qosClass"], qos_class);
        let as_received =
            pods::spark_container(&stored)["resources"] == pods::spark_container(&pod)["resources"];
        assert_eq!(as_received, !verdict.mutated, "{stored}");
    }
}

fn executor(name: &str, class: &str) -> Value {
    let mut pod = pods::executor(name, 8192, 819);
    pod["metadata"]["labels"][CLASS_LABEL] = json!(class);
    pod
}

/// Ready to be charged.
fn namespace_with_quota(cluster: &ControlPlane, hard: &Value) -> String {
    let namespace = cluster.namespace("quota", json!({}));
    cluster.create(&json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota", "namespace": namespace},
        "spec": {"hard": hard},
    }));
    wait::until("usage of the quota", wait::LIMIT, || {
        let quota = cluster.get("resourcequota", &namespace, "quota");
        if quota["status"]["used"].is_object() { Ok(()) } else { Err(quota.to_string()) }
    });
    namespace
}
