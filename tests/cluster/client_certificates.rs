//! A webhook that lets in only the API server, by the certificate that its admission configuration makes it show. It is
//! called in the Service form, as in a cluster.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::http;
use crate::parts::{self, free_port};
use crate::pods;
use crate::process::{self, Process};
use crate::wait;
use crate::webhook::program;

const NAMESPACE: &str = "spark-swap";

/// A cluster whose API server shows a certificate named `kube-apiserver` to the Service's first two ports.
struct Cluster {
    control_plane: ControlPlane,
    certificates: PathBuf,
    address: String,
    ports: [u16; 3],
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let ports = [free_port(), free_port(), free_port()];
        let certificates = parts::work_dir().join("client-certificates");
        let host = |port: u16| format!("spark-swap.{NAMESPACE}.svc:{port}");
        make_certificates(&certificates, &[&host(ports[0]), &host(ports[1])]);
        let configuration = certificates.join("admission-configuration.yaml");
        let flag = format!("--admission-control-config-file={}", configuration.display());
        let control_plane = ControlPlane::start("mutual-tls", &[flag]);
        control_plane.create(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE},
        }));
        let service = control_plane.create(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "spark-swap", "namespace": NAMESPACE},
            "spec": {"ports": ports.map(|port| json!({"name": format!("https-{port}"), "port": port}))},
        }));
        let address = service["spec"]["clusterIP"].as_str().unwrap().to_owned();
        Cluster { control_plane, certificates, address, ports }
    })
}

fn make_certificates(out: &Path, webhooks: &[&str]) {
    let mut command = Command::new(program());
    command.args(["certs", "--client", "--webhook", &webhooks.join(","), "--out"]).arg(out);
    process::run(&mut command, "").unwrap_or_else(|error| panic!("{error}"));
}

impl Cluster {
    /// The authority of the API server's client certificate.
    fn authority(&self) -> String {
        fs::read_to_string(self.certificates.join("client-ca.crt")).unwrap()
    }

    /// Starts a webhook on a port of the Service, and registers it for a namespace.
    fn serve(&self, port: u16, namespace: &str, client_ca: &Path, client_name: &str) -> Webhook {
        let dir = self.control_plane.dir().join(namespace);
        fs::create_dir(&dir).unwrap();
        let (ca, admin_port) = (dir.join("ca.crt"), free_port());
        let mut command = Command::new(program());
        command
            .args(["serve", "--client-name", client_name])
            .arg(format!("--listen={}:{port}", self.address))
            .arg(format!("--admin-listen=127.0.0.1:{admin_port}"))
            .arg("--client-ca")
            .arg(client_ca)
            .arg("--write-ca")
            .arg(&ca)
            .env_remove("KUBECONFIG");
        let process = Process::start("spark-swap", &mut command, &dir);
        wait::until("webhook", wait::LIMIT, || {
            http::get(admin_port, "/livez").map_err(|refusal| format!("{refusal}\n{}", process.tail()))
        });
        self.register(port, namespace, &ca);
        Webhook { process, admin_port }
    }

    fn register(&self, port: u16, namespace: &str, ca: &Path) {
        let service = format!("{NAMESPACE}/spark-swap:{port}");
        let mut command = Command::new(program());
        command.args(["manifests", "--only", "webhook", "--service", &service, "--name", namespace]);
        let manifest =
            process::run(command.arg("--ca").arg(ca), "").unwrap_or_else(|error| panic!("{error}"));
        let mut configuration = self.control_plane.objects_of(&manifest).remove(0);
        let ours = json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": [namespace]});
        let selector = &mut configuration["webhooks"][0]["namespaceSelector"]["matchExpressions"];
        selector.as_array_mut().unwrap().push(ours);
        self.control_plane.apply(&configuration);
    }

    /// Creates executors until the webhook's count of something rises; the last one, as it was stored.
    fn executor_when(&self, webhook: &Webhook, namespace: &str, series: &str) -> Value {
        let before = webhook.count(series);
        wait::until(series, wait::LIMIT, || {
            let name = format!("executor-{}", self.control_plane.next_number());
            let pod = self.control_plane.try_create(&pods::executor(&name, 1024, 384), &["-n", namespace])?;
            if webhook.count(series) > before { Ok(pod) } else { Err(webhook.process.tail()) }
        })
    }

