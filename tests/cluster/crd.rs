//! The CustomResourceDefinition of SwapClass in a real API server.

use std::process::Command;

use serde_json::{Value, json};
use spark_swap::cluster::api::definition::definition;
use spark_swap::sizing::class::SwapClass;

use crate::classes::{class, swap_class_crd};
use crate::control_plane::ControlPlane;
use crate::dry_run::{DryRun, UnknownFields};
use crate::process;
use crate::webhook::program;

#[test]
fn the_examples_are_accepted() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    cluster.kubectl(&["apply", "-f", "examples/classes", "--dry-run=server"]);
}

#[test]
fn the_manifests_are_accepted_as_printed() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let namespace = cluster.namespace("manifests", json!({}));
    let manifest =
        process::run(Command::new(program()).args(["manifests", "--namespace", &namespace]), "").unwrap();
    let path = cluster.dir().join("manifests.yaml");
    std::fs::write(&path, &manifest).unwrap();
    let applied = cluster.kubectl(&["apply", "--dry-run=server", "-f", path.to_str().unwrap()]);
    let names: Vec<&str> = applied.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(
        names,
        [
            "customresourcedefinition.apiextensions.k8s.io/swapclasses.spark-swap.io",
            &*format!("namespace/{namespace}"),
            "serviceaccount/spark-swap",
            "clusterrole.rbac.authorization.k8s.io/spark-swap",
            "clusterrolebinding.rbac.authorization.k8s.io/spark-swap",
            "role.rbac.authorization.k8s.io/spark-swap",
            "rolebinding.rbac.authorization.k8s.io/spark-swap",
            "priorityclass.scheduling.k8s.io/spark-swap",
            "secret/spark-swap-tls",
            "service/spark-swap",
            "deployment.apps/spark-swap",
            "poddisruptionbudget.policy/spark-swap",
            "networkpolicy.networking.k8s.io/spark-swap",
            "mutatingwebhookconfiguration.admissionregistration.k8s.io/spark-swap",
        ]
    );
    // The API server stores it as it is printed: a second apply does not look like a change.
    assert!(applied.contains("swapclasses.spark-swap.io unchanged"), "{applied}");
    assert_eq!(cluster.objects_of(&manifest)[0], definition().unwrap());
}

#[test]
fn kubectl_shows_what_an_admin_looks_for() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let mut shown = class("shown", json!({"strategy": "Density", "enforcement": "Audit"}));
    shown["metadata"]["annotations"] = json!({"spark-swap.io/is-default-class": "false"});
    cluster.apply(&shown);
    let status = json!({"status": {"observedGeneration": 1, "conditions": [{
        "type": "Ready", "status": "True", "reason": "Valid", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]}});
    cluster.kubectl(&[
        "patch",
        "swc",
        "shown",
        "--subresource=status",
        "--type=merge",
        "-p",
        &status.to_string(),
    ]);
    let table = cluster.kubectl(&["get", "swc", "shown"]);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "STRATEGY", "ENFORCEMENT", "DEFAULT", "READY", "AGE"]);
    assert_eq!(rows[1][..5], ["shown", "Density", "Audit", "false", "True"]);
    let explained = cluster.kubectl(&["explain", "swapclass.spec.workingSetPercent"]);
    assert!(explained.contains("Default: 70."), "{explained}");
    cluster.kubectl(&["delete", "swc", "shown"]);
}

#[test]
fn unknown_fields_are_refused_or_dropped_but_never_stored() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let misspelt = class("misspelt", json!({"workingsetPercent": 50}));
    let kubectl = |arguments: &[&str]| {
        let path = cluster.dir().join("misspelt.json");
        std::fs::write(&path, misspelt.to_string()).unwrap();
        cluster
            .try_kubectl(&[arguments, &["--dry-run=server", "-f", path.to_str().unwrap()]].concat())
            .unwrap_err()
    };
    assert!(kubectl(&["apply"]).contains("unknown field \"spec.workingsetPercent\""));
    let server_side = kubectl(&["apply", "--server-side", "--validate=false"]);
    assert!(server_side.contains(".spec.workingsetPercent: field not declared in schema"), "{server_side}");
    let stored = DryRun::new(cluster).swap_class(&misspelt, UnknownFields::Dropped).unwrap();
    assert_eq!(stored["spec"].get("workingsetPercent"), None);
    assert_eq!(SwapClass::from_object(&stored).unwrap().working_set_percent, 70);
}

