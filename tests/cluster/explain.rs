//! `spark-swap explain` against a real cluster: pods by name, and the state that is decided from.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::classes::{CLASS_LABEL, class, swap_class_crd};
use crate::control_plane::ControlPlane;
use crate::nodes::{self, GIB};
use crate::oracle;
use crate::parts::control_plane_binary;
use crate::pods;
use crate::process;
use crate::wait;
use crate::webhook::{Webhook, program};

/// A namespace with a class and a node of its own, seen through a kubeconfig whose context has this namespace.
struct Scene<'a> {
    cluster: &'a ControlPlane,
    namespace: String,
    kubeconfig: PathBuf,
    dir: TempDir,
}

impl Scene<'_> {
    fn new(prefix: &str) -> Self {
        let cluster = ControlPlane::shared();
        swap_class_crd(cluster);
        let namespace = cluster.namespace(prefix, json!({}));
        let dir = TempDir::with_prefix_in("explain-", cluster.dir()).unwrap();
        let mut config: Value =
            serde_json::from_str(&fs::read_to_string(cluster.kubeconfig()).unwrap()).unwrap();
        config["contexts"][0]["context"]["namespace"] = json!(namespace);
        let kubeconfig = dir.path().join("kubeconfig");
        fs::write(&kubeconfig, config.to_string()).unwrap();
        let this = Self { cluster, namespace, kubeconfig, dir };
        let mut node = nodes::node(&this.node(), 64 * GIB, 32 * GIB, nodes::evidence(500));
        node["metadata"]["labels"]["test"] = json!(this.namespace);
        nodes::join(cluster, &node, &this.namespace);
        this
    }

    fn node(&self) -> String {
        format!("swap-{}", self.namespace)
    }

    fn class_name(&self) -> String {
        format!("batch-{}", self.namespace)
    }

    /// Its nodes are found by its namespace, so that tests beside it do not count.
    fn class(&self, working_set_percent: u64) -> Value {
        let spec = json!({
            "strategy": "Density", "workingSetPercent": working_set_percent, "peakMarginPercent": 0,
            "nodes": {
                "selector": {"test": self.namespace},
                "tolerations": [{"key": nodes::RESERVED_FOR, "operator": "Exists"}],
            },
        });
        class(&self.class_name(), spec)
    }

    /// An executor that names the class.
    fn executor(&self, name: &str) -> Value {
        let mut pod = pods::executor(name, 8192, 819);
        pod["metadata"]["labels"][CLASS_LABEL] = json!(self.class_name());
        pod
    }

    fn create(&self, pod: &Value) -> Value {
        self.cluster.try_create(pod, &["-n", &self.namespace]).unwrap()
    }

    /// What the command prints, or its error output.
    fn explain(&self, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(program());
        command.arg("explain").args(args).env("KUBECONFIG", &self.kubeconfig).env("HOME", self.dir.path());
        process::run(&mut command, "")
    }

    fn object(&self, args: &[&str]) -> Value {
        let shown = self.explain(&[args, &["-o", "json"]].concat()).unwrap();
        serde_json::from_str(&shown).unwrap()
    }

    fn state_file(&self, object: &Value) -> PathBuf {
        let path = self.dir.path().join("state.json");
        fs::write(&path, object.to_string()).unwrap();
        path
    }
}

/// Waits until the webhook has seen the class and the node: then the executor is planned.
fn planned(scene: &Scene<'_>, name: &str) -> Value {
    let pod = scene.executor(name);
    wait::until("plan", wait::LIMIT, || {
        let shown = scene.cluster.try_create(&pod, &["-n", &scene.namespace, "--dry-run=server"])?;
        pods::plan(&shown).map(drop).ok_or_else(|| "no plan".to_owned())
    });
    scene.create(&pod);
    let bound = pods::bound(1, || scene.cluster.list("pods", &scene.namespace, "spark-role=executor"));
    bound.into_iter().next().expect("an executor on its node")
}

