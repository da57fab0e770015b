//! A real Kubernetes: etcd, API server, controller manager and scheduler on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use serde_json::{Value, json};

use crate::parts;
use crate::process::{self, Process};
use crate::wait;

/// Controllers that would turn nodes without a kubelet into unreachable ones.
const NO_NODE_WATCHERS: &str = "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller";

/// Pod creations with what the webhooks did to them.
const AUDIT_POLICY: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
  "rules": [{"level": "Request", "verbs": ["create"], "resources": [{"group": "", "resources": ["pods"]}]},
            {"level": "None"}]}"#;

pub(crate) struct ControlPlane {
    binary: PathBuf,
    dir: PathBuf,
    server: String,
    token: String,
    processes: Mutex<Vec<Process>>,
    namespaces: AtomicU32,
}

impl ControlPlane {
    /// The one that all tests share. Its processes end with the test process, because
    /// they watch the pipes to it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let binary = parts::control_plane_binary();
        let dir = parts::work_dir();
        run(Command::new(&binary).arg("new-key").arg(dir.join("service-account.key")));
        let token = random_token();
        fs::write(dir.join("tokens.csv"), format!("{token},admin,admin,system:masters\n")).unwrap();
        fs::write(dir.join("audit-policy.json"), AUDIT_POLICY).unwrap();