/// A spec, where the problem is, and what the API server says of it.
#[allow(clippy::too_many_lines)] // a table
fn refused() -> Vec<(Value, &'static str, &'static str)> {
    let selector = |key: &str, value: Value| json!({"nodes": {"selector": {key: value}}});
    let toleration =
        |toleration: Value| json!({"nodes": {"tolerations": [{"operator": "Exists"}, toleration]}});
    let explicit = |max: Value| json!({"swap": {"via": "CrioAnnotation", "maxPerExecutor": max}});
    vec![
        (json!({"enforcement": "enforce"}), "spec.enforcement", "supported values: \"Enforce\", \"Audit\""),
        (json!({"rolloutPercent": 101}), "spec.rolloutPercent", "less than or equal to 100"),
        (
            json!({"strategy": "Dense"}),
            "spec.strategy",
            "supported values: \"SafetyNet\", \"Density\", \"HeapGrowth\"",
        ),
        (json!({"workingSetPercent": 0}), "spec.workingSetPercent", "greater than or equal to 1"),
        (json!({"workingSetPercent": "70"}), "spec.workingSetPercent", "must be of type integer: \"string\""),
        (
            json!({"peakPercent": 60}),
            "spec.workingSetPercent",
            "must not be above spec.peakPercent; it is 70 unless set",
        ),
        (json!({"peakPercent": 101}), "spec.peakPercent", "less than or equal to 100"),
        (json!({"marginPercent": -1}), "spec.marginPercent", "greater than or equal to 0"),
        (json!({"peakMarginPercent": 51}), "spec.peakMarginPercent", "less than or equal to 50"),
        (json!({"limit": true}), "spec.limit", "must be of type string: \"boolean\""),
        (json!({"minimumRequest": "0"}), "spec.minimumRequest", "must be a quantity above 0, such as 512Mi"),
        (json!({"minimumRequest": -1}), "spec.minimumRequest", "must be a quantity above 0, such as 512Mi"),
        (
            json!({"minimumRequest": "512MB"}),
            "spec.minimumRequest",
            "must be a quantity above 0, such as 512Mi",
        ),
        (
            json!({"minimumRequest": "9223372036854775808"}),
            "spec.minimumRequest",
            "must be a quantity above 0, such as 512Mi",
        ),
        (json!({"minimumRequest": {}}), "spec.minimumRequest", "must be of type integer,string: \"object\""),
        (
            json!({"qosClass": "Guaranteed"}),
            "spec.qosClass",
            "Guaranteed needs an explicit backend in spec.swap.via: CrioAnnotation or NriMemoryQos",
        ),
        (json!({"swap": "Kubelet"}), "spec.swap", "must be of type object: \"string\""),
        (
            json!({"swap": {"via": "Zram"}}),
            "spec.swap.via",
            "supported values: \"Kubelet\", \"CrioAnnotation\", \"NriMemoryQos\"",
        ),
        (
            json!({"swap": {"maxPerExecutor": "1Gi"}}),
            "spec.swap.maxPerExecutor",
            "only for explicit backends; remove it, or set spec.swap.via to CrioAnnotation or NriMemoryQos",
        ),
        (explicit(json!("4095")), "spec.swap.maxPerExecutor", "must be a quantity of at least 4096 bytes"),
        (explicit(json!(4095)), "spec.swap.maxPerExecutor", "must be a quantity of at least 4096 bytes"),
        (
            selector("a b", json!("c")),
            "spec.nodes.selector",
            "the key a b is not a label key: [DNS name/]name",
        ),
        (
            selector("pool", json!("a/b")),
            "spec.nodes.selector[pool]",
            "is not letters, digits, - _ . with a letter",
        ),
        (selector("pool", json!("a".repeat(64))), "spec.nodes.selector", "may not be more than 63 bytes"),
        (selector("pool", json!(5)), "spec.nodes.selector", "must be of type string: \"integer\""),
        (toleration(json!({})), "spec.nodes.tolerations[1].key", "is required unless the operator is Exists"),
        (
            toleration(json!({"key": "foo^", "operator": "Exists"})),
            "spec.nodes.tolerations[1].key",
            "is not a taint key",
        ),
        (
            toleration(json!({"key": "foo", "operator": "Gt", "value": "5"})),
            "spec.nodes.tolerations[1].operator",
            "supported values: \"\", \"Equal\", \"Exists\"",
        ),
        (
            toleration(json!({"key": "foo", "value": "-bar"})),
            "spec.nodes.tolerations[1].value",
            "is not letters, digits",
        ),
        (
            toleration(json!({"key": "foo", "operator": "Exists", "value": "bar"})),
            "spec.nodes.tolerations[1].value",
            "must be empty when the operator is Exists",
        ),
        (
            toleration(json!({"key": "foo", "effect": "noSchedule"})),
            "spec.nodes.tolerations[1].effect",
            "supported values: \"\", \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\"",
        ),
        (
            toleration(json!({"key": "foo", "tolerationSeconds": 20})),
            "spec.nodes.tolerations[1].effect",
            "must be NoExecute when tolerationSeconds is set",
        ),
        (
            json!({"nodes": {"minimumSwapPercent": 1001}}),
            "spec.nodes.minimumSwapPercent",
            "less than or equal to 1000",
        ),
        (
            json!({"nodes": {"onlyWithSwap": "yes"}}),
            "spec.nodes.onlyWithSwap",
            "must be of type boolean: \"string\"",
        ),
        (json!({"heap": {"growthPercent": 101}}), "spec.heap.growthPercent", "less than or equal to 100"),
        (
            json!({"heap": {"youngGenerationPercent": 51}}),
            "spec.heap.youngGenerationPercent",
            "less than or equal to 50",
        ),
        (
            json!({"overrides": {"minWorkingSetPercent": 0}}),
            "spec.overrides.minWorkingSetPercent",
            "greater than or equal to 1",
        ),
        (
            json!({"overrides": {"minPeakPercent": 101}}),
            "spec.overrides.minPeakPercent",
            "less than or equal to 100",
        ),
        (json!({"workingsetPercent": 50}), "spec.workingsetPercent", "unknown field"),
        (json!({"nodes": {"selectors": {}}}), "spec.nodes.selectors", "unknown field"),
    ]
}

