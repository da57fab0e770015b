//! A real Kubernetes: etcd, API server, controller manager and scheduler on loopback.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};

use crate::audit;
use crate::parts;
use crate::process::{self, Process};
use crate::wait;

/// Controllers that would turn nodes without a kubelet into unreachable ones.
const NO_NODE_WATCHERS: &str = "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller";

const API_SERVER: &str = "kube-apiserver";
const ADMIN: &str = "admin";

pub(crate) struct ControlPlane {
    binary: PathBuf,
    dir: PathBuf,
    server: String,
    token: String,
    processes: Mutex<BTreeMap<&'static str, Process>>,
    /// The command line of the API server.
    api_server: Vec<String>,
    numbers: AtomicU32,
}

impl ControlPlane {
    /// The one that all tests share. Its processes end with the test process, because
    /// they watch the pipes to it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("shared", &[]))
    }

    /// One of their own for tests that others could not bear beside them, and the turn of the test to use it. It knows
    /// no SwapClasses and has no nodes.
    pub(crate) fn to_disturb() -> (&'static Self, MutexGuard<'static, ()>) {
        static TURN: Mutex<()> = Mutex::new(());
        static DISTURBED: OnceLock<ControlPlane> = OnceLock::new();
        // A test that failed has left nothing that the next one relies on.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let cluster = DISTURBED.get_or_init(|| Self::start("disturbed", &[]));
        if !cluster.processes.lock().unwrap().contains_key(API_SERVER) {
            cluster.restart_api_server();
        }
        cluster.kubectl(&["delete", "crd", "swapclasses.spark-swap.io", "--ignore-not-found"]);
        cluster.kubectl(&["delete", "nodes", "--all"]);
        (cluster, turn)
    }

    /// A further one, for tests whose API server needs `flags` of its own.
    pub(crate) fn start(name: &str, flags: &[String]) -> Self {
        let binary = parts::control_plane_binary();
        let dir = parts::work_dir().join(name);
        fs::create_dir(&dir).unwrap();
        run(Command::new(&binary).arg("new-key").arg(dir.join("service-account.key")));
        let token = random_token();
        fs::write(dir.join("tokens.csv"), format!("{token},admin,admin,system:masters\n")).unwrap();
        fs::write(dir.join("audit-policy.json"), audit::POLICY).unwrap();

        let mut this = Self {
            binary,
            dir,
            server: String::new(),
            token,
            processes: Mutex::default(),
            api_server: Vec::new(),
            numbers: AtomicU32::new(0),
        };
        let store = this.start_etcd();
        this.start_api_server(&store, flags);
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

    /// The cluster administrator's.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.path_of_kubeconfig(ADMIN)
    }

    pub(crate) fn path_of_kubeconfig(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.kubeconfig"))
    }

    /// Where logs and other files of this run may be put.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A number that this cluster gives to nobody else.
    pub(crate) fn next_number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The ends of all logs, for a failure message.
    pub(crate) fn tails(&self) -> String {
        self.processes.lock().unwrap().values().map(Process::tail).collect()
    }

    fn start_etcd(&self) -> String {
        let data = format!("--data-dir={}", self.path("etcd"));
        self.start_process("etcd", "etcd", &[&data]);
        self.wait_for_start("etcd", |log| {
            log.lines()
                .find_map(|line| line.strip_prefix("etcd ready "))
                .map(str::to_owned)
                .ok_or_else(String::new)
        })
        .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Its port has to be known beforehand, and somebody else may take it meanwhile: then try another.
    fn start_api_server(&mut self, store: &str, flags: &[String]) {
        let mut failure = String::new();
        for _ in 0..5 {
            let port = parts::free_port();
            self.server = format!("https://127.0.0.1:{port}");
            self.write_kubeconfig(ADMIN, json!({"token": self.token}));
            let key = self.path("service-account.key");
            self.api_server = vec![
                "--bind-address=127.0.0.1".to_owned(),
                "--advertise-address=127.0.0.1".to_owned(),
                format!("--secure-port={port}"),
                format!("--cert-dir={}", self.path("certs")),
                format!("--etcd-servers={store}"),
                // Loopback: a process can listen where a Service is, which stands in for the node's kube-proxy.
                "--service-cluster-ip-range=127.96.0.0/16".to_owned(),
                "--endpoint-reconciler-type=none".to_owned(),
                // Nodes' names are in no DNS.
                "--kubelet-preferred-address-types=InternalIP".to_owned(),
                "--authorization-mode=RBAC".to_owned(),
                format!("--token-auth-file={}", self.path("tokens.csv")),
                "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
                format!("--service-account-key-file={key}"),
                format!("--service-account-signing-key-file={key}"),
                format!("--audit-policy-file={}", self.path("audit-policy.json")),
                format!("--audit-log-path={}", self.path("audit.log")),
            ];
            self.api_server.extend_from_slice(flags);
            match self.try_api_server(API_SERVER) {
                Ok(_) => return,
                Err(error) if error.contains("address already in use") => failure = error,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("no port for the API server: {failure}");
    }

    /// Kills the API server, as a crash would; what it stored stays.
    pub(crate) fn kill_api_server(&self) {
        drop(self.processes.lock().unwrap().remove(API_SERVER).expect("a running API server"));
    }

    /// Starts a killed API server again: same port, same store, same certificates.
    pub(crate) fn restart_api_server(&self) {
        let log = format!("{API_SERVER}-{}", self.next_number());
        self.try_api_server(&log).unwrap_or_else(|error| panic!("{error}"));
    }

    fn try_api_server(&self, log: &str) -> Result<String, String> {
        let options: Vec<&str> = self.api_server.iter().map(String::as_str).collect();
        self.start_process(API_SERVER, log, &options);
        self.wait_for_start(API_SERVER, |_| self.try_kubectl(&["get", "--raw", "/readyz"]))
    }

    fn start_component(&self, name: &'static str, options: &[&str]) {
        let kubeconfig = self.kubeconfig();
        let kubeconfig = kubeconfig.display();
        let common = [
            &format!("--kubeconfig={kubeconfig}"),
            &format!("--authentication-kubeconfig={kubeconfig}"),
            &format!("--authorization-kubeconfig={kubeconfig}"),
            "--leader-elect=false",
            "--secure-port=0",
        ];
        self.start_process(name, name, &[&common, options].concat());
    }

    fn start_process(&self, name: &'static str, log: &str, options: &[&str]) {
        let mut command = Command::new(&self.binary);
        command.arg(name).args(options).env("CONTROLPLANE_EXIT_WITH_STDIN", "1").env("HOME", &self.dir);
        let process = Process::start(log, &mut command, &self.dir);
        self.processes.lock().unwrap().insert(name, process);
    }

    /// Waits until a process is ready; an error tells of its early end.
    fn wait_for_start<T>(&self, name: &str, ready: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
        wait::until(&format!("ready {name}"), wait::LIMIT, || {
            let (log, ended) = {
                let mut processes = self.processes.lock().unwrap();
                let process = processes.get_mut(name).unwrap();
                (process.log(), process.has_ended())
            };
            match ended {
                Some(status) => Ok(Err(format!("{name} ended with {status}\n{}", self.tails()))),
                None => ready(&log).map(Ok).map_err(|refusal| refusal + &self.tails()),
            }
        })
    }

    /// The kubeconfig of a user who may do only what is granted to him by name.
    pub(crate) fn kubeconfig_of(&self, user: &str) -> PathBuf {
        self.write_kubeconfig(user, json!({"token": self.token, "as": user}))
    }

    /// Makes a kubeconfig of this name with a user's credentials, and returns its path.
    pub(crate) fn write_kubeconfig(&self, name: &str, user: Value) -> PathBuf {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.server, "certificate-authority": self.ca()}}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user"}}],
        });
        let path = self.path_of_kubeconfig(name);
        fs::write(&path, config.to_string()).unwrap();
        path
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
