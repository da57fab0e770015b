//! spark-swap has the rights that it needs, and no others.

use std::collections::BTreeSet;

use serde_json::json;

use crate::classes::{self, CLASS_LABEL, class_for, density, swap_class_crd, swap_node};
use crate::control_plane::ControlPlane;
use crate::service_account::{self, SPARK_SWAP, least_rights};
use crate::wait;
use crate::webhook::Webhook;
use crate::{nodes, pods};

const FORBIDDEN: u64 = 403;

#[test]
fn an_installed_webhook_uses_every_right_for_its_decisions_and_is_refused_nothing() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let namespace = cluster.namespace("rights", json!({}));
    nodes::join(cluster, &swap_node(&namespace), &namespace);
    cluster.apply(&class_for(&namespace, &namespace, density()));
    let webhook = Webhook::start_live(cluster, &[&namespace]);
    assert_eq!(classes::judged(cluster, &namespace)["status"]["conditions"][0]["status"], "True");
    let mut pod = pods::executor("executor", 8192, 819);
    pod["metadata"]["labels"][CLASS_LABEL] = json!(namespace);
    let mut driver = pods::executor("driver", 1024, 384);
    driver["metadata"]["labels"] = json!({"spark-role": "driver"});
    let driver = cluster.try_create(&driver, &["-n", &namespace]).unwrap();
    let uid = &driver["metadata"]["uid"];
    pod["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "Pod", "name": "driver", "uid": uid}]);
    let pod = cluster.try_create(&pod, &["-n", &namespace]).unwrap();
    assert_eq!(pods::plan(&pod).expect("a plan")["strategy"], "Density");

    let rights = ["swapclasses", "nodes", "namespaces", "limitranges", "resourcequotas"]
        .iter()
        .flat_map(|resource| ["list", "watch"].map(|verb| format!("{verb} {resource}")))
        .chain(["patch swapclasses/status", "create events"].map(str::to_owned))
        .collect::<BTreeSet<_>>();
    // The events may be written just after the answers are sent.
    wait::until("use of every right", wait::LIMIT, || {
        let requests = cluster.requests_of(SPARK_SWAP);
        let refused: Vec<_> = requests.iter().filter(|request| request.status == FORBIDDEN).collect();
        assert!(refused.is_empty(), "{refused:?}");
        let used: BTreeSet<_> =
            requests.iter().map(|request| format!("{} {}", request.verb, request.resource)).collect();
        assert!(used.is_subset(&rights), "{used:?}");
        if used == rights { Ok(()) } else { Err(format!("{used:?}")) }
    });
    assert!(!webhook.log().to_lowercase().contains("forbidden"), "{}", webhook.log());
}

/// Of what the API server says that it may do, what every service account may do is left out.
#[test]
fn an_installed_webhook_may_do_this_and_nothing_else() {
    let cluster = ControlPlane::shared();
    least_rights(cluster);
    let rights_of = |name: &str| -> BTreeSet<String> {
        let user = format!("--as=system:serviceaccount:spark-swap:{name}");
        let rights = cluster.kubectl(&["auth", "can-i", "--list", "--no-headers", "-n", "spark-swap", &user]);
        rights.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let own: Vec<String> = rights_of("spark-swap").difference(&rights_of("default")).cloned().collect();
    insta::assert_snapshot!(own.join("\n"), @r"
    events.events.k8s.io [] [] [create]
    limitranges [] [] [list watch]
    mutatingwebhookconfigurations.admissionregistration.k8s.io [] [spark-swap] [get list watch patch]
    namespaces [] [] [list watch]
    nodes [] [] [list watch]
    resourcequotas [] [] [list watch]
    secrets [] [] [create]
    secrets [] [spark-swap-tls] [get list watch patch]
    swapclasses.spark-swap.io [] [] [list watch]
    swapclasses.spark-swap.io/status [] [] [patch]
    ");
}

/// So that the tests above could not miss it.
#[test]
fn a_missing_right_is_named_by_readiness_log_and_audit() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let namespace = cluster.namespace("no-rights", json!({}));
    for mut object in service_account::manifests(cluster) {
        match object["kind"].as_str() {
            Some("Namespace" | "Role" | "RoleBinding") => continue,
            Some("ServiceAccount") => object["metadata"]["namespace"] = json!(namespace),
            Some("ClusterRole") => {
                object["metadata"]["name"] = json!(namespace);
                let rules = object["rules"].as_array_mut().unwrap();
                rules.retain(|rule| rule["resources"] != json!(["limitranges"]));
            }
            Some("ClusterRoleBinding") => {
                object["metadata"]["name"] = json!(namespace);
                object["roleRef"]["name"] = json!(namespace);
                object["subjects"][0]["namespace"] = json!(namespace);
            }
            _ => panic!("{object}"),
        }
        cluster.create(&object);
    }
    let kubeconfig = service_account::kubeconfig(cluster, &namespace, "spark-swap");
    let mut webhook = Webhook::watching(cluster, &[&namespace], &kubeconfig);
    webhook.start_server();
    wait::until("the right that is missing", wait::LIMIT, || {
        let readiness = webhook.readiness();
        let log = webhook.log();
        let waits: Vec<_> =
            readiness.body.lines().filter(|line| *line != "waiting for the first state").collect();
        let is_named = waits == ["waiting for limitranges"] && log.contains("limitranges is forbidden");
        if is_named && readiness.status == 503 { Ok(()) } else { Err(format!("{readiness:?}\n{log}")) }
    });
    let requests = cluster.requests_of(&format!("system:serviceaccount:{namespace}:spark-swap"));
    let refused =
        requests.iter().filter(|request| request.status == FORBIDDEN).map(|request| &*request.resource);
    assert_eq!(refused.collect::<BTreeSet<_>>(), BTreeSet::from(["limitranges"]));
}
