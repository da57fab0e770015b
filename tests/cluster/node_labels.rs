//! `spark-swap nodes` against a real API server and the API of real kubelets.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::hollow_kubelet::{HollowKubelet, Setup};
use crate::nodes::{self, GIB, evidence};
use crate::pods;
use crate::webhook::program;

const LABEL: &str = "spark-swap.io/limited-swap-permille";
/// By this label a test's own nodes are selected; its value is the test's namespace.
const FLEET: &str = "test.spark-swap.io/fleet";

#[test]
fn labels_follow_what_the_kubelets_say() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("labels", json!({}));
    let kubelet = |name: &str, swap, swap_behavior| {
        let setup = Setup { memory: 4 * GIB, swap, swap_behavior, fail_swap_on: swap == 0 };
        HollowKubelet::start(cluster, name, &namespace, setup)
    };
    let _kubelets = [
        kubelet("hollow-limited", 2 * GIB, "LimitedSwap"),
        kubelet("hollow-noswap", 2 * GIB, "NoSwap"),
        kubelet("hollow-unseen", 0, "LimitedSwap"),
    ];
    label(cluster, "hollow-limited", &[(FLEET, &namespace), ("eks.amazonaws.com/nodegroup", "spark")]);
    let crio = "spark-swap.io/crio-swap-permille";
    label(cluster, "hollow-noswap", &[(FLEET, &namespace), (LABEL, "500"), (crio, "100")]);
    label(cluster, "hollow-unseen", &[(FLEET, &namespace)]);
    let ours = format!("{FLEET}={namespace}");
    let before = labels(cluster, &ours);

    let dry = spark_swap_nodes(&cluster.kubeconfig(), &["-l", &ours, "--label", "--dry-run"]);
    assert_eq!(
        dry.out,
        "node/hollow-limited labeled (500) (dry run)\n\
         node/hollow-noswap unlabeled: the kubelet runs with NoSwap (dry run)\n\
         node/hollow-unseen not labeled: the kubelet saw no swap when it started (restart it), the kubelet has failSwapOn: true (dry run)\n"
    );
    assert_eq!((dry.code, labels(cluster, &ours)), (0, before.clone()));

    let done = spark_swap_nodes(&cluster.kubeconfig(), &["-l", &ours, "--label"]);
    assert_eq!(done.out, dry.out.replace(" (dry run)", ""));
    assert!(done.err.starts_with("1 labeled, 1 unlabeled, 1 not labeled\n"), "{}", done.err);
    assert!(done.err.contains("node group eks.amazonaws.com/nodegroup=spark (1 node here)"), "{}", done.err);
    let mut expected = before;
    expected["hollow-limited"][LABEL] = json!("500");
    expected["hollow-noswap"].as_object_mut().unwrap().remove(LABEL);
    assert_eq!((done.code, labels(cluster, &ours)), (0, expected.clone()));
    assert_eq!(owned_labels(cluster, "hollow-limited"), json!({format!("f:{LABEL}"): {}}));

    // Nothing is left to do.
    let again = spark_swap_nodes(&cluster.kubeconfig(), &["-l", &ours, "--label"]);
    assert!(again.out.starts_with("node/hollow-limited unchanged (500)\n"), "{}", again.out);
    assert_eq!((again.code, labels(cluster, &ours)), (0, expected));

    // The kubelet reports 4Gi and 2Gi in full; the runtime of the second node has evidence of its own.
    let table = spark_swap_nodes(&cluster.kubeconfig(), &["-l", &ours, "-o", "wide"]);
    assert_eq!(
        words(&table.out),
        [
            "NAME MEMORY SWAP RATIO EVIDENCE EXECUTORS GRANTED STATUS KUBELET GROUP",
            "hollow-limited 4Gi 2Gi 500 500 0 0 Ready LimitedSwap eks.amazonaws.com/nodegroup=spark",
            "hollow-noswap 4Gi 2Gi 500 crio=100 0 0 Ready NoSwap -",
            "hollow-unseen 4Gi 0 0 - 0 0 SwapUnseen,FailSwapOn LimitedSwap -",
        ]
    );
}

#[test]
fn a_kubelet_that_does_not_answer_leaves_its_label_alone() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("silent", json!({}));
    for (name, swap, labels) in [
        ("silent-labelled", 32 * GIB, evidence(900)),
        ("silent-plain", 32 * GIB, json!({})),
        ("silent-swapless", 0, json!({})),
    ] {
        join(cluster, &namespace, name, swap, labels);
    }
    let ours = format!("{FLEET}={namespace}");
    let before = labels(cluster, &ours);

    let done = spark_swap_nodes(&cluster.kubeconfig(), &["-l", &ours, "--label"]);
    assert_eq!(done.out, "node/silent-swapless not labeled: the node has no swap\n");
    for name in ["silent-labelled", "silent-plain"] {
        let warning =
            format!("warning: node/{name}: its kubelet does not answer, and its label stays as it is: ");
        assert!(done.err.contains(&warning), "{}", done.err);
    }
    assert!(
        done.err.ends_with("1 not labeled, 2 unreachable\nerror: 2 unreachable: see the warnings above\n"),
        "{}",
        done.err
    );
    assert_eq!((done.code, labels(cluster, &ours)), (1, before));

    let table = spark_swap_nodes(&cluster.kubeconfig(), &["silent-labelled", "gone"]);
    assert!(words(&table.out)[1].ends_with("KubeletUnreachable,EvidenceTooHigh"), "{}", table.out);
    assert!(table.err.ends_with("error: node \"gone\" not found\n"), "{}", table.err);
    assert_eq!(table.code, 1);
}

