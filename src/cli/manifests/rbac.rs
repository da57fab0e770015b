//! What spark-swap may do in a cluster: `manifests/base/rbac.yaml`, in the namespace of the installation.

use serde_json::Value;

use super::target::DEFAULT_NAME;
use crate::cli::Failure;
use crate::cluster::documents::parse_documents;

const MANIFEST: &str = include_str!("../../../manifests/base/rbac.yaml");

/// The manifest with its comments. In quotes, for a namespace may be called `5` or `no`.
pub(super) fn manifest(namespace: &str) -> String {
    MANIFEST
        // The first name is that of the Namespace itself.
        .replacen(&format!("  name: {DEFAULT_NAME}\n"), &format!("  name: \"{namespace}\"\n"), 1)
        .replace(&format!("namespace: {DEFAULT_NAME}\n"), &format!("namespace: \"{namespace}\"\n"))
}

pub(super) fn objects(namespace: &str) -> Result<Vec<Value>, Failure> {
    parse_documents(&manifest(namespace)).map_err(|error| Failure::bad_input("rbac.yaml", error))
}
