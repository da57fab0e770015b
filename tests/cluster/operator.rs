//! kubeflow's spark-operator, unmodified: its webhook and its controller as processes on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::control_plane::ControlPlane;
use crate::parts::{self, free_port};
use crate::pods;
use crate::process::Process;
use crate::wait;

/// Where its webhook comes in the row: the API server calls configurations in the order of their names.
#[derive(Clone, Copy)]
pub(crate) enum Turn {
    /// As its Helm chart installs it: `spark-operator-webhook` comes before `spark-swap`.
    BeforeOurs,
    /// Under a release name that sorts behind ours.
    AfterOurs,
}

/// An operator that manages the SparkApplications of one namespace.
pub(crate) struct Operator<'a> {
    cluster: &'a ControlPlane,
    namespace: &'a str,
    configuration: String,
    dir: TempDir,
    processes: Vec<Process>,
}

impl<'a> Operator<'a> {
    /// Starts its webhook. Without its controller no SparkApplication is submitted.
    pub(crate) fn start_webhook(cluster: &'a ControlPlane, namespace: &'a str, turn: Turn) -> Self {
        install_crds(cluster);
        let release = match turn {
            Turn::BeforeOurs => "spark-operator",
            Turn::AfterOurs => "the-spark-operator",
        };
        let mut this = Self {
            cluster,
            namespace,
            configuration: format!("{release}-webhook-{namespace}"),
            dir: TempDir::with_prefix_in("operator-", cluster.dir()).unwrap(),
            processes: Vec::new(),
        };
        let port = this.serve_webhook();
        this.register(port);
        this
    }

    /// Starts its controller, which submits with the spark-submit of this version.
    pub(crate) fn start_controller(&mut self, version: &str) {
        let port = self.cluster.server().rsplit(':').next().unwrap();
        let mut command = self.command("controller");
        command
            .args(["--health-probe-bind-address=0", "--enable-ui-service=false"])
            // What a kubelet tells every container.
            .envs([("KUBERNETES_SERVICE_HOST", "127.0.0.1"), ("KUBERNETES_SERVICE_PORT", port)])
            .env("SPARK_HOME", pyspark(version))
            .env_remove("SPARK_CONF_DIR");
        self.processes.push(Process::start("operator-controller", &mut command, self.dir.path()));
    }

