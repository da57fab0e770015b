//! Our own server, registered with the API server as its manifests say.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::control_plane::ControlPlane;
use crate::http::{self, Answer};
use crate::parts::free_port;
use crate::pods;
use crate::process::{self, Process};
use crate::service_account::least_rights;
use crate::wait;

/// A running webhook, called for the pods of some namespaces only, so that tests
/// with other policies may run beside it.
pub(crate) struct Webhook<'a> {
    cluster: &'a ControlPlane,
    namespaces: Vec<String>,
    /// A namespace of our own, where no label keeps the API server from calling us.
    probe_namespace: String,
    dir: TempDir,
    state: State,
    server: Option<Server>,
}

/// What the webhook decides from.
enum State {
    /// Files in its directory.
    Files,
    /// The cluster, seen with this kubeconfig.
    Live(PathBuf),
}

/// What the audit log says of a call.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) mutated: bool,
    pub(crate) reason: String,
}

struct Server {
    process: Process,
    port: u16,
    admin_port: u16,
}

impl<'a> Webhook<'a> {
    /// Starts a webhook that knows `state` (objects as kubectl prints them) for `namespaces`.
    pub(crate) fn start(cluster: &'a ControlPlane, namespaces: &[&str], state: &[Value]) -> Self {
        let mut this = Self::new(cluster, namespaces, State::Files);
        fs::create_dir(this.dir.path().join("state")).unwrap();
        for (index, object) in state.iter().enumerate() {
            this.write_state(&index.to_string(), object);
        }
        this.serve();
        this
    }

    /// Starts a webhook that watches the cluster with the rights of an installed one, for pods of `namespaces`.
    pub(crate) fn start_live(cluster: &'a ControlPlane, namespaces: &[&str]) -> Self {
        let mut this = Self::watching(cluster, namespaces, &least_rights(cluster));
        this.serve();
        this
    }

    /// A webhook, not started yet, that watches the cluster with the rights of `kubeconfig`.
    pub(crate) fn watching(cluster: &'a ControlPlane, namespaces: &[&str], kubeconfig: &Path) -> Self {
        Self::new(cluster, namespaces, State::Live(kubeconfig.to_owned()))
    }

    fn new(cluster: &'a ControlPlane, namespaces: &[&str], state: State) -> Self {
        let dir = TempDir::with_prefix_in("webhook-", cluster.dir()).unwrap();
        let probe_namespace = cluster.namespace("probe", json!({}));
        let namespaces = namespaces.iter().copied().chain([&*probe_namespace]).map(str::to_owned).collect();
        Self { cluster, namespaces, probe_namespace, dir, state, server: None }
    }

