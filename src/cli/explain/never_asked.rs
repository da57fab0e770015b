//! Where the API server never asks the webhook, whatever it would decide.

use crate::cluster::webhook_entry::NEVER_ASKED;
use crate::sizing::state::{CLASS_LABEL, OPT_OUT, State};

/// Why nobody asks about the pods of a namespace, where the webhook is installed as `spark-swap manifests` prints it. Its
/// own namespace, which is left out too, is not known here.
pub fn note(namespace: &str, state: &State) -> Option<String> {
    let class = state.namespace(namespace).and_then(|facts| facts.class.as_deref());
    let cause = if class == Some(OPT_OUT) {
        format!("which has the label {CLASS_LABEL}={OPT_OUT}")
    } else if NEVER_ASKED.contains(&namespace) {
        "which the webhook configuration leaves out".to_owned()
    } else {
        return None;
    };
    Some(format!(
        "In a cluster nothing of this happens: the webhook is not asked about pods of namespace {namespace}, {cause}"
    ))
}
