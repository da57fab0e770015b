//! An installation as kubectl or helm made it, with a process in place of its pods, for no kubelet runs them.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::process::Command;
use std::sync::MutexGuard;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::control_plane::ControlPlane;
use crate::nodes::{self, GIB};
use crate::parts::free_port;
use crate::process::Process;
use crate::webhook::program;
use crate::{http, service_account, wait};

/// What an installation is called, and its parts.
pub(crate) const NAME: &str = "spark-swap";

const OF_THE_CLUSTER: &str = "mutatingwebhookconfiguration,validatingadmissionpolicy,\
    validatingadmissionpolicybinding,clusterrole,clusterrolebinding,priorityclass";

/// A cluster into which nothing is installed; and nothing is left when it is dropped.
pub(crate) struct Site {
    pub(crate) cluster: &'static ControlPlane,
    _turn: MutexGuard<'static, ()>,
}

impl Site {
    pub(crate) fn clean() -> Self {
        let (cluster, turn) = ControlPlane::to_disturb();
        let this = Self { cluster, _turn: turn };
        this.clear();
        this
    }

    /// The same with three nodes for the pods.
    pub(crate) fn with_nodes() -> Self {
        let this = Self::clean();
        let nodes = ["site-1", "site-2", "site-3"];
        let node = |name: &str| {
            let mut labels = nodes::evidence(500);
            labels["kubernetes.io/os"] = json!("linux");
            labels["kubernetes.io/hostname"] = json!(name);
            nodes::node(name, 64 * GIB, 32 * GIB, labels)
        };
        let status = node("")["status"].take();
        let items = nodes.map(|name| {
            let mut node = node(name);
            node.as_object_mut().unwrap().remove("status");
            node
        });
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        this.cluster.try_kubectl_with(&["create", "-f", "-"], &list.to_string()).unwrap();
        let patch_all = |options: &[&str], patch: &Value| {
            let patch = patch.to_string();
            let options = [options, &["--type=merge", "-p", &patch]].concat();
            this.cluster.kubectl(&[&["patch", "node"], &nodes[..], &options].concat());
        };
        // A created node has no status yet, and a not-ready taint, as in `nodes::join`.
        patch_all(&["--subresource=status"], &json!({"status": status}));
        patch_all(&[], &json!({"spec": {"taints": null}}));
        this
    }

    fn clear(&self) {
        let cluster = self.cluster;
        let selector = "app.kubernetes.io/name=spark-swap";
        cluster.kubectl(&["delete", OF_THE_CLUSTER, "-l", selector]);
        cluster.kubectl(&["delete", "namespace", NAME, "--ignore-not-found", "--wait=false"]);
        self.wait_until_gone();
        cluster.kubectl(&["delete", "crd", "-l", selector]);
        // Other tests ask for an account of that name, too; this one's is gone.
        drop(fs::remove_file(cluster.path_of_kubeconfig(&format!("{NAME}-{NAME}"))));
    }

    /// Lets pods go as a kubelet does, until the namespace is gone.
    pub(crate) fn wait_until_gone(&self) {
        wait::until("end of the namespace", wait::LIMIT, || {
            let found = self.cluster.kubectl(&["get", "namespace", NAME, "--ignore-not-found", "-o", "json"]);
            if found.is_empty() {
                return Ok(());
            }
            self.remove_pods();
            Err(found)
        });
    }

    /// What a kubelet does with pods that are deleted.
    pub(crate) fn remove_pods(&self) {
        self.cluster.kubectl(&["delete", "pods", "--all", "-n", NAME, "--force", "--grace-period=0"]);
    }

    /// The same after an upgrade, whose old pods go as the new ones get ready.
    pub(crate) fn assert_rolled_out(&self, replicas: usize) {
        wait::until("end of the roll-out", wait::LIMIT, || {
            report_ready(self.cluster);
            let pods = self.cluster.kubectl(&["get", "pods", "-n", NAME, "-o", "json"]);
            let pods: Value = serde_json::from_str(&pods).unwrap();
            for pod in pods["items"].as_array().unwrap() {
                if pod["metadata"]["deletionTimestamp"].is_string() {
                    let name = pod["metadata"]["name"].as_str().unwrap();
                    self.cluster.kubectl(&["delete", "pod", name, "-n", NAME, "--force", "--grace-period=0"]);
                }
            }
            let status = ["rollout", "status", "deployment", NAME, "-n", NAME, "--watch=false"];
            let status = self.cluster.kubectl(&status);
            if status.contains("successfully rolled out") { Ok(()) } else { Err(status) }
        });
        self.assert_deployed(replicas);
    }

    /// Waits until the Deployment has its pods, each on a node, and nothing refused one.
    pub(crate) fn assert_deployed(&self, replicas: usize) -> Vec<Value> {
        let pods = wait::until("pods on nodes", wait::LIMIT, || {
            let pods = self.cluster.list("pods", NAME, "app.kubernetes.io/name=spark-swap");
            let bound = pods.iter().filter(|pod| pod["spec"]["nodeName"].is_string()).count();
            if (pods.len(), bound) == (replicas, replicas) {
                Ok(pods)
            } else {
                Err(self.cluster.kubectl(&["get", "pods,events", "-n", NAME]))
            }
        });
        let refused = ["get", "events", "-n", NAME, "--field-selector=reason=FailedCreate", "-o", "name"];
        assert_eq!(self.cluster.kubectl(&refused), "");
        pods
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.clear();
        }
    }
}

