//! cert-manager: its controllers and its injector of CA bundles, as processes on loopback.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::control_plane::ControlPlane;
use crate::parts;
use crate::process::Process;
use crate::wait;

/// A cert-manager for the Certificates and Issuers of one namespace.
///
/// Its own admission webhook does not run: what a Certificate says is checked by the schema of its kind only.
pub(crate) struct CertManager<'a> {
    cluster: &'a ControlPlane,
    namespace: &'a str,
    processes: Vec<Process>,
    dir: TempDir,
}

impl<'a> CertManager<'a> {
    pub(crate) fn start(cluster: &'a ControlPlane, namespace: &'a str) -> Self {
        install_crds(cluster);
        let dir = TempDir::with_prefix_in("cert-manager-", cluster.dir()).unwrap();
        let mut this = Self { cluster, namespace, processes: Vec::new(), dir };
        for component in ["controller", "cainjector"] {
            this.start_component(component);
        }
        this
    }

    fn start_component(&mut self, component: &str) {
        let mut command = Command::new(parts::cert_manager_binary());
        command
            .arg(component)
            .arg("--kubeconfig")
            .arg(self.cluster.kubeconfig())
            .arg("--namespace")
            .arg(self.namespace)
            .env("HOME", self.dir.path());
        let name = format!("cert-manager-{component}");
        self.processes.push(Process::start(&name, &mut command, self.dir.path()));
    }

    /// Waits until a Certificate is there with the revision, or a later one, and all that was asked for is done.
    pub(crate) fn wait_until_issued(&self, certificate: &str, revision: u64) -> Value {
        wait::until("issued certificate", wait::LIMIT, || {
            let found = self.cluster.get("certificate", self.namespace, certificate);
            let conditions = found["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is = |kind: &str| conditions.iter().any(|c| c["type"] == kind && c["status"] == "True");
            let issued = found["status"]["revision"].as_u64().unwrap_or(0);
            if issued >= revision && is("Ready") && !is("Issuing") {
                Ok(found)
            } else {
                Err(format!("{}\n{}", found["status"], self.tails()))
            }
        })
    }

    /// Has a Certificate issued anew, as `cmctl renew` does it, and waits until that is done.
    pub(crate) fn renew(&self, certificate: &str) {
        let before = self.wait_until_issued(certificate, 1);
        let condition = json!({
            "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "the test asks for it",
            "observedGeneration": before["metadata"]["generation"],
            "lastTransitionTime": before["status"]["notBefore"],
        });
        let patch = json!([{"op": "add", "path": "/status/conditions/-", "value": condition}]);
        self.cluster.kubectl(&[
            "patch",
            "certificate",
            certificate,
            "-n",
            self.namespace,
            "--subresource=status",
            "--type=json",
            "-p",
            &patch.to_string(),
        ]);
        self.wait_until_issued(certificate, before["status"]["revision"].as_u64().unwrap() + 1);
    }

    /// The ends of its logs, for a failure message.
    pub(crate) fn tails(&self) -> String {
        self.processes.iter().map(Process::tail).collect()
    }
}

impl Drop for CertManager<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.tails());
        }
    }
}

/// Installs the kinds of cert-manager, and waits until they are served.
fn install_crds(cluster: &ControlPlane) {
    let crds = parts::cert_manager_binary().with_file_name("crds");
    cluster.kubectl(&["apply", "--server-side", "-f", crds.to_str().unwrap()]);
    for kind in ["certificates", "certificaterequests", "issuers", "clusterissuers", "challenges", "orders"] {
        wait::until("served kinds of cert-manager", wait::LIMIT, || cluster.try_kubectl(&["get", kind]));
    }
}
