//! Our own server, registered with the API server as its manifests say.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::control_plane::ControlPlane;
use crate::parts::free_port;
use crate::pods;
use crate::process::{self, Process};
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

    /// Starts a webhook that watches the cluster with the rights of `kubeconfig`, for pods of `namespaces`.
    pub(crate) fn start_live(cluster: &'a ControlPlane, namespaces: &[&str], kubeconfig: &Path) -> Self {
        let mut this = Self::new(cluster, namespaces, State::Live(kubeconfig.to_owned()));
        this.serve();
        this
    }

    fn new(cluster: &'a ControlPlane, namespaces: &[&str], state: State) -> Self {
        let dir = TempDir::with_prefix_in("webhook-", cluster.dir()).unwrap();
        let probe_namespace = cluster.namespace("probe", json!({}));
        let namespaces = namespaces.iter().copied().chain([&*probe_namespace]).map(str::to_owned).collect();
        Self { cluster, namespaces, probe_namespace, dir, state, server: None }
    }

    /// The value of a metric of the server, by its name with labels as `/metrics` shows it.
    pub(crate) fn metric(&self, name: &str) -> Option<String> {
        let metrics = get(self.server.as_ref()?.admin_port, "/metrics").ok()?.body;
        metrics.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(' ')?.to_owned()))
    }

    /// What the server logged.
    pub(crate) fn log(&self) -> String {
        self.server.as_ref().map(|server| server.process.log()).unwrap_or_default()
    }

    /// Ends the server and leaves it registered: what an outage looks like to the API server.
    pub(crate) fn go_down(&mut self) {
        self.server = None;
    }

    /// Starts the server (again) and registers it.
    pub(crate) fn serve(&mut self) {
        let ca = self.dir.path().join("ca.crt");
        let server = self.start_server(&ca);
        self.register(server.port, &ca);
        self.wait_until_called(server.admin_port);
        self.server = Some(server);
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

    /// Tries other ports when somebody else took one of those that were free a moment ago.
    fn start_server(&self, ca: &Path) -> Server {
        let mut failure = String::new();
        for _ in 0..5 {
            let (port, admin_port) = (free_port(), free_port());
            let mut command = Command::new(program());
            command
                .arg("serve")
                .arg(format!("--listen=127.0.0.1:{port}"))
                .arg(format!("--admin-listen=127.0.0.1:{admin_port}"))
                .arg("--write-ca")
                .arg(ca)
                .env_remove("KUBECONFIG");
            match &self.state {
                State::Files => command.arg("--state").arg(self.dir.path().join("state")),
                State::Live(kubeconfig) => command.arg("--kubeconfig").arg(kubeconfig),
            };
            let mut process = Process::start("spark-swap", &mut command, self.dir.path());
            let ready = wait::until("ready webhook", wait::LIMIT, || match process.has_ended() {
                Some(_) => Ok(false),
                None => get(admin_port, "/readyz")
                    .and_then(|answer| if answer.status == 200 { Ok(true) } else { Err(answer.body) })
                    .map_err(|refusal| format!("{refusal}\n{}", process.tail())),
            });
            if ready {
                return Server { process, port, admin_port };
            }
            failure = process.tail();
        }
        panic!("the webhook does not start:\n{failure}");
    }

    /// Installs the configuration that our manifests print, narrowed to our namespaces.
    fn register(&self, port: u16, ca: &Path) {
        let mut command = Command::new(program());
        command.arg("manifests").arg(format!("--url=https://127.0.0.1:{port}/mutate")).arg("--ca").arg(ca);
        let manifest = process::run(&mut command, "").unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let objects = self.cluster.objects_of(&manifest);
        let configuration =
            objects.into_iter().find(|object| object["kind"] == "MutatingWebhookConfiguration");
        let mut configuration = configuration.expect("a MutatingWebhookConfiguration among the manifests");
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

    /// The API server learns of a configuration by a watch. Whether it calls us by now
    /// shows in our own count, whatever we answer.
    fn wait_until_called(&self, admin_port: u16) {
        let probe = pods::executor("probe", 1024, 384);
        wait::until("call of the webhook", wait::LIMIT, || {
            self.cluster.try_create(&probe, &["-n", &self.probe_namespace, "--dry-run=server"])?;
            let metrics = get(admin_port, "/metrics")?.body;
            let reviews = metrics.lines().filter(|line| line.starts_with("spark_swap_reviews_total{"));
            let counted = reviews.filter_map(|line| line.rsplit(' ').next()).any(|count| count != "0");
            if counted { Ok(()) } else { Err("no review was counted".to_owned()) }
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

struct Answer {
    status: u16,
    body: String,
}

/// A plain HTTP GET.
fn get(port: u16, path: &str) -> Result<Answer, String> {
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(|error| format!("GET {path}: {error}"))?;
    let (head, body) =
        answer.split_once("\r\n\r\n").ok_or_else(|| format!("GET {path}: no HTTP: {answer}"))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Answer {
        status: status.ok_or_else(|| format!("GET {path}: no HTTP: {head}"))?,
        body: body.to_owned(),
    })
}