    /// Executors are admitted as they are, and the webhook says why it was not asked.
    fn assert_refused(&self, webhook: &Webhook, namespace: &str, reason: &str) {
        let series = format!(r#"spark_swap_clients_refused_total{{reason="{reason}"}}"#);
        let pod = self.executor_when(webhook, namespace, &series);
        assert_eq!(pods::plan(&pod), None);
        assert_eq!(pods::request(&pod), pods::limit(&pod));
        assert!(webhook.process.log().contains(&format!("reason=\"{reason}\"")), "{}", webhook.process.log());
    }

    fn assert_planned(&self, webhook: &Webhook, namespace: &str) {
        let series = r#"spark_swap_reviews_total{outcome="patched",reason="Planned",class="safety-net"}"#;
        let pod = self.executor_when(webhook, namespace, series);
        assert!(pods::plan(&pod).is_some());
    }
}

struct Webhook {
    process: Process,
    admin_port: u16,
}

impl Webhook {
    /// The value of a series; 0 where there is none yet.
    fn count(&self, series: &str) -> u64 {
        let metrics = http::get(self.admin_port, "/metrics").unwrap_or_else(|error| panic!("{error}")).body;
        let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }
}

/// A Secret volume with `ca.crt`, renewed as the kubelet does it.
struct Volume {
    dir: PathBuf,
    version: u32,
}

impl Volume {
    fn new(dir: PathBuf, authorities: &str) -> Self {
        fs::create_dir(&dir).unwrap();
        let mut volume = Self { dir, version: 0 };
        volume.renew(authorities);
        symlink("..data/ca.crt", volume.path()).unwrap();
        volume
    }

    fn path(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    fn renew(&mut self, authorities: &str) {
        self.version += 1;
        let version = format!("..{}", self.version);
        fs::create_dir(self.dir.join(&version)).unwrap();
        fs::write(self.dir.join(&version).join("ca.crt"), authorities).unwrap();
        symlink(&version, self.dir.join("..data_tmp")).unwrap();
        fs::rename(self.dir.join("..data_tmp"), self.dir.join("..data")).unwrap();
    }
}

#[test]
fn the_api_server_gets_in_once_its_authority_is_in_the_file_and_no_process_is_restarted() {
    let cluster = cluster();
    let namespace = cluster.control_plane.namespace("authority", json!({}));
    let other = cluster.certificates.join("other");
    make_certificates(&other, &["nobody"]);
    let other = fs::read_to_string(other.join("client-ca.crt")).unwrap();
    let mut volume = Volume::new(cluster.certificates.join("volume"), &other);
    let webhook = cluster.serve(cluster.ports[0], &namespace, &volume.path(), "kube-apiserver");
    cluster.assert_refused(&webhook, &namespace, "unknown_authority");

    let replaced = r#"spark_swap_client_ca_reloads_total{outcome="replaced"}"#;
    let both = other + &cluster.authority();
    for (times, authorities) in (1..).zip([both, cluster.authority()]) {
        volume.renew(&authorities);
        wait::until("new authority", wait::LIMIT, || {
            if webhook.count(replaced) == times { Ok(()) } else { Err(webhook.process.tail()) }
        });
        cluster.assert_planned(&webhook, &namespace);
    }
}

#[test]
fn an_api_server_of_another_name_is_refused_and_executors_are_admitted_as_they_are() {
    let cluster = cluster();
    let namespace = cluster.control_plane.namespace("name", json!({}));
    let authority = cluster.certificates.join("client-ca.crt");
    let webhook = cluster.serve(cluster.ports[1], &namespace, &authority, "another-apiserver");
    cluster.assert_refused(&webhook, &namespace, "other_name");
}

#[test]
fn an_api_server_that_shows_no_certificate_is_refused_and_executors_are_admitted_as_they_are() {
    let cluster = cluster();
    let namespace = cluster.control_plane.namespace("anonymous", json!({}));
    let authority = cluster.certificates.join("client-ca.crt");
    let webhook = cluster.serve(cluster.ports[2], &namespace, &authority, "kube-apiserver");
    cluster.assert_refused(&webhook, &namespace, "no_certificate");
}