        let mut this = Self {
            binary,
            dir,
            server: String::new(),
            token,
            processes: Mutex::default(),
            namespaces: AtomicU32::new(0),
        };
        let store = this.start_etcd();
        this.start_apiserver(&store);
        this.start_component(
            "kube-controller-manager",
            &[
                NO_NODE_WATCHERS,
                "--use-service-account-credentials=false",
                &format!("--service-account-private-key-file={}", this.path("service-account.key")),
            ],
        );
        this.start_component("kube-scheduler", &[]);
        this
    }

    /// The binary with every part of the control plane.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The bearer token of a cluster administrator.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The certificates that the API server's own is to be checked against.
    pub(crate) fn ca(&self) -> PathBuf {
        self.dir.join("certs/apiserver.crt")
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// Where logs and other files of this run may be put.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes a namespace of its own for a test, ready for pods, and returns its name.
    pub(crate) fn namespace(&self, prefix: &str, labels: Value) -> String {
        let name = format!("{prefix}-{}", self.namespaces.fetch_add(1, Ordering::Relaxed));
        self.create(
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}),
        );
        // The controller manager makes it; pods without it are refused.
        wait::until("default service account", wait::LIMIT, || {
            self.try_kubectl(&["get", "serviceaccount", "default", "-n", &name])
                .map_err(|refusal| refusal + &self.tails())
        });
        name
    }

    /// Makes SwapClass a kind that the cluster knows. May be called by every test that needs it.
    pub(crate) fn install_swap_classes(&self) {
        static ONCE: OnceLock<()> = OnceLock::new();
        ONCE.get_or_init(|| {
            let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/base/crd.yaml");
            self.kubectl(&["apply", "-f", manifest]);
            self.kubectl(&["wait", "--for=condition=Established", "crd/swapclasses.spark-swap.io"]);
        });
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments).unwrap_or_else(|error| panic!("kubectl {}: {error}", arguments.join(" ")))
    }

    /// What kubectl prints, or its error output.
    pub(crate) fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.try_kubectl_with(arguments, "")
    }

    /// Creates an object and returns it as it was stored.
    pub(crate) fn create(&self, object: &Value) -> Value {
        self.try_create(object, &[]).unwrap_or_else(|error| panic!("kubectl create {object}: {error}"))
    }

    pub(crate) fn try_create(&self, object: &Value, options: &[&str]) -> Result<Value, String> {
        let arguments = [&["create", "-f", "-", "-o", "json"], options].concat();
        self.try_kubectl_with(&arguments, &object.to_string()).map(|stored| parse(&stored))
    }

    pub(crate) fn apply(&self, object: &Value) -> Value {
        let stored = self
            .try_kubectl_with(&["apply", "-f", "-", "-o", "json"], &object.to_string())
            .unwrap_or_else(|error| panic!("kubectl apply {object}: {error}"));
        parse(&stored)
    }

    /// Reads a manifest of any format and returns its objects, without sending them.
    pub(crate) fn objects_of(&self, manifest: &str) -> Vec<Value> {
        let read = self
            .try_kubectl_with(&["create", "--dry-run=client", "-f", "-", "-o", "json"], manifest)
            .unwrap_or_else(|error| panic!("{error}\nin the manifest\n{manifest}"));
        // Several objects are printed one after the other.
        let objects: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&read).into_iter().collect();
        objects.unwrap().into_iter().flat_map(items).collect()
    }

    pub(crate) fn get(&self, kind: &str, namespace: &str, name: &str) -> Value {
        parse(&self.kubectl(&["get", kind, name, "-n", namespace, "-o", "json"]))
    }

    pub(crate) fn list(&self, kind: &str, namespace: &str, selector: &str) -> Vec<Value> {
        items(parse(&self.kubectl(&["get", kind, "-n", namespace, "-l", selector, "-o", "json"])))
    }

    /// The audit annotations of a pod's creation: what the webhooks did and why.
    pub(crate) fn creation_audit(&self, namespace: &str, name: &str) -> Value {
        // The event may be written just after the answer is sent.
        wait::until("audit event", wait::LIMIT, || {
            let log = fs::read_to_string(self.dir.join("audit.log")).map_err(|error| error.to_string())?;
            // The last line may not be complete yet.
            let mut events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let event = events.find(|event| {
                event["objectRef"]["namespace"] == namespace
                    && event["requestObject"]["metadata"]["name"] == name
            });
            event
                .map(|event| event["annotations"].clone())
                .ok_or_else(|| format!("none for {namespace}/{name}"))
        })
    }

    /// The ends of all logs, for a failure message.
    pub(crate) fn tails(&self) -> String {
        self.processes.lock().unwrap().iter().map(Process::tail).collect()
    }

    fn start_etcd(&self) -> String {
        let data = format!("--data-dir={}", self.path("etcd"));
        self.start_process("etcd", &[&data]);
        self.wait_for_start("etcd", |log| {
            log.lines()
                .find_map(|line| line.strip_prefix("etcd ready "))
                .map(str::to_owned)
                .ok_or_else(String::new)
        })
        .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Its port has to be known beforehand, and somebody else may take it meanwhile: then try another.
    fn start_apiserver(&mut self, store: &str) {
        let mut failure = String::new();
        for _ in 0..5 {
            let port = parts::free_port();
            self.server = format!("https://127.0.0.1:{port}");
            self.write_kubeconfig();
            self.start_process(
                "kube-apiserver",
                &[
                    "--bind-address=127.0.0.1",
                    "--advertise-address=127.0.0.1",
                    &format!("--secure-port={port}"),
                    &format!("--cert-dir={}", self.path("certs")),
                    &format!("--etcd-servers={store}"),
                    "--service-cluster-ip-range=10.96.0.0/16",
                    "--endpoint-reconciler-type=none",
                    // Nodes' names are in no DNS.
                    "--kubelet-preferred-address-types=InternalIP",
                    "--authorization-mode=RBAC",
                    &format!("--token-auth-file={}", self.path("tokens.csv")),
                    "--service-account-issuer=https://kubernetes.default.svc",
                    &format!("--service-account-key-file={}", self.path("service-account.key")),
                    &format!("--service-account-signing-key-file={}", self.path("service-account.key")),
                    &format!("--audit-policy-file={}", self.path("audit-policy.json")),
                    &format!("--audit-log-path={}", self.path("audit.log")),
                ],
            );
            match self.wait_for_start("kube-apiserver", |_| self.try_kubectl(&["get", "--raw", "/readyz"])) {
                Ok(_) => return,
                Err(error) if error.contains("address already in use") => failure = error,
                Err(error) => panic!("{error}"),
            }
            self.processes.lock().unwrap().pop();
        }
        panic!("no port for the API server: {failure}");
    }

    fn start_component(&self, name: &str, options: &[&str]) {
        let kubeconfig = self.path("kubeconfig");
        let common = [
            &format!("--kubeconfig={kubeconfig}"),
            &format!("--authentication-kubeconfig={kubeconfig}"),
            &format!("--authorization-kubeconfig={kubeconfig}"),
            "--leader-elect=false",
            "--secure-port=0",
        ];
        self.start_process(name, &[&common, options].concat());
    }

    fn start_process(&self, name: &str, options: &[&str]) {
        let mut command = Command::new(&self.binary);
        command.arg(name).args(options).env("CONTROLPLANE_EXIT_WITH_STDIN", "1").env("HOME", &self.dir);
        self.processes.lock().unwrap().push(Process::start(name, &mut command, &self.dir));
    }

    /// Waits until the process started last is ready; an error tells of its early end.
    fn wait_for_start<T>(&self, name: &str, ready: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
        wait::until(&format!("ready {name}"), wait::LIMIT, || {
            let (log, ended) = {
                let mut processes = self.processes.lock().unwrap();
                let process = processes.last_mut().unwrap();
                (process.log(), process.has_ended())
            };
            match ended {
                Some(status) => Ok(Err(format!("{name} ended with {status}\n{}", self.tails()))),
                None => ready(&log).map(Ok).map_err(|refusal| refusal + &self.tails()),
            }
        })
    }

    fn try_kubectl_with(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut command = Command::new(&self.binary);
        // Neither the user's configuration nor his caches.
        command
            .arg("kubectl")
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(arguments)
            .env("HOME", &self.dir);
        process::run(&mut command, input)
    }

    /// The kubeconfig of a user who may do only what is granted to him by name.
    pub(crate) fn kubeconfig_of(&self, user: &str) -> PathBuf {
        let path = self.dir.join(format!("kubeconfig-{user}"));
        let config = self.config(json!({"token": self.token, "as": user}));
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    fn write_kubeconfig(&self) {
        fs::write(self.kubeconfig(), self.config(json!({"token": self.token})).to_string()).unwrap();
    }

    fn config(&self, user: Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.server, "certificate-authority": self.ca()}}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user"}}],
        })
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }
}

fn random_token() -> String {
    fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap().trim().to_owned()
}

fn run(command: &mut Command) {
    process::run(command, "").unwrap_or_else(|error| panic!("{command:?}: {error}"));
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn items(object: Value) -> Vec<Value> {
    match object["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![object],
    }
}
