//! spark-swap as it is installed: replicas behind a Service, which the API server calls by the Service's name, with
//! certificates of their own making.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use spark_swap::server::handshake::{Outcome, shake_hands};
use tempfile::TempDir;

use crate::classes::swap_node;
use crate::control_plane::ControlPlane;
use crate::http::{self, Answer};
use crate::nodes;
use crate::parts::free_port;
use crate::pods;
use crate::process::{self, Process};
use crate::service_account;
use crate::wait;
use crate::webhook::program;

/// Not a privileged one.
const PORT: u16 = 8443;

/// What is installed for one namespace of executors.
pub(crate) struct Installation<'a> {
    cluster: &'a ControlPlane,
    /// Where it is installed. Also the name of all that lies in no namespace.
    pub(crate) namespace: String,
    /// Whose executors it is called for.
    pub(crate) executors: String,
    dir: TempDir,
    kubeconfig: PathBuf,
    backends: Arc<Mutex<Vec<u16>>>,
}

/// A running one.
pub(crate) struct Replica {
    pub(crate) process: Process,
    port: u16,
    admin_port: u16,
}

impl<'a> Installation<'a> {
    /// Installs the objects, with the rights of the manifests, but for the Secret. `change` may change each of them.
    pub(crate) fn new(cluster: &'a ControlPlane, change: impl Fn(&mut Value)) -> Self {
        let namespace = cluster.namespace("installed", json!({}));
        let executors = cluster.namespace("executors", json!({}));
        nodes::join(cluster, &swap_node(&executors), &executors);
        let service = cluster.create(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "spark-swap", "namespace": namespace},
            "spec": {"ports": [{"name": "https", "port": PORT}]},
        }));
        let address = service["spec"]["clusterIP"].as_str().unwrap().to_owned();
        let backends = Arc::default();
        forward(TcpListener::bind((address, PORT)).unwrap(), Arc::clone(&backends));
        let mut command = Command::new(program());
        command.args(["manifests", "--only", "rbac,webhook", "--name", &namespace]).args([
            "--namespace",
            &namespace,
            "--service",
            &format!("{namespace}/spark-swap:{PORT}"),
        ]);
        let manifests = process::run(&mut command, "").unwrap_or_else(|error| panic!("{error}"));
        for mut object in cluster.objects_of(&manifests) {
            own(&mut object, &namespace, &executors);
            change(&mut object);
            cluster.apply(&object);
        }
        let kubeconfig = service_account::kubeconfig(cluster, &namespace, "spark-swap");
        let dir = TempDir::with_prefix_in("installation-", cluster.dir()).unwrap();
        Self { cluster, namespace, executors, dir, kubeconfig, backends }
    }

    /// Who the replicas are.
    pub(crate) fn user(&self) -> String {
        format!("system:serviceaccount:{}:spark-swap", self.namespace)
    }

    /// Starts a replica behind the Service, which may not be ready yet.
    pub(crate) fn start(&self, name: &str, flags: &[&str]) -> Replica {
        let own = ["--namespace", &self.namespace, "--webhook-configuration", &self.namespace];
        let flags = [&own, flags].concat();
        let replica = Replica::start(&self.kubeconfig, self.dir.path(), name, &flags);
        self.backends.lock().unwrap().push(replica.port);
        replica
    }

    /// An executor that may run on its node.
    pub(crate) fn executor(&self, name: &str) -> Value {
        let mut pod = pods::executor(name, 1024, 384);
        pod["spec"]["tolerations"] = json!([nodes::toleration(&self.executors)]);
        pod
    }

    pub(crate) fn configuration(&self) -> Value {
        self.cluster.get("mutatingwebhookconfiguration", "", &self.namespace)
    }

    /// What is published, PEM.
    pub(crate) fn ca_bundle(&self) -> String {
        decoded(&self.configuration()["webhooks"][0]["clientConfig"]["caBundle"])
    }

    /// The Secret; null while there is none.
    pub(crate) fn secret(&self) -> Value {
        let arguments =
            ["get", "secret", "spark-swap-tls", "-n", &self.namespace, "-o", "json", "--ignore-not-found"];
        serde_json::from_str(&self.cluster.kubectl(&arguments)).unwrap_or(Value::Null)
    }

    /// A key of the Secret.
    pub(crate) fn kept(&self, key: &str) -> String {
        decoded(&self.secret()["data"][key])
    }

    /// Writes the caBundle, as somebody with a mind of his own does.
    pub(crate) fn put_ca_bundle(&self, pem: &str) {
        let patch = json!([{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": STANDARD.encode(pem)}]);
        let configuration = &self.namespace;
        let arguments =
            ["patch", "mutatingwebhookconfiguration", configuration, "--type=json", "-p", &patch.to_string()];
        self.cluster.kubectl(&arguments);
    }
}

impl Drop for Installation<'_> {
    fn drop(&mut self) {
        let name = &self.namespace;
        // A failed test says more than this would.
        drop(self.cluster.try_kubectl(&[
            "delete",
            "mutatingwebhookconfiguration",
            name,
            "--ignore-not-found",
        ]));
    }
}

impl Replica {
    /// Starts the server on free ports.
    pub(crate) fn start(kubeconfig: &Path, log_dir: &Path, name: &str, flags: &[&str]) -> Self {
        let mut failure = String::new();
        for _ in 0..5 {
            let (port, admin_port) = (free_port(), free_port());
            let mut command = Command::new(program());
            command
                .args(["serve", "--drain-delay", "0s"])
                .arg(format!("--listen=127.0.0.1:{port}"))
                .arg(format!("--admin-listen=127.0.0.1:{admin_port}"))
                .arg("--kubeconfig")
                .arg(kubeconfig)
                .args(flags)
                .env_remove("KUBECONFIG");
            let mut process = Process::start(name, &mut command, log_dir);
            let serves = wait::until("replica", wait::LIMIT, || match process.has_ended() {
                Some(_) => Ok(false),
                None => http::get(admin_port, "/livez").map(|_| true),
            });
            if serves {
                return Self { process, port, admin_port };
            }
            failure = process.tail();
        }
        panic!("the replica does not start:\n{failure}");
    }

    pub(crate) fn readiness(&self) -> Answer {
        http::get(self.admin_port, "/readyz").unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn wait_until_ready(&self) {
        wait::until("ready replica", wait::LIMIT, || {
            let answer = self.readiness();
            if answer.status == 200 {
                Ok(())
            } else {
                Err(format!("{}\n{}", answer.body, self.process.tail()))
            }
        });
    }

    /// The chain that it serves now.
    pub(crate) fn served(&self) -> Vec<CertificateDer<'static>> {
        served(self.port).unwrap_or_else(|refusal| panic!("{refusal}\n{}", self.process.tail()))
    }

    /// How often it took a step of the certificates.
    pub(crate) fn steps(&self, step: &str) -> u64 {
        let metrics = http::get(self.admin_port, "/metrics").unwrap_or_else(|error| panic!("{error}")).body;
        let name = format!(r#"spark_swap_certificate_rotations_total{{step="{step}"}} "#);
        metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap()
    }
}

/// Makes an object of the manifests that of one installation among several.
fn own(object: &mut Value, namespace: &str, executors: &str) {
    match object["kind"].as_str() {
        Some("ClusterRole") => {
            object["metadata"]["name"] = json!(namespace);
            let rules = object["rules"].as_array_mut().unwrap();
            // That is left to the tests which are about it.
            rules.retain(|rule| rule["resources"] != json!(["swapclasses/status"]));
            for rule in rules {
                if rule["resources"] == json!(["mutatingwebhookconfigurations"]) {
                    rule["resourceNames"] = json!([namespace]);
                }
            }
        }
        Some("ClusterRoleBinding") => {
            object["metadata"]["name"] = json!(namespace);
            object["roleRef"]["name"] = json!(namespace);
        }
        Some("MutatingWebhookConfiguration") => {
            let selector = &mut object["webhooks"][0]["namespaceSelector"]["matchExpressions"];
            let ours = json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": [executors]});
            selector.as_array_mut().unwrap().push(ours);
        }
        _ => {}
    }
}

/// The chain that is served on a port of ours.
pub(crate) fn served(port: u16) -> Result<Vec<CertificateDer<'static>>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = format!("127.0.0.1:{port}");
    match runtime.block_on(shake_hands(address, "localhost".to_owned(), None)).outcome {
        Outcome::Served(chain) => Ok(chain),
        outcome => Err(format!("{outcome:?}")),
    }
}

/// The text behind base64, as Secrets and configurations have it.
pub(crate) fn decoded(value: &Value) -> String {
    String::from_utf8(STANDARD.decode(value.as_str().unwrap_or_default()).unwrap()).unwrap()
}

/// Stands in for kube-proxy: connections to the Service's address go to the replicas in turn. It lasts as long as the
/// test process.
pub(crate) fn forward(service: TcpListener, backends: Arc<Mutex<Vec<u16>>>) {
    thread::spawn(move || {
        for (turn, client) in service.incoming().flatten().enumerate() {
            let backend = {
                let backends = backends.lock().unwrap();
                turn.checked_rem(backends.len()).and_then(|index| backends.get(index).copied())
            };
            // Without one the connection is closed.
            let Some(Ok(server)) = backend.map(|port| TcpStream::connect(("127.0.0.1", port))) else {
                continue;
            };
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                thread::spawn(move || {
                    drop(io::copy(&mut from, &mut to));
                    drop(to.shutdown(Shutdown::Write));
                });
            }
        }
    });
}