    /// Creates a SparkApplication, and waits until the operator's webhook knows it.
    pub(crate) fn create_application(&self, name: &str, version: &str, executor: &Value) -> Value {
        let application = self.cluster.create(&json!({
            "apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "type": "Python", "pythonVersion": "3", "mode": "cluster", "sparkVersion": version,
                "image": "spark:test", "mainApplicationFile": "local:///opt/spark/application.py",
                "driver": {"memory": "1g", "kubernetesMaster": self.cluster.server()},
                "executor": executor,
                "volumes": [{"name": "scratch", "emptyDir": {}}],
                "restartPolicy": {"type": "Never"},
            },
        }));
        let mut probe = pods::executor("probe", 1024, 384);
        let labels = probe["metadata"]["labels"].as_object_mut().unwrap();
        labels.extend(executor_labels(name).as_object().unwrap().clone());
        wait::until("mutation by the operator", wait::LIMIT, || {
            let options = ["-n", self.namespace, "--dry-run=server"];
            let pod = self.cluster.try_create(&probe, &options).map_err(|refusal| refusal + &self.tails())?;
            let is_mutated = pod["spec"]["volumes"].to_string().contains("scratch");
            if is_mutated { Ok(()) } else { Err(format!("{pod}\n{}", self.tails())) }
        });
        application
    }

    /// The pod of the application's driver, once spark-submit has created it.
    pub(crate) fn driver_pod(&self, application: &str) -> Value {
        let selector = format!("spark-role=driver,sparkoperator.k8s.io/app-name={application}");
        wait::until("driver pod", wait::LIMIT, || {
            let pods = self.cluster.list("pods", self.namespace, &selector);
            pods.into_iter().next().ok_or_else(|| {
                format!("{}\n{}", self.application(application)["status"]["applicationState"], self.tails())
            })
        })
    }

    /// A SparkApplication as it is stored now.
    pub(crate) fn application(&self, name: &str) -> Value {
        self.cluster.get("sparkapplication", self.namespace, name)
    }

    /// The ends of its logs, for a failure message.
    pub(crate) fn tails(&self) -> String {
        self.processes.iter().map(Process::tail).collect()
    }

    /// Tries other ports when somebody else took one of those that were free a moment ago.
    fn serve_webhook(&mut self) -> u16 {
        let mut failure = String::new();
        for _ in 0..5 {
            let port = free_port();
            let mut command = self.command("webhook");
            command.args([
                format!("--webhook-port={port}"),
                format!("--webhook-cert-dir={}", self.dir.path().display()),
                format!("--mutating-webhook-name={}", self.configuration),
                format!("--validating-webhook-name={}", self.configuration),
                format!("--webhook-secret-namespace={}", self.namespace),
                format!("--webhook-svc-namespace={}", self.namespace),
                "--health-probe-bind-address=0".to_owned(),
            ]);
            let mut process = Process::start("operator-webhook", &mut command, self.dir.path());
            let serving = wait::until("webhook of the operator", wait::LIMIT, || {
                if process.has_ended().is_some() {
                    return Ok(false);
                }
                let is_serving = process.log().contains("Serving webhook server");
                if is_serving { Ok(true) } else { Err(process.tail()) }
            });
            if serving {
                self.processes.push(process);
                return port;
            }
            failure = process.tail();
        }
        panic!("the operator's webhook does not start:\n{failure}");
    }

    /// As its chart does it, but for the URL. The operator fills in its own authority.
    fn register(&self, port: u16) {
        let webhook = |name: &str, path: &str, rules: Value, selector: Value| {
            json!({
                "name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "failurePolicy": "Fail", "timeoutSeconds": 10,
                "clientConfig": {"url": format!("https://localhost:{port}{path}")},
                "namespaceSelector": {"matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [self.namespace]},
                ]},
                "objectSelector": selector, "rules": [rules],
            })
        };
        let of_pods = webhook(
            "mutate--v1-pod.sparkoperator.k8s.io",
            "/mutate--v1-pod",
            json!({"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}),
            json!({"matchLabels": {"sparkoperator.k8s.io/launched-by-spark-operator": "true"}}),
        );
        let of_applications = webhook(
            "mutate-sparkoperator-k8s-io-v1beta2-sparkapplication.sparkoperator.k8s.io",
            "/mutate-sparkoperator-k8s-io-v1beta2-sparkapplication",
            json!({
                "apiGroups": ["sparkoperator.k8s.io"], "apiVersions": ["v1beta2"],
                "resources": ["sparkapplications"], "operations": ["CREATE", "UPDATE"],
            }),
            json!({}),
        );
        self.cluster.create(&json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": self.configuration}, "webhooks": [of_pods, of_applications],
        }));
        wait::until("authority of the operator's webhook", wait::LIMIT, || {
            let configuration = self.cluster.get("mutatingwebhookconfiguration", "", &self.configuration);
            let mut webhooks = configuration["webhooks"].as_array().unwrap().iter();
            let is_filled = webhooks.all(|webhook| webhook["clientConfig"]["caBundle"].is_string());
            if is_filled { Ok(()) } else { Err(self.tails()) }
        });
    }

    fn command(&self, component: &str) -> Command {
        let mut command = Command::new(parts::spark_operator_binary());
        command
            .args([component, "start", &format!("--namespaces={}", self.namespace)])
            .env("KUBECONFIG", self.cluster.kubeconfig())
            .env("HOME", self.dir.path());
        command
    }
}

impl Drop for Operator<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.tails());
        }
        // A failed test says more than these would.
        let name = &self.configuration;
        drop(self.cluster.try_kubectl(&[
            "delete",
            "mutatingwebhookconfiguration",
            name,
            "--ignore-not-found",
        ]));
        let submissions = self.cluster.try_kubectl(&[
            "get",
            "sparkapplications",
            "-n",
            self.namespace,
            "-o",
            "jsonpath={.items[*].status.submissionID}",
        ]);
        for submission in submissions.unwrap_or_default().split_whitespace() {
            // It keeps the pod templates of every submission.
            drop(fs::remove_dir_all(Path::new("/tmp/spark").join(submission)));
        }
    }
}

/// The labels that the operator has Spark give to the executors of an application.
pub(crate) fn executor_labels(application: &str) -> Value {
    json!({
        "sparkoperator.k8s.io/app-name": application,
        "sparkoperator.k8s.io/launched-by-spark-operator": "true",
        "sparkoperator.k8s.io/mutated-by-spark-operator": "true",
        "sparkoperator.k8s.io/submission-id": "00000000-0000-0000-0000-000000000000",
    })
}

/// Installs the kinds of the operator, once for all tests, and waits until they are served.
fn install_crds(cluster: &ControlPlane) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let crds = parts::spark_operator_binary().with_file_name("crds");
        // Too large for the annotation of a client-side apply.
        cluster.kubectl(&["apply", "--server-side", "-f", crds.to_str().unwrap()]);
        for kind in ["sparkapplications", "scheduledsparkapplications", "sparkconnects"] {
            wait::until("served kinds of the operator", wait::LIMIT, || cluster.try_kubectl(&["get", kind]));
        }
    });
}

/// What PyPI's package has in place of Spark's own distribution.
fn pyspark(version: &str) -> PathBuf {
    let libraries = fs::read_dir(parts::spark_home(version).join("lib")).unwrap();
    let mut found = libraries.flatten().map(|python| python.path().join("site-packages/pyspark"));
    found.find(|path| path.is_dir()).expect("the pyspark package")
}
