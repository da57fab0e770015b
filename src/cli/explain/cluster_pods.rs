//! `explain POD`: pods of the cluster by name.

use crate::cli::pod_input::Input;
use crate::cluster::connection::Cluster;
use crate::cluster::snapshot;
use crate::sizing::label_syntax::check_dns_subdomain;

use anyhow::ensure;

/// Reads `NAME` or `pod/NAME`.
///
/// # Errors
/// What is wrong with it and how to write it.
pub fn pod_name(text: &str) -> Result<String, String> {
    let name = match text.split_once('/') {
        Some(("pod" | "pods" | "po", name)) => name,
        Some((kind, _)) => return Err(format!("{kind:?} is no pod; write NAME or pod/NAME")),
        None => text,
    };
    check_dns_subdomain(name).map_err(|problem| format!("{name:?} {problem}"))?;
    Ok(name.to_owned())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_named_as_for_kubectl() {
        for text in ["job-exec-1", "pod/job-exec-1", "pods/job-exec-1", "po/job-exec-1"] {
            assert_eq!(pod_name(text).as_deref(), Ok("job-exec-1"));
        }
        for (text, problem) in [
            ("deployment/etl", "\"deployment\" is no pod; write NAME or pod/NAME"),
            ("a/b/c", "\"a\" is no pod"),
            ("pod/a/b", "\"a/b\" is not lower-case letters"),
            ("", "\"\" is"),
        ] {
            let error = pod_name(text).unwrap_err();
            assert!(error.starts_with(problem), "{text}: {error}");
        }
    }
}