/// The server of the installation, where its Service is.
pub(crate) struct Installation {
    process: Process,
    admin_port: u16,
    _files: TempDir,
}

impl Installation {
    /// Runs what the Deployment says, with the rights of its ServiceAccount, and waits until it is ready. Then its pods
    /// are, too.
    pub(crate) fn run(site: &Site) -> Self {
        let cluster = site.cluster;
        let listen = service_address(cluster);
        let pod = cluster.get("deployment", NAME, NAME)["spec"]["template"]["spec"].take();
        let container = &pod["containers"][0];
        let files = TempDir::with_prefix_in("installation-", cluster.dir()).unwrap();
        let admin_port = free_port();
        let mut command = Command::new(program());
        for argument in container["args"].as_array().unwrap() {
            let argument = argument.as_str().unwrap();
            if !argument.starts_with("--listen=") && !argument.starts_with("--admin-listen=") {
                command.arg(mounted(cluster, &pod, &files, argument));
            }
        }
        let kubeconfig =
            service_account::kubeconfig(cluster, NAME, pod["serviceAccountName"].as_str().unwrap());
        command
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg(format!("--listen={listen}"))
            .arg(format!("--admin-listen=127.0.0.1:{admin_port}"))
            .env_remove("KUBECONFIG");
        for variable in container["env"].as_array().unwrap() {
            let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
                Some("metadata.namespace") => NAME,
                Some(other) => panic!("nobody says what {other} is"),
                None => variable["value"].as_str().unwrap(),
            };
            command.env(variable["name"].as_str().unwrap(), value);
        }
        let process = Process::start(NAME, &mut command, files.path());
        let mut this = Self { process, admin_port, _files: files };
        this.wait_until_ready();
        report_ready(cluster);
        cluster.kubectl(&["rollout", "status", "deployment", NAME, "-n", NAME, "--timeout=60s"]);
        this
    }

    fn wait_until_ready(&mut self) {
        wait::until("ready installation", wait::LIMIT, || {
            if let Some(status) = self.process.has_ended() {
                panic!("it ended with {status}\n{}", self.process.tail());
            }
            let answer = http::get(self.admin_port, "/readyz")?;
            if answer.status == 200 {
                Ok(())
            } else {
                Err(format!("{}\n{}", answer.body, self.process.tail()))
            }
        });
    }
}

/// Where the API server connects to for the Service: a loopback address.
fn service_address(cluster: &ControlPlane) -> String {
    let service = cluster.get("service", NAME, NAME);
    let address = service["spec"]["clusterIP"].as_str().unwrap();
    let mut port = service["spec"]["ports"][0]["port"].as_u64().unwrap();
    if TcpListener::bind((address, u16::try_from(port).unwrap())).is_err() {
        // Ports below 1024 are for root.
        port = 8443;
        let of_service = json!([{"op": "replace", "path": "/spec/ports/0/port", "value": port}]);
        let service = ["patch", "service", NAME, "-n", NAME, "--type=json", "-p", &of_service.to_string()];
        cluster.kubectl(&service);
        let path = "/webhooks/0/clientConfig/service/port";
        let of_webhook = json!([{"op": "replace", "path": path, "value": port}]).to_string();
        cluster.kubectl(&["patch", "mutatingwebhookconfiguration", NAME, "--type=json", "-p", &of_webhook]);
    }
    format!("{address}:{port}")
}

/// The argument with the files that it names: those of a mounted Secret are written where a process finds them.
fn mounted(cluster: &ControlPlane, pod: &Value, files: &TempDir, argument: &str) -> String {
    let mounts = pod["containers"][0]["volumeMounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mount = mounts.iter().find(|mount| argument.contains(mount["mountPath"].as_str().unwrap()));
    let Some(mount) = mount else { return argument.to_owned() };
    let mut volumes = pod["volumes"].as_array().unwrap().iter();
    let volume = volumes.find(|volume| volume["name"] == mount["name"]).expect("the mounted volume");
    let secret = cluster.get("secret", NAME, volume["secret"]["secretName"].as_str().unwrap());
    let directory = files.path().join(mount["name"].as_str().unwrap());
    fs::create_dir_all(&directory).unwrap();
    for (key, value) in secret["data"].as_object().unwrap() {
        fs::write(directory.join(key), STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap();
    }
    argument.replace(mount["mountPath"].as_str().unwrap(), directory.to_str().unwrap())
}

/// Says what a kubelet says of pods that are ready.
fn report_ready(cluster: &ControlPlane) {
    for pod in cluster.list("pods", NAME, "app.kubernetes.io/name=spark-swap") {
        let name = pod["metadata"]["name"].as_str().unwrap();
        let status = json!({"status": {
            "phase": "Running", "podIP": own_address(), "podIPs": [{"ip": own_address()}],
            "conditions": [
                {"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"},
                {"type": "PodScheduled", "status": "True"},
            ],
        }});
        let arguments = ["patch", "pod", name, "-n", NAME, "--subresource=status", "-p", &status.to_string()];
        // One that is about to go may be gone by now.
        drop(cluster.try_kubectl(&arguments));
    }
}

/// An address of this machine: endpoints cannot be loopback.
fn own_address() -> String {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Sends nothing; only a route is chosen.
    match socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()) {
        Ok(address) if !address.ip().is_loopback() => address.ip().to_string(),
        _ => "192.0.2.1".to_owned(),
    }
}