#[test]
fn a_planned_pod_is_shown_with_its_plan_and_what_would_be_decided_now() {
    let scene = Scene::new("explain");
    let cluster = scene.cluster;
    cluster.apply(&scene.class(50));
    let _webhook = Webhook::start_live(cluster, &[&scene.namespace]);
    let pod = planned(&scene, "exec-1");

    let explained = scene.object(&["exec-1"]);
    assert_eq!(explained["pod"], json!({"from": "cluster", "namespace": scene.namespace, "name": "exec-1"}));
    assert_eq!(explained["reason"], "AlreadyPlanned");
    assert_eq!(Some(&explained["recorded"]), pods::plan(&pod).as_ref());
    assert_eq!(explained["live"]["node"]["name"], json!(scene.node()));
    assert_eq!(explained["live"]["qosClass"], "Burstable");
    let question = json!({"op": "pod", "pod": pod, "memory": 64 * GIB, "swap": 32 * GIB});
    let kubelet = oracle::answers(&[question]).remove(0);
    assert_eq!(explained["live"]["grantedSwap"], kubelet["containers"][0]["swap"], "{kubelet}");
    let now = &explained["now"];
    assert_eq!(now["verdict"], "Same", "{now:#}");
    assert_eq!((&now["causes"], &now["differences"]), (&json!([]), &json!([])));
    let notes = explained["notes"].to_string();
    assert!(notes.contains(&format!("The state is that of {} (context test).", cluster.server())), "{notes}");

    // An object in a file is laid over the cluster's; the pod names the cluster.
    let other = scene.state_file(&scene.class(70));
    let with_other = scene.object(&["pod/exec-1", "--state", other.to_str().unwrap()]);
    assert_eq!(with_other["now"]["verdict"], "Different");
    let cause = format!("The class {} has changed: another workingSetPercent.", scene.class_name());
    assert_eq!(with_other["now"]["causes"], json!([cause]));
    let replaced = format!("replace what the cluster has: SwapClass {}.", scene.class_name());
    assert!(with_other["notes"].to_string().contains(&replaced), "{}", with_other["notes"]);

    cluster.apply(&scene.class(70));
    assert_eq!(scene.object(&["exec-1"])["now"]["causes"], json!([cause]));
    cluster.apply(&scene.class(50));

    cluster.kubectl(&["label", "node", &scene.node(), "spark-swap.io/limited-swap-permille-"]);
    let text = scene.explain(&["exec-1"]).unwrap();
    for line in [
        "AlreadyPlanned: The pod carries a plan already.",
        "  LeftAlone: An executor like it would be left alone now.",
        "  NoSwapNode: ",
        "  None of the eligible nodes has the label spark-swap.io/limited-swap-permille with 100 or more.",
    ] {
        assert!(text.contains(line), "{line}\nin\n{text}");
    }
}

#[test]
fn a_pod_that_was_left_alone_is_shown_with_the_reason() {
    let scene = Scene::new("explain-alone");
    let _webhook = Webhook::start_live(scene.cluster, &[&scene.namespace]);
    // Its class does not exist.
    scene.create(&scene.executor("exec-1"));
    let mut out = scene.executor("exec-2");
    out["metadata"]["labels"][CLASS_LABEL] = json!("none");
    scene.create(&out);
    let both = scene.object(&["exec-1", "pod/exec-2", "-n", &scene.namespace]);
    let reasons: Vec<&Value> = both.as_array().unwrap().iter().map(|one| &one["reason"]).collect();
    assert_eq!(reasons, ["UnknownClass", "OptedOut"]);
    assert_eq!((both[0].get("recorded"), both[0].get("now")), (None, None));
    assert_eq!(both[0]["live"]["grantedSwap"], 0, "its request equals its limit");
    assert_eq!(scene.explain(&["exec-1", "-o", "patch"]).unwrap(), "[]\n");

    scene.cluster.apply(&scene.class(50));
    let text = scene.explain(&["exec-1"]).unwrap();
    assert!(text.contains("  plan          none: it was left alone when it was created"), "{text}");
    assert!(text.starts_with("Planned: "), "{text}");
}

#[test]
fn a_pod_that_is_not_there_is_bad_input() {
    let scene = Scene::new("explain-missing");
    let mut command = Command::new(program());
    command.args(["explain", "gone", "pod/lost"]).env("KUBECONFIG", &scene.kubeconfig);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let namespace = &scene.namespace;
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "error: pod {namespace}/gone: pods \"gone\" not found\nerror: pod {namespace}/lost: pods \"lost\" not found\n"
        )
    );
    let error = scene.explain(&["gone", "--context", "production"]).unwrap_err();
    assert!(error.contains("production"), "{error}");
}

#[test]
fn kubectl_finds_the_command() {
    let scene = Scene::new("explain-kubectl");
    let mut pod = pods::executor("exec-1", 1024, 384);
    pod["metadata"]["labels"][CLASS_LABEL] = json!("safety-net");
    scene.create(&pod);
    let bin = scene.dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(program(), bin.join("kubectl-spark_swap")).unwrap();
    let kubectl = |args: &[&str]| {
        let mut command = Command::new(control_plane_binary());
        command.args(["kubectl", "spark-swap", "explain"]).args(args);
        command.env("PATH", &bin).env("KUBECONFIG", &scene.kubeconfig).env("HOME", Path::new("/nonexistent"));
        process::run(&mut command, "")
    };
    let explained: Value = serde_json::from_str(&kubectl(&["exec-1", "-o", "json"]).unwrap()).unwrap();
    assert_eq!(explained["pod"]["namespace"], json!(scene.namespace));
    assert_eq!((&explained["class"], &explained["live"]["node"]), (&json!("safety-net"), &Value::Null));
    let usage = kubectl(&["--no-such-flag"]).unwrap_err();
    assert!(usage.contains("Usage: kubectl spark-swap explain"), "{usage}");
}
