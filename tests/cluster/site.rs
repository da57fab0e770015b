//! Where kubectl or helm installs, and what a kubelet would do there.

use std::fs;
use std::net::UdpSocket;
use std::sync::MutexGuard;

use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::nodes::{self, GIB};
use crate::wait;

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

    /// The namespace is there, and nothing in it that was installed.
    pub(crate) fn assert_empty(&self) {
        self.remove_pods();
        let left = ["get", "deployments,services,secrets,roles", "-n", NAME, "-o", "name"];
        assert_eq!(self.cluster.kubectl(&left), "");
    }

    /// What a kubelet does with pods that are deleted.
    fn remove_pods(&self) {
        self.cluster.kubectl(&["delete", "pods", "--all", "-n", NAME, "--force", "--grace-period=0"]);
    }

    /// The same after an upgrade, whose old pods go as the new ones get ready.
    pub(crate) fn assert_rolled_out(&self, replicas: usize) {
        wait::until("end of the roll-out", wait::LIMIT, || {
            self.report_ready();
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

    /// Says what a kubelet says of pods that are ready.
    pub(crate) fn report_ready(&self) {
        for pod in self.cluster.list("pods", NAME, "app.kubernetes.io/name=spark-swap") {
            let name = pod["metadata"]["name"].as_str().unwrap();
            let status = json!({"status": {
                "phase": "Running", "podIP": own_address(), "podIPs": [{"ip": own_address()}],
                "conditions": [
                    {"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"},
                    {"type": "PodScheduled", "status": "True"},
                ],
            }})
            .to_string();
            let patch = ["patch", "pod", name, "-n", NAME, "--subresource=status", "-p", &status];
            // One that is about to go may be gone by now.
            drop(self.cluster.try_kubectl(&patch));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.clear();
        }
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