#[test]
fn a_bad_class_is_refused_where_and_why() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let api = DryRun::new(cluster);
    for (spec, place, message) in refused() {
        let object = class("bad", spec);
        let refusal = api.swap_class(&object, UnknownFields::Refused).expect_err(&object.to_string());
        assert!(refusal.contains(place) && refusal.contains(message), "{object}: {refusal}");
        let problems = SwapClass::from_object(&object).expect_err(&object.to_string());
        assert!(problems[0].path.starts_with(place), "{object}: {problems:?}");
    }
}

#[test]
fn a_class_name_is_one_that_labels_can_hold() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let api = DryRun::new(cluster);
    let longest = "a".repeat(63);
    for (name, message) in [
        (longest.as_str(), None),
        ("a.b-c", None),
        ("none", Some("metadata.name: none is reserved: as a label it opts out; choose another name")),
        (
            &format!("{longest}a"),
            Some("metadata.name: has more than 63 characters and cannot be a label value"),
        ),
        ("Batch", Some("metadata.name: Invalid value: \"Batch\": a lowercase RFC 1123 subdomain")),
    ] {
        let object = class(name, json!({}));
        let refusal = api.swap_class(&object, UnknownFields::Refused).err();
        assert_eq!(refusal.is_some(), message.is_some(), "{name}: {refusal:?}");
        assert!(message.is_none_or(|message| refusal.unwrap().contains(message)));
        assert_eq!(SwapClass::from_object(&object).is_err(), message.is_some(), "{name}");
    }
}
