//! The optional policy that tells of executors without a plan.

use serde_json::{Value, json};

use crate::install::kustomization;
use crate::pods;
use crate::site::Site;
use crate::wait;

#[test]
fn executors_that_were_missed_are_told_of() {
    let site = Site::clean();
    let cluster = site.cluster;
    let detector = kustomization("components/miss-detector/miss-detector.yaml");
    cluster.kubectl(&["apply", "-f", &detector]);
    let policy = wait::until("checked policy", wait::LIMIT, || {
        let policy = cluster.get("validatingadmissionpolicy", "", "spark-swap-missed");
        if policy["status"]["typeChecking"].is_object() { Ok(policy) } else { Err(policy.to_string()) }
    });
    assert_eq!(policy["status"]["typeChecking"], json!({}), "the expressions fit the types");

    let namespace = cluster.namespace("missed", json!({}));
    let warnings = |pod: &Value| {
        let arguments = ["create", "-f", "-", "-n", &namespace, "--dry-run=server", "--warnings-as-errors"];
        cluster.try_kubectl_with(&arguments, &pod.to_string()).err().unwrap_or_default()
    };
    let missed = pods::executor("missed", 1024, 384);
    wait::until("policy in force", wait::LIMIT, || {
        let warnings = warnings(&missed);
        if warnings.contains("spark-swap made no plan for this executor") { Ok(()) } else { Err(warnings) }
    });
    let changed = |change: fn(&mut Value)| {
        let mut pod = missed.clone();
        change(&mut pod);
        warnings(&pod)
    };
    let planned = changed(|pod| pod["metadata"]["annotations"] = json!({pods::PLAN: "{}"}));
    let opted_out = changed(|pod| pod["metadata"]["labels"]["spark-swap.io/class"] = json!("none"));
    let has_swap = changed(|pod| {
        pods::spark_container_mut(pod)["resources"]["requests"]["memory"] = json!("1407Mi");
    });
    let driver = changed(|pod| pod["metadata"]["labels"]["spark-role"] = json!("driver"));
    let sidecar = changed(|pod| pods::spark_container_mut(pod)["args"] = json!(["driver"]));
    assert_eq!([planned, opted_out, has_swap, driver, sidecar], [""; 5]);

    // Under a name that the audit log does not know from before the policy.
    cluster.try_create(&pods::executor("noted", 1024, 384), &["-n", &namespace]).unwrap();
    let audit = cluster.creation_audit(&namespace, "noted");
    let noted = audit["validation.policy.admission.k8s.io/validation_failure"].as_str().unwrap_or_default();
    assert!(noted.contains("spark-swap-missed"), "{audit}");
}
