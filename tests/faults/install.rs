//! The installation in the cluster: what spark-swap may do, its Service, and the webhook configuration that names it.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::json;

use crate::api::Api;
use crate::classes;
use crate::control_plane::ControlPlane;
use crate::creates;
use crate::process;
use crate::service_account::least_rights;
use crate::wait;
use crate::webhook::program;

/// Not 443, on which not everybody may listen.
const PORT: u16 = 8443;

/// As the API server calls it.
pub(crate) const HOST: &str = "spark-swap.spark-swap.svc";

/// Installs all but the webhook configuration, and returns the address of the Service.
pub(crate) fn install(cluster: &ControlPlane) -> SocketAddr {
    classes::swap_class_crd(cluster);
    least_rights(cluster);
    let service = cluster.apply(&json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "spark-swap", "namespace": "spark-swap"},
        "spec": {"ports": [{"name": "https", "port": PORT}]},
    }));
    let address = service["spec"]["clusterIP"].as_str().unwrap();
    SocketAddr::new(address.parse().unwrap(), PORT)
}

/// Installs the webhook configuration that our manifests print, with an authority (PEM) or without one.
pub(crate) fn register(cluster: &ControlPlane, ca: Option<&str>) {
    let mut command = Command::new(program());
    command.args(["manifests", "--only", "webhook", "--service", &format!("spark-swap/spark-swap:{PORT}")]);
    if let Some(ca) = ca {
        let path = cluster.dir().join("installed-ca.crt");
        fs::write(&path, ca).unwrap();
        command.arg("--ca").arg(path);
    }
    let manifest = process::run(&mut command, "").unwrap_or_else(|error| panic!("{command:?}: {error}"));
    for object in cluster.objects_of(&manifest) {
        cluster.apply(&object);
    }
}

/// Takes the webhook configuration away.
pub(crate) fn unregister(cluster: &ControlPlane) {
    cluster.kubectl(&["delete", "mutatingwebhookconfiguration", "spark-swap"]);
}

/// Waits until executors of a namespace come out mutated.
pub(crate) fn wait_until_called(api: &Api, namespace: &str) {
    let path = format!("/api/v1/namespaces/{namespace}/pods?dryRun=All");
    wait::until("mutation", wait::LIMIT, || {
        let pod = api.create(&path, &creates::executor("probe"))?;
        if creates::is_mutated(&pod) { Ok(()) } else { Err("it came out unmutated".to_owned()) }
    });
}
