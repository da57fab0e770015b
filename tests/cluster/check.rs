//! `spark-swap check` against a real API server: fine where everything works, and telling where it does not.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use spark_swap::cluster::certificates::authority::{Authority, Validity};
use time::{Duration, OffsetDateTime};

use crate::classes::{self, CLASS_LABEL, class};
use crate::control_plane::ControlPlane;
use crate::nodes::{self, GIB};
use crate::pods;
use crate::wait;
use crate::webhook::{Webhook, program};

/// An installation of its own: a webhook that watches the cluster, a namespace whose class selects a node of its own.
struct Installation {
    cluster: &'static ControlPlane,
    namespace: String,
    webhook: Webhook<'static>,
}

impl Installation {
    fn new() -> Self {
        let cluster = ControlPlane::shared();
        classes::swap_class_crd(cluster);
        let name = cluster.namespace("check", json!({}));
        let spec = json!({
            "strategy": "Density", "workingSetPercent": 50, "peakMarginPercent": 0,
            "nodes": {
                "selector": {"test": name},
                "tolerations": [{"key": nodes::RESERVED_FOR, "operator": "Exists"}],
            },
        });
        cluster.apply(&class(&name, spec));
        let mut node = nodes::node(&format!("node-{name}"), 64 * GIB, 32 * GIB, nodes::evidence(500));
        node["metadata"]["labels"]["test"] = json!(name);
        nodes::join(cluster, &node, &name);
        cluster.kubectl(&["label", "namespace", &name, &format!("{CLASS_LABEL}={name}")]);
        let webhook = Webhook::start_live(cluster, &[&name]);
        let this = Self { cluster, namespace: name, webhook };
        this.wait_for("changed executor", true);
        wait::until("condition Ready", wait::LIMIT, || {
            let class = cluster.get("swapclass", "", &this.namespace);
            if class["status"]["conditions"][0]["status"] == "True" { Ok(()) } else { Err(class.to_string()) }
        });
        this
    }

    /// Waits until an executor comes back as wanted.
    fn wait_for(&self, what: &str, is_changed: bool) {
        let pod = pods::executor("waiting", 1024, 384);
        wait::until(what, wait::LIMIT, || {
            let pod = self.cluster.try_create(&pod, &["-n", &self.namespace, "--dry-run=server"])?;
            if pods::plan(&pod).is_some() == is_changed { Ok(()) } else { Err(pod.to_string()) }
        });
    }

    /// Gives the API server another authority to trust, and waits until it does.
    fn trust(&self, authority: &Authority) {
        let bundle = STANDARD.encode(authority.certificate_pem());
        let patch = json!([{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]);
        self.cluster.kubectl(&[
            "patch",
            "mutatingwebhookconfiguration",
            &self.webhook.configuration_name(),
            "--type=json",
            "-p",
            &patch.to_string(),
        ]);
        self.wait_for("distrust", false);
    }

    fn check(&self, configuration: &str, namespace: &str) -> Checked {
        Checked::of(&self.cluster.kubeconfig(), &["--name", configuration, "--namespace", namespace])
    }
}

/// What the command said.
#[derive(Debug)]
struct Checked {
    code: i32,
    checks: Vec<Value>,
}

impl Checked {
    fn of(kubeconfig: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.args(["check", "-o", "json", "--kubeconfig"]).arg(kubeconfig).args(arguments);
        let output = command.output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let checks =
            serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error} in {stdout}{stderr}"));
        Self { code: output.status.code().unwrap(), checks }
    }

    #[track_caller]
    fn assert(&self, id: &str, status: &str, message: &str) {
        let check = self.checks.iter().find(|check| check["id"] == id);
        let check = check.unwrap_or_else(|| panic!("no check {id} in {self:#?}"));
        assert_eq!(check["status"], status, "{check:#}");
        let found = check["message"].as_str().unwrap();
        assert!(found.contains(message), "{check:#}");
    }

    fn of_status(&self, status: &str) -> Vec<&Value> {
        self.checks.iter().filter(|check| check["status"] == status).map(|check| &check["id"]).collect()
    }
}

