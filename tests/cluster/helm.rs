//! The real helm, and our chart.

use std::path::Path;
use std::process::Command;

use crate::control_plane::ControlPlane;
use crate::{parts, process};

/// Where the chart is.
pub(crate) const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/chart");

impl ControlPlane {
    /// What helm prints.
    pub(crate) fn helm(&self, arguments: &[&str]) -> String {
        let mut command = command(self.dir());
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(arguments);
        process::run(&mut command, "").unwrap_or_else(|error| panic!("helm {}: {error}", arguments.join(" ")))
    }
}

/// What the chart renders in a namespace, or why it does not.
pub(crate) fn template(namespace: &str, values: &[&str]) -> Result<String, String> {
    let mut command = command(&parts::work_dir());
    command.args(["template", "spark-swap", CHART, "--namespace", namespace]).args(values);
    process::run(&mut command, "")
}

/// helm without the user's configuration and caches.
fn command(home: &Path) -> Command {
    let mut command = Command::new(parts::helm_binary());
    command.env("HOME", home).env_remove("KUBECONFIG");
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(name, home.join("helm"));
    }
    command
}
