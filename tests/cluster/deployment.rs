//! The Deployment of an installation, with processes in place of its pods, for no kubelet runs them.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use spark_swap::server::trust::Authorities;
use tempfile::TempDir;

use crate::control_plane::ControlPlane;
use crate::installation::{forward, served};
use crate::parts::free_port;
use crate::process::Process;
use crate::site::{NAME, Site};
use crate::webhook::program;
use crate::{http, service_account, wait};

/// The replicas, behind the Service.
pub(crate) struct Replicas {
    processes: Vec<Process>,
    /// Where they serve.
    ports: Vec<u16>,
    files: TempDir,
}

impl Replicas {
    /// Runs what the Deployment says, as often as it says, with the rights of its ServiceAccount. Waits until all are
    /// ready; then the pods are, too.
    pub(crate) fn run(site: &Site) -> Self {
        let cluster = site.cluster;
        let deployment = cluster.get("deployment", NAME, NAME);
        let pod = &deployment["spec"]["template"]["spec"];
        let account = pod["serviceAccountName"].as_str().unwrap();
        let kubeconfig = service_account::kubeconfig(cluster, NAME, account);
        let files = TempDir::with_prefix_in("deployment-", cluster.dir()).unwrap();
        let mut this = Self { processes: Vec::new(), ports: Vec::new(), files };
        let mut admin_ports = Vec::new();
        for number in 0..deployment["spec"]["replicas"].as_u64().unwrap() {
            let (port, admin_port) = (free_port(), free_port());
            let mut command = this.command(cluster, pod);
            command
                .arg(format!("--listen=127.0.0.1:{port}"))
                .arg(format!("--admin-listen=127.0.0.1:{admin_port}"))
                .arg("--kubeconfig")
                .arg(&kubeconfig)
                .env_remove("KUBECONFIG");
            let process = Process::start(&format!("replica-{number}"), &mut command, cluster.dir());
            this.processes.push(process);
            this.ports.push(port);
            admin_ports.push(admin_port);
        }
        forward(listen_as_service(cluster), Arc::new(Mutex::new(this.ports.clone())));
        for (process, admin_port) in this.processes.iter_mut().zip(admin_ports) {
            wait_until_ready(process, admin_port);
        }
        site.report_ready();
        cluster.kubectl(&["rollout", "status", "deployment", NAME, "-n", NAME, "--timeout=60s"]);
        this
    }

    /// Waits until every replica serves a certificate: a chain in PEM that `authority` trusts as the API server does.
    pub(crate) fn wait_until_serving(&self, certificate: &str, authority: &str) {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.as_bytes()).flatten().collect();
        let authority = Authorities::from_pem("ca.crt", authority.as_bytes()).unwrap();
        for (port, process) in self.ports.iter().zip(&self.processes) {
            let served = wait::until("served certificate", wait::LIMIT, || {
                let served = served(*port)?;
                if served == chain { Ok(served) } else { Err(process.tail()) }
            });
            authority.verify(&served, &format!("{NAME}.{NAME}.svc"), Timestamp::now()).unwrap();
        }
    }

    /// The ends of the logs, for a failure message.
    pub(crate) fn tails(&self) -> String {
        self.processes.iter().map(Process::tail).collect()
    }

    /// The container's arguments, but for its addresses, and its environment.
    fn command(&self, cluster: &ControlPlane, pod: &Value) -> Command {
        let container = &pod["containers"][0];
        let mut command = Command::new(program());
        for argument in container["args"].as_array().unwrap() {
            let argument = argument.as_str().unwrap();
            if !argument.starts_with("--listen=") && !argument.starts_with("--admin-listen=") {
                command.arg(self.mounted(cluster, pod, argument));
            }
        }
        for variable in container["env"].as_array().unwrap() {
            let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
                Some("metadata.namespace") => NAME,
                Some(other) => panic!("nobody says what {other} is"),
                None => variable["value"].as_str().unwrap(),
            };
            command.env(variable["name"].as_str().unwrap(), value);
        }
        command
    }

    /// The argument with the files that it names: those of a mounted Secret are written where a process finds them.
    fn mounted(&self, cluster: &ControlPlane, pod: &Value, argument: &str) -> String {
        let mounts = pod["containers"][0]["volumeMounts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mount = mounts.iter().find(|mount| argument.contains(mount["mountPath"].as_str().unwrap()));
        let Some(mount) = mount else { return argument.to_owned() };
        let mut volumes = pod["volumes"].as_array().unwrap().iter();
        let volume = volumes.find(|volume| volume["name"] == mount["name"]).expect("the mounted volume");
        let secret = cluster.get("secret", NAME, volume["secret"]["secretName"].as_str().unwrap());
        let directory = self.files.path().join(mount["name"].as_str().unwrap());
        fs::create_dir_all(&directory).unwrap();
        for (key, value) in secret["data"].as_object().unwrap() {
            fs::write(directory.join(key), STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap();
        }
        argument.replace(mount["mountPath"].as_str().unwrap(), directory.to_str().unwrap())
    }
}

fn wait_until_ready(process: &mut Process, admin_port: u16) {
    wait::until("ready replica", wait::LIMIT, || {
        if let Some(status) = process.has_ended() {
            panic!("it ended with {status}\n{}", process.tail());
        }
        let answer = http::get(admin_port, "/readyz")?;
        if answer.status == 200 { Ok(()) } else { Err(format!("{}\n{}", answer.body, process.tail())) }
    });
}

/// Where the API server connects to for the Service: a loopback address.
fn listen_as_service(cluster: &ControlPlane) -> TcpListener {
    let service = cluster.get("service", NAME, NAME);
    let address = service["spec"]["clusterIP"].as_str().unwrap();
    let port = u16::try_from(service["spec"]["ports"][0]["port"].as_u64().unwrap()).unwrap();
    TcpListener::bind((address, port)).unwrap_or_else(|_| {
        // Ports below 1024 are for root.
        let port = 8443;
        let replace = |path: &str| json!([{"op": "replace", "path": path, "value": port}]).to_string();
        let of_service = replace("/spec/ports/0/port");
        cluster.kubectl(&["patch", "service", NAME, "-n", NAME, "--type=json", "-p", &of_service]);
        let of_webhook = replace("/webhooks/0/clientConfig/service/port");
        cluster.kubectl(&["patch", "mutatingwebhookconfiguration", NAME, "--type=json", "-p", &of_webhook]);
        TcpListener::bind((address, port)).unwrap()
    })
}