#[test]
fn a_working_installation_passes() {
    let installation = Installation::new();
    let name = installation.webhook.configuration_name();
    let checked = installation.check(&name, &installation.namespace);
    assert_eq!((checked.code, checked.of_status("fail")), (0, Vec::new()), "{checked:#?}");
    checked.assert("swap-class-schema", "pass", "");
    checked.assert("webhook-rules", "pass", "executors.spark-swap.io");
    checked.assert("served-certificate", "pass", "127.0.0.1");
    checked.assert("probe", "pass", "Density: request 1408Mi -> ");
    checked.assert("probe-opt-out", "pass", "");

    let elsewhere = installation.check(&name, "default");
    elsewhere.assert("probe", "warn", "the namespaceSelector does not select the namespace default");
    assert_eq!(elsewhere.code, 0, "{elsewhere:#?}");

    // The probe satisfies what namespaces ask for, and is not counted.
    let namespace = &installation.namespace;
    let cluster = installation.cluster;
    cluster.kubectl(&["label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted"]);
    cluster.create(&json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota", "namespace": namespace},
        "spec": {"hard": {"requests.memory": "2Gi", "limits.memory": "2Gi", "requests.cpu": "1", "pods": "1"}},
    }));
    let used = || cluster.get("resourcequota", namespace, "quota")["status"]["used"].clone();
    wait::until(
        "counted quota",
        wait::LIMIT,
        || if used().is_object() { Ok(()) } else { Err(String::new()) },
    );
    for _ in 0..2 {
        installation.check(&name, namespace).assert("probe", "pass", "Density");
    }
    assert_eq!(used()["pods"], "0");

    let missing = installation.check("not-installed", "default");
    missing.assert("webhook-configuration", "fail", "no MutatingWebhookConfiguration not-installed");
    assert_eq!(missing.code, 1);
}

#[test]
fn an_authority_that_does_not_fit_fails() {
    let installation = Installation::new();
    let name = installation.webhook.configuration_name();
    let now = OffsetDateTime::now_utc();

    installation.trust(&Authority::new(Validity::days_from(now, 100)).unwrap());
    let wrong = installation.check(&name, &installation.namespace);
    wrong.assert("ca-expiry", "pass", "until ");
    wrong.assert("served-certificate", "fail", "the certificate is not from an authority in caBundle");
    wrong.assert("probe", "fail", "came back unchanged");
    assert_eq!(wrong.code, 1);

    installation.trust(&Authority::new(Validity::days_from(now - Duration::days(100), 90)).unwrap());
    let expired = installation.check(&name, &installation.namespace);
    expired.assert("ca-expiry", "fail", "it expired on");
    expired.assert("served-certificate", "fail", "no authority in caBundle is valid now");
    expired.assert("probe", "fail", "came back unchanged");
    assert_eq!(expired.code, 1);
}

#[test]
fn a_server_that_is_down_fails_by_what_becomes_of_an_executor() {
    let mut installation = Installation::new();
    installation.webhook.go_down();
    let checked = installation.check(&installation.webhook.configuration_name(), &installation.namespace);
    checked.assert("served-certificate", "warn", "not reachable from here");
    checked.assert("probe", "fail", "came back unchanged");
    assert_eq!(checked.code, 1);
}

#[test]
fn who_may_read_nothing_is_warned_of_it() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("check-nobody", json!({}));
    let token = cluster.kubectl(&["create", "token", "default", "-n", &namespace]);
    let mut kubeconfig: Value = serde_json::from_slice(&fs::read(cluster.kubeconfig()).unwrap()).unwrap();
    kubeconfig["users"][0]["user"] = json!({"token": token.trim()});
    let path = cluster.dir().join(format!("kubeconfig-{namespace}"));
    fs::write(&path, kubeconfig.to_string()).unwrap();
    let checked = Checked::of(&path, &["--namespace", &namespace]);
    checked.assert("access", "warn", "cannot list resource \"nodes\"");
    checked.assert("probe", "warn", "cannot create resource \"pods\"");
    assert_eq!(checked.code, 0, "{checked:#?}");
}
