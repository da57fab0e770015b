//! Service accounts, and kubeconfigs with their rights.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::process;
use crate::webhook::program;

/// Who an installed spark-swap is.
pub(crate) const SPARK_SWAP: &str = "system:serviceaccount:spark-swap:spark-swap";

/// A kubeconfig with the rights that spark-swap is installed with, and no others.
pub(crate) fn least_rights(cluster: &ControlPlane) -> PathBuf {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock();
    let path = cluster.path_of_kubeconfig("spark-swap-spark-swap");
    if path.exists() {
        return path;
    }
    for object in manifests(cluster) {
        cluster.apply(&object);
    }
    kubeconfig(cluster, "spark-swap", "spark-swap")
}

/// The objects of `spark-swap manifests --only rbac`.
pub(crate) fn manifests(cluster: &ControlPlane) -> Vec<Value> {
    let mut command = Command::new(program());
    command.args(["manifests", "--only", "rbac"]);
    let manifests = process::run(&mut command, "").unwrap_or_else(|error| panic!("{command:?}: {error}"));
    cluster.objects_of(&manifests)
}

/// A kubeconfig for a service account that exists.
pub(crate) fn kubeconfig(cluster: &ControlPlane, namespace: &str, name: &str) -> PathBuf {
    let token = cluster.kubectl(&["create", "token", name, "-n", namespace]);
    cluster.write_kubeconfig(&format!("{namespace}-{name}"), json!({"token": token.trim()}))
}
