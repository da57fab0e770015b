//! What a cluster says about a pod that it holds, besides what decisions read.

use serde_json::Value;

/// A pod that is in a cluster, or was captured there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LivePod {
    /// `metadata.creationTimestamp`: when it was decided about.
    pub created: Option<String>,
    /// `status.phase`.
    pub phase: Option<String>,
    /// `status.qosClass`.
    pub qos_class: Option<String>,
    /// `spec.nodeName`.
    pub node: Option<String>,
}

/// In this `status.phase` a pod holds nothing of its node any more.
pub fn has_ended(phase: Option<&str>) -> bool {
    matches!(phase, Some("Succeeded" | "Failed"))
}

impl LivePod {
    /// `None` where the API server did not store the pod yet: then it has no uid.
    pub fn of(pod: &Value) -> Option<Self> {
        let text = |path: &str| {
            let text = pod.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
            text.map(str::to_owned)
        };
        text("/metadata/uid")?;
        Some(Self {
            created: text("/metadata/creationTimestamp"),
            phase: text("/status/phase"),
            qos_class: text("/status/qosClass"),
            node: text("/spec/nodeName"),
        })
    }
}
