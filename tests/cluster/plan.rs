//! `spark-swap plan` against a real cluster: what it says to fit is what the scheduler binds.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::classes::{self, CLASS_LABEL, class};
use crate::control_plane::ControlPlane;
use crate::nodes::{self, GIB};
use crate::pods;
use crate::process;
use crate::wait;
use crate::webhook::{Webhook, program};

const EXECUTORS: usize = 12;

/// What the command prints, or its error output.
fn plan(cluster: &ControlPlane, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program());
    command.arg("plan").args(args).env("KUBECONFIG", cluster.kubeconfig());
    process::run(&mut command, "")
}

/// The only group of executors of a namespace.
fn group(cluster: &ControlPlane, namespace: &str, args: &[&str]) -> Value {
    let shown = plan(cluster, &[args, &["-n", namespace, "-o", "json"]].concat()).unwrap();
    let report: Value = serde_json::from_str(&shown).unwrap();
    let groups = report["executors"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{report:#}");
    groups[0].clone()
}

fn density(name: &str, namespace: &str, working_set_percent: u64) -> Value {
    let spec = json!({
        "strategy": "Density", "workingSetPercent": working_set_percent, "peakMarginPercent": 0,
        // Nodes of a test are found by its namespace, so that tests beside it do not count.
        "nodes": {"selector": {"test": namespace}},
    });
    class(name, spec)
}

/// An executor with a container that the application's pod template adds.
fn executor(number: usize, namespace: &str, class: &str, cpu: &str) -> Value {
    let mut pod = pods::executor(&format!("exec-{number}"), 8192, 819);
    pod["metadata"]["labels"][CLASS_LABEL] = json!(class);
    pod["spec"]["tolerations"] = json!([nodes::toleration(namespace)]);
    pod["spec"]["nodeSelector"] = json!({"test": namespace});
    pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!(cpu);
    let sidecar = json!({
        "name": "proxy", "image": "proxy:test",
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
    });
    pod["spec"]["containers"].as_array_mut().unwrap().push(sidecar);
    pod
}

/// How many of the executors the scheduler binds.
fn bound(cluster: &ControlPlane, namespace: &str, class: &str, cpu: &str) -> u64 {
    for number in 1..=EXECUTORS {
        cluster.try_create(&executor(number, namespace, class, cpu), &["-n", namespace]).unwrap();
    }
    let pods = pods::bound(EXECUTORS, || cluster.list("pods", namespace, "spark-role=executor"));
    u64::try_from(pods.len()).unwrap()
}

fn delete(cluster: &ControlPlane, namespace: &str) {
    cluster.kubectl(&["delete", "pods", "--all", "-n", namespace, "--force", "--grace-period=0"]);
}

/// What a kubelet keeps for itself is in capacity and not in allocatable.
fn join_node(cluster: &ControlPlane, namespace: &str) {
    let mut node = nodes::node(&format!("swap-{namespace}"), 64 * GIB, 32 * GIB, nodes::evidence(500));
    node["metadata"]["labels"]["test"] = json!(namespace);
    node["metadata"]["labels"]["eks.amazonaws.com/nodegroup"] = json!("workers");
    node["status"]["allocatable"] = json!({"cpu": "15890m", "memory": "62Gi", "pods": "110"});
    nodes::join(cluster, &node, namespace);
}

#[test]
fn as_many_executors_are_bound_as_the_plan_says() {
    let cluster = ControlPlane::shared();
    classes::swap_class_crd(cluster);
    for (prefix, cpu, before, after, full_by) in
        [("plan-memory", "500m", 6, 10, "Memory"), ("plan-cpu", "2", 6, 7, "Cpu")]
    {
        let namespace = cluster.namespace(prefix, json!({}));
        let name = format!("class-{namespace}");
        join_node(cluster, &namespace);
        cluster.apply(&density(&name, &namespace, 50));
        let webhook = Webhook::start_live(cluster, &[&namespace]);

        assert_eq!(bound(cluster, &namespace, "none", cpu), before);
        let tried = group(cluster, &namespace, &["--class", &name]);
        delete(cluster, &namespace);
        wait::until("plan", wait::LIMIT, || {
            let pod = executor(0, &namespace, &name, cpu);
            let created = cluster.try_create(&pod, &["-n", &namespace, "--dry-run=server"])?;
            pods::plan(&created).map(drop).ok_or_else(|| webhook.log())
        });
        assert_eq!(bound(cluster, &namespace, &name, cpu), after);
        let own = group(cluster, &namespace, &[]);
        delete(cluster, &namespace);

        for group in [&tried, &own] {
            assert_eq!(group["pods"], EXECUTORS, "{group:#}");
            assert_eq!(group["room"], json!({"before": before, "after": after}), "{group:#}");
            let node = &group["nodes"][0];
            assert_eq!(node["after"]["fullBy"], full_by);
            assert_eq!(node["allocatableMemory"], 62 * GIB);
        }
        // Whether an executor carries a plan already makes no difference.
        assert_eq!((&tried["nodes"], &tried["plan"]), (&own["nodes"], &own["plan"]));
    }
}

#[test]
fn a_class_that_is_not_applied_yet_is_tried_on_the_cluster() {
    let cluster = ControlPlane::shared();
    classes::swap_class_crd(cluster);
    let namespace = cluster.namespace("plan-class", json!({}));
    let name = format!("class-{namespace}");
    join_node(cluster, &namespace);
    for number in [1, 2] {
        cluster.try_create(&executor(number, &namespace, "none", "500m"), &["-n", &namespace]).unwrap();
    }
    let ended = json!({"status": {"phase": "Succeeded"}}).to_string();
    cluster.kubectl(&[
        "patch",
        "pod",
        "exec-2",
        "-n",
        &namespace,
        "--subresource=status",
        "--type=merge",
        "-p",
        &ended,
    ]);

    let dir = TempDir::with_prefix_in("plan-", cluster.dir()).unwrap();
    let file = dir.path().join("class.json");
    fs::write(&file, density(&name, &namespace, 70).to_string()).unwrap();
    let file = file.to_str().unwrap();
    let error = plan(cluster, &["-n", &namespace, "--state", file, "--class", &name]).unwrap_err();
    assert!(error.contains("no nodes to plan for"), "with --state alone no cluster is asked: {error}");

    let with_cluster = ["--state", file, "--class", &name, "--context", "test"];
    let group = group(cluster, &namespace, &with_cluster);
    assert_eq!(group["pods"], 1, "one has ended");
    assert_eq!((&group["bound"], &group["room"]), (&json!("WorkingSet"), &json!({"before": 6, "after": 8})));
    let text = plan(cluster, &[&with_cluster[..], &["-n", &namespace]].concat()).unwrap();
    for part in
        ["The state is that of ", "node group eks.amazonaws.com/nodegroup=workers has 1 node with the label"]
    {
        assert!(text.contains(part), "{text}");
    }
}