#[test]
fn who_may_not_ask_kubelets_sees_the_nodes_and_labels_nothing() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("reader", json!({}));
    join(cluster, &namespace, "reader-1", 32 * GIB, evidence(900));
    let user = format!("user-{namespace}");
    for (kind, more) in [
        (
            "ClusterRole",
            json!({"rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "patch"]}]}),
        ),
        (
            "ClusterRoleBinding",
            json!({
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
            }),
        ),
    ] {
        let mut object = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": user},
        });
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        cluster.create(&object);
    }
    let kubeconfig = cluster.kubeconfig_of(&user);
    let ours = format!("{FLEET}={namespace}");

    let table = spark_swap_nodes(&kubeconfig, &["-l", &ours]);
    assert_eq!(words(&table.out)[1], "reader-1 64Gi 32Gi 500 900 - - EvidenceTooHigh");
    assert!(table.err.contains("warning: executors are not known: listing pods: "), "{}", table.err);
    assert!(
        table.err.contains("warning: kubelets were not asked: nodes \"reader-1\" is forbidden: "),
        "{}",
        table.err
    );
    assert_eq!(table.code, 0);

    let done = spark_swap_nodes(&kubeconfig, &["-l", &ours, "--label"]);
    assert!(
        done.err.starts_with("error: no label was touched, for the kubelets may not be asked: "),
        "{}",
        done.err
    );
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    assert_eq!(labels(cluster, &ours)["reader-1"][LABEL], "900");
}

#[test]
fn the_executors_of_a_node_and_their_swap_are_added_up() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("granted", json!({}));
    join(cluster, &namespace, "granted-1", 32 * GIB, evidence(500));
    for index in 0..3 {
        // The executor of the design's example, placed; without a kubelet it stays as it is.
        let mut pod = pods::executor(&format!("executor-{index}"), 1024, 384);
        pod["spec"]["nodeName"] = json!("granted-1");
        let container = pods::spark_container_mut(&mut pod);
        container["resources"]["requests"]["memory"] = json!("6008Mi");
        container["resources"]["limits"]["memory"] = json!(if index == 0 { "6008Mi" } else { "6129Mi" });
        cluster.try_create(&pod, &["-n", &namespace]).unwrap();
    }
    let ours = format!("{FLEET}={namespace}");
    let table = spark_swap_nodes(&cluster.kubeconfig(), &["-l", &ours, "--no-kubelets", "-o", "json"]);
    let table: Value = serde_json::from_str(&table.out).unwrap();
    assert_eq!(table[0]["executors"], 3);
    // One of them has request == limit.
    assert_eq!(table[0]["grantedSwap"], 2 * 3_149_922_304_u64);
    assert_eq!(table[0]["statuses"], json!(["Ready"]));
}

struct Answer {
    code: i32,
    out: String,
    err: String,
}

fn spark_swap_nodes(kubeconfig: &Path, args: &[&str]) -> Answer {
    let output = Command::new(program())
        .arg("nodes")
        .args(args)
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .output()
        .unwrap_or_else(|error| panic!("{error}"));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// A node of 64Gi without a kubelet.
fn join(cluster: &ControlPlane, namespace: &str, name: &str, swap: u64, labels: Value) {
    let mut node = nodes::node(name, 64 * GIB, swap, labels);
    node["metadata"]["labels"][FLEET] = json!(namespace);
    nodes::join(cluster, &node, namespace);
}

fn label(cluster: &ControlPlane, node: &str, labels: &[(&str, &str)]) {
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    cluster.kubectl(&[&["label", "node", node], labels.as_slice()].concat());
}

/// All labels, by node.
fn labels(cluster: &ControlPlane, selector: &str) -> Value {
    let nodes = cluster.list("nodes", "", selector);
    nodes
        .into_iter()
        .map(|node| (pods::name(&node).to_owned(), node["metadata"]["labels"].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The labels that the API server counts as set by this command.
fn owned_labels(cluster: &ControlPlane, node: &str) -> Value {
    let node = cluster.kubectl(&["get", "node", node, "-o", "json", "--show-managed-fields"]);
    let node: Value = serde_json::from_str(&node).unwrap();
    let managers = node["metadata"]["managedFields"].as_array().unwrap();
    let ours = managers.iter().find(|entry| entry["manager"] == "spark-swap-nodes").expect("our entry");
    ours["fieldsV1"]["f:metadata"]["f:labels"].clone()
}

/// The lines with single spaces.
fn words(table: &str) -> Vec<String> {
    table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}
