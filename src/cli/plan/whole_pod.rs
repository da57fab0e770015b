//! What the scheduler counts of a pod besides its containers. Mirrors `PodRequests` of
//! `k8s.io/component-helpers/resource/helpers.go`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fit::PodRequest;
use crate::cluster::allocatable::millis;
use crate::sizing::field_values::quantity;
use crate::sizing::quantity::Quantity;

/// What a pod asks for as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WholePod {
    /// `spec.resources.requests`: these count in place of the sum of the containers.
    requests: Amounts,
    /// `spec.overhead`: what its RuntimeClass adds.
    overhead: Amounts,
    /// Resources that its containers ask for and nobody counts here, such as `nvidia.com/gpu`.
    pub further: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amounts {
    memory: Option<u64>,
    cpu_millis: Option<u64>,
}

const COUNTED: [&str; 2] = ["memory", "cpu"];

impl WholePod {
    /// Of a pod as the API server has it. What cannot be read is not counted.
    pub fn of(pod: &Value) -> Self {
        let spec = pod.get("spec").unwrap_or(&Value::Null);
        let containers = spec.get("containers").and_then(Value::as_array).into_iter().flatten();
        let lists = containers.flat_map(|container| {
            ["/resources/requests", "/resources/limits"].map(|path| container.pointer(path))
        });
        let names = lists.flatten().filter_map(Value::as_object).flatten().map(|(name, _)| name);
        Self {
            requests: Amounts::of(spec.pointer("/resources/requests")),
            overhead: Amounts::of(spec.get("overhead")),
            further: names.filter(|name| !COUNTED.contains(&name.as_str())).cloned().collect(),
        }
    }

    /// What is reserved for the pod, whose containers ask for this.
    pub fn reserved(&self, containers: PodRequest) -> PodRequest {
        let total = |pod: Option<u64>, containers: u64, overhead: Option<u64>| {
            pod.unwrap_or(containers).saturating_add(overhead.unwrap_or(0))
        };
        PodRequest {
            memory: total(self.requests.memory, containers.memory, self.overhead.memory),
            cpu_millis: total(self.requests.cpu_millis, containers.cpu_millis, self.overhead.cpu_millis),
        }
    }
}

impl Amounts {
    fn of(list: Option<&Value>) -> Self {
        let amount = |name| list.and_then(|list| quantity(list.get(name)?).ok());
        Self {
            memory: amount("memory").and_then(Quantity::bytes),
            cpu_millis: amount("cpu").and_then(millis),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reserved(spec: &Value) -> (u64, u64) {
        let reserved =
            WholePod::of(&json!({ "spec": spec })).reserved(PodRequest { memory: 9, cpu_millis: 1000 });
        (reserved.memory, reserved.cpu_millis)
    }

    #[test]
    fn overhead_is_added_to_what_the_pod_or_else_its_containers_ask_for() {
        assert_eq!(reserved(&json!({})), (9, 1000));
        assert_eq!(reserved(&json!({"overhead": {"memory": "2", "cpu": "250m"}})), (11, 1250));
        let pod = json!({"requests": {"memory": "20"}, "limits": {"cpu": "8"}});
        assert_eq!(reserved(&json!({ "resources": pod })), (20, 1000));
        assert_eq!(reserved(&json!({"resources": pod, "overhead": {"memory": 2}})), (22, 1000));
    }

    #[test]
    fn what_is_not_counted_is_named() {
        let container = json!({"resources": {
            "requests": {"memory": "1", "cpu": "1", "ephemeral-storage": "1"}, "limits": {"nvidia.com/gpu": 1}}});
        let pod = WholePod::of(&json!({"spec": {"containers": [container, {}]}}));
        assert_eq!(pod.further.into_iter().collect::<Vec<_>>(), ["ephemeral-storage", "nvidia.com/gpu"]);
    }
}