    /// The value of a metric of the server, by its name with labels as `/metrics` shows it.
    pub(crate) fn metric(&self, name: &str) -> Option<String> {
        self.metrics().lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(' ')?.to_owned()))
    }

    /// How many reviews of a class ended with this reason.
    pub(crate) fn reviews(&self, reason: &str, class: &str) -> u64 {
        ["patched", "unchanged"]
            .iter()
            .filter_map(|outcome| {
                let labels = format!(r#"outcome="{outcome}",reason="{reason}",class="{class}""#);
                self.metric(&format!("spark_swap_reviews_total{{{labels}}}"))?.parse::<u64>().ok()
            })
            .sum()
    }

    /// How many reviews there were.
    pub(crate) fn all_reviews(&self) -> u64 {
        let metrics = self.metrics();
        let reviews = metrics.lines().filter(|line| line.starts_with("spark_swap_reviews_total{"));
        reviews.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    fn metrics(&self) -> String {
        http::get(self.server().admin_port, "/metrics").unwrap_or_else(|error| panic!("{error}")).body
    }

    /// What `/readyz` says.
    pub(crate) fn readiness(&self) -> Answer {
        http::get(self.server().admin_port, "/readyz").unwrap_or_else(|error| panic!("{error}"))
    }

    /// What the webhook answers to a review of the creation of a pod, without an API server in between.
    pub(crate) fn review(&self, namespace: &str, pod: &Value) -> Value {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "review", "operation": "CREATE", "namespace": namespace, "object": pod,
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
            },
        });
        let answer = http::post(self.server().port, &self.ca(), "/mutate", &review);
        let answer = answer.unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
        serde_json::from_str::<Value>(&answer.body).unwrap()["response"].take()
    }

    /// What the server logged.
    pub(crate) fn log(&self) -> String {
        self.server().process.log()
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("a running webhook")
    }

    fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.crt")
    }

    /// Ends the server and leaves it registered: what an outage looks like to the API server.
    pub(crate) fn go_down(&mut self) {
        self.server = None;
    }

    /// Starts the server (again) and registers it.
    pub(crate) fn serve(&mut self) {
        self.start_server();
        self.join();
    }

    /// Waits until the server is ready, and registers it.
    pub(crate) fn join(&self) {
        self.become_ready();
        self.register();
        self.wait_until_called();
    }

    /// Waits until the server is ready.
    pub(crate) fn become_ready(&self) {
        wait::until("ready webhook", wait::LIMIT, || {
            let answer = self.readiness();
            if answer.status == 200 { Ok(()) } else { Err(format!("{}\n{}", answer.body, self.log())) }
        });
    }

    /// What this webhook said to the creation of a pod; `None` where it was not even called.
    pub(crate) fn verdict_on(&self, namespace: &str, pod: &str) -> Option<Verdict> {
        let audit = self.cluster.creation_audit(namespace, pod);
        let annotations = audit.as_object().unwrap();
        // The API server's own notes hold JSON; ours are plain words.
        let notes =
            annotations.values().filter_map(|note| serde_json::from_str::<Value>(note.as_str()?).ok());
        let called = notes.into_iter().find(|note| {
            note["configuration"] == self.configuration_name() && note.get("mutated").is_some()
        })?;
        let reason = format!("{}/reason", called["webhook"].as_str()?);
        let reason =
            annotations.get(&reason).and_then(Value::as_str).expect("an audit annotation with the reason");
        Some(Verdict { mutated: called["mutated"] == true, reason: reason.to_owned() })
    }

    pub(crate) fn configuration_name(&self) -> String {
        format!("spark-swap-for-{}", self.namespaces.join("-"))
    }

    fn write_state(&self, name: &str, object: &Value) {
        fs::write(self.dir.path().join(format!("state/{name}.json")), object.to_string()).unwrap();
    }

    /// Starts the server, which may not be ready yet. Tries other ports when somebody else took one of those that were
    /// free a moment ago.
    pub(crate) fn start_server(&mut self) {
        let mut failure = String::new();
        for _ in 0..5 {
            let (port, admin_port) = (free_port(), free_port());
            let mut command = Command::new(program());
            command
                .arg("serve")
                .arg(format!("--listen=127.0.0.1:{port}"))
                .arg(format!("--admin-listen=127.0.0.1:{admin_port}"))
                .arg("--write-ca")
                .arg(self.ca())
                .env_remove("KUBECONFIG");
            match &self.state {
                State::Files => command.arg("--state").arg(self.dir.path().join("state")),
                State::Live(kubeconfig) => command.arg("--kubeconfig").arg(kubeconfig),
            };
            let mut process = Process::start("spark-swap", &mut command, self.dir.path());
            let serves = wait::until("webhook", wait::LIMIT, || match process.has_ended() {
                Some(_) => Ok(false),
                None => http::get(admin_port, "/livez")
                    .map(|_| true)
                    .map_err(|refusal| format!("{refusal}\n{}", process.tail())),
            });
            if serves {
                self.server = Some(Server { process, port, admin_port });
                return;
            }
            failure = process.tail();
        }
        panic!("the webhook does not start:\n{failure}");
    }

    /// Installs the configuration that our manifests print, narrowed to our namespaces.
    fn register(&self) {
        let url = format!("https://127.0.0.1:{}/mutate", self.server().port);
        let mut command = Command::new(program());
        command.args(["manifests", "--only", "webhook", "--url", &url]).arg("--ca").arg(self.ca());
        let manifest = process::run(&mut command, "").unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut configuration = self.cluster.objects_of(&manifest).remove(0);
        configuration["metadata"]["name"] = json!(self.configuration_name());
        for webhook in configuration["webhooks"].as_array_mut().unwrap() {
            let ours =
                json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": self.namespaces});
            let selector = webhook["namespaceSelector"]["matchExpressions"].as_array_mut();
            match selector {
                Some(expressions) => expressions.push(ours),
                None => webhook["namespaceSelector"]["matchExpressions"] = json!([ours]),
            }
        }
        self.cluster.apply(&configuration);
    }

    /// Drops the match condition that spares the API server the calls for planned pods.
    pub(crate) fn be_called_for_planned_pods(&self) {
        let configuration = self.cluster.get("mutatingwebhookconfiguration", "", &self.configuration_name());
        let mut conditions = configuration["webhooks"][0]["matchConditions"].clone();
        conditions.as_array_mut().unwrap().retain(|condition| condition["name"] != "not-planned");
        let patch = json!([{"op": "replace", "path": "/webhooks/0/matchConditions", "value": conditions}]);
        self.cluster.kubectl(&[
            "patch",
            "mutatingwebhookconfiguration",
            &self.configuration_name(),
            "--type=json",
            "-p",
            &patch.to_string(),
        ]);
        let mut probe = pods::executor("probe", 1024, 384);
        probe["metadata"]["annotations"] = json!({pods::PLAN: "{}"});
        wait::until("call for a planned pod", wait::LIMIT, || {
            self.cluster.try_create(&probe, &["-n", &self.probe_namespace, "--dry-run=server"])?;
            if self.reviews("AlreadyPlanned", "") > 0 { Ok(()) } else { Err("it was not called".to_owned()) }
        });
    }

    /// The API server learns of a configuration by a watch. Whether it calls us by now
    /// shows in our own count, whatever we answer.
    fn wait_until_called(&self) {
        let probe = pods::executor("probe", 1024, 384);
        wait::until("call of the webhook", wait::LIMIT, || {
            self.cluster.try_create(&probe, &["-n", &self.probe_namespace, "--dry-run=server"])?;
            if self.all_reviews() > 0 { Ok(()) } else { Err("no review was counted".to_owned()) }
        });
    }
}

impl Drop for Webhook<'_> {
    fn drop(&mut self) {
        let name = self.configuration_name();
        // A failed test says more than this would.
        drop(self.cluster.try_kubectl(&[
            "delete",
            "mutatingwebhookconfiguration",
            &name,
            "--ignore-not-found",
        ]));
        if let Some(server) = &self.server
            && std::thread::panicking()
        {
            eprintln!("{}", server.process.tail());
        }
    }
}

/// The binary under test, or another build of it that `SPARK_SWAP_BIN` names.
pub(crate) fn program() -> OsString {
    std::env::var_os("SPARK_SWAP_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_spark-swap").into())
}
