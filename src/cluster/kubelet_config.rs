//! What a kubelet's configuration says about swap: read from its `/configz` through the API server.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Client;
use kube::core::Request;
use serde::Deserialize;
use tokio::time::timeout;

use super::connection::cause;

/// The part of a `KubeletConfiguration` that decides about swap.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeletConfig {
    memory_swap: MemorySwap,
    /// `failSwapOn`: the kubelet does not start where swap is on.
    pub fail_swap_on: bool,
    feature_gates: BTreeMap<String, bool>,
    container_runtime_endpoint: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MemorySwap {
    swap_behavior: String,
}

/// What a kubelet does that is not told otherwise.
impl Default for KubeletConfig {
    fn default() -> Self {
        Self {
            memory_swap: MemorySwap::default(),
            fail_swap_on: true,
            feature_gates: BTreeMap::new(),
            container_runtime_endpoint: String::new(),
        }
    }
}

/// Why nothing is known about a kubelet's configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The user may not ask: neither this kubelet nor, most likely, any other.
    #[error("{0}")]
    Forbidden(String),
    /// The kubelet did not answer, or something else than its configuration.
    #[error("{0}")]
    NoAnswer(String),
}

/// A kubelet that takes longer is as good as away.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks a node's kubelet, with the rights of the client: `get` on `nodes/proxy`.
///
/// # Errors
/// The user may not, or the kubelet does not answer.
pub async fn ask(client: &Client, node: &str) -> Result<KubeletConfig, Unanswered> {
    let request = Request::new("/api/v1/nodes")
        .get_subresource("proxy/configz", node)
        .map_err(|error| Unanswered::NoAnswer(error.to_string()))?;
    let Ok(answer) = timeout(ANSWER_TIMEOUT, client.request_text(request)).await else {
        return Err(Unanswered::NoAnswer(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs())));
    };
    match answer {
        Ok(configz) => KubeletConfig::from_configz(&configz).map_err(Unanswered::NoAnswer),
        // The API server says whom it forbids what; a kubelet that turns the API server away does not.
        Err(kube::Error::Api(status)) if status.is_forbidden() && status.details.is_some() => {
            Err(Unanswered::Forbidden(status.message))
        }
        Err(error) => Err(Unanswered::NoAnswer(cause(&error))),
    }
}

impl KubeletConfig {
    /// Reads the answer of `/configz`.
    ///
    /// # Errors
    /// It is not that of a kubelet.
    pub fn from_configz(configz: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Configz {
            kubeletconfig: KubeletConfig,
        }
        let read = serde_json::from_str(configz);
        read.map(|Configz { kubeletconfig }| kubeletconfig)
            .map_err(|error| format!("/configz is not that of a kubelet: {error}"))
    }

    /// `memorySwap.swapBehavior`: `NoSwap` where it is not set.
    pub fn swap_behavior(&self) -> &str {
        match self.memory_swap.swap_behavior.as_str() {
            "" => "NoSwap",
            behavior => behavior,
        }
    }

    /// Burstable containers are to get swap by the kubelet's formula.
    pub fn is_limited_swap(&self) -> bool {
        self.swap_behavior() == "LimitedSwap"
    }

    /// The feature gate `NodeSwap`, which is on by default, is switched off.
    pub fn is_gated_off(&self) -> bool {
        self.feature_gates.get("NodeSwap") == Some(&false)
    }

    /// The container runtime is Docker Engine behind cri-dockerd, which knows nothing of the kubelet's swap limits.
    pub fn is_docker(&self) -> bool {
        self.container_runtime_endpoint.contains("dockerd")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configz(config: &str) -> KubeletConfig {
        KubeletConfig::from_configz(&format!(r#"{{"kubeletconfig": {config}}}"#)).unwrap()
    }

    #[test]
    fn a_kubelet_that_is_not_told_otherwise_has_no_swap() {
        let config = configz(r#"{"kind": "KubeletConfiguration", "memorySwap": {}}"#);
        assert_eq!((config.swap_behavior(), config.fail_swap_on), ("NoSwap", true));
        assert!(!config.is_limited_swap() && !config.is_gated_off() && !config.is_docker());
        assert_eq!(config, configz("{}"));
    }

    #[test]
    fn the_settings_about_swap_are_read() {
        let config = configz(
            r#"{"memorySwap": {"swapBehavior": "LimitedSwap"}, "failSwapOn": false, "maxPods": 110,
                "featureGates": {"NodeSwap": false, "Other": true},
                "containerRuntimeEndpoint": "unix:///run/cri-dockerd.sock"}"#,
        );
        assert!(
            config.is_limited_swap() && !config.fail_swap_on && config.is_gated_off() && config.is_docker()
        );
    }

    #[test]
    fn another_answer_is_not_understood() {
        for answer in ["", "404 page not found", "{}", r#"{"kubeproxyconfig": {}}"#] {
            let problem = KubeletConfig::from_configz(answer).unwrap_err();
            assert!(problem.starts_with("/configz is not that of a kubelet: "), "{problem}");
        }
    }
}
