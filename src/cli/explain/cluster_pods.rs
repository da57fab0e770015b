//! `explain POD`: pods of the cluster by name.

use anyhow::ensure;

use crate::cli::pod_input::Input;
use crate::cluster::connection::Cluster;
use crate::cluster::snapshot;

/// Reads the pods, in the namespace of the flag or of the kubeconfig's context.
///
/// # Errors
/// Pods that are not there or may not be read, a line each.
pub async fn read(cluster: &Cluster, names: &[String], namespace: Option<&str>) -> anyhow::Result<Input> {
    let namespace = namespace.unwrap_or(&cluster.namespace);
    let mut input = Input::new(Some(namespace));
    input.is_list = names.len() > 1;
    for name in names {
        match snapshot::pod(&cluster.client, namespace, name).await {
            Ok(pod) => input.add_live(&pod),
            Err(error) => input.problems.push(error.to_string()),
        }
    }
    ensure!(input.problems.is_empty(), input.problems.join("\n"));
    Ok(input)
}
