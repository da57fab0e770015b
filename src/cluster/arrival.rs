//! Objects as they arrive from the API server, reduced while they are decoded: what no decision reads (managedFields,
//! annotations, images, conditions) is skipped without ever being kept.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DynamicResourceScope;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::allocatable::Allocatable;
use super::objects::Kind;

/// A Node, Namespace, LimitRange or ResourceQuota with what decisions read of it, not understood yet: a thousand times a
/// second a node says what it said before.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Only `name`, `namespace` and `resourceVersion`.
    metadata: ObjectMeta,
    labels: Text,
    spec: Text,
    capacity: Capacity,
    swap: Text,
    allocatable: Text,
}

/// The text of a member; `None` where it is absent or null. Any shape passes: a single odd object must not stop a list.
type Text = Option<Box<RawValue>>;

#[derive(Deserialize)]
struct Wire {
    metadata: Metadata,
    spec: Text,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    labels: Text,
    resource_version: Option<String>,
}

/// Of a Node; other kinds have none of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    capacity: Option<Capacity>,
    allocatable: Text,
    node_info: Option<NodeInfo>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Capacity {
    memory: Text,
    cpu: Text,
    pods: Text,
}

#[derive(Deserialize)]
struct NodeInfo {
    swap: Text,
}

impl Arrival {
    /// The object as [`super::objects::Object::read`] wants it.
    pub fn object(&self) -> Value {
        json!({
            "metadata": {
                "name": self.metadata.name, "namespace": self.metadata.namespace, "labels": value(&self.labels),
            },
            "spec": value(&self.spec),
            "status": {
                "capacity": {"memory": value(&self.capacity.memory)},
                "nodeInfo": {"swap": value(&self.swap)},
            },
        })
    }

    /// What a Node has for pods. No decision reads it, so it is no part of the object.
    pub fn allocatable(&self) -> Allocatable {
        let capacity = json!({"cpu": value(&self.capacity.cpu), "pods": value(&self.capacity.pods)});
        Allocatable::of(&value(&self.allocatable), &capacity)
    }

    /// Differs where [`Self::object`] differs. The API server writes the same object with the same text.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for text in [&self.labels, &self.spec, &self.capacity.memory, &self.swap] {
            text.as_deref().map(RawValue::get).hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl<'de> Deserialize<'de> for Arrival {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { metadata, spec, status } = Wire::deserialize(deserializer)?;
        let Metadata { name, namespace, labels, resource_version } = metadata;
        let (capacity, allocatable, node_info) = status
            .map_or((None, None, None), |status| (status.capacity, status.allocatable, status.node_info));
        let (capacity, swap) = (capacity.unwrap_or_default(), node_info.and_then(|info| info.swap));
        let metadata = ObjectMeta { name, namespace, resource_version, ..ObjectMeta::default() };
        Ok(Self { metadata, labels, spec, capacity, swap, allocatable })
    }
}

fn value(text: &Text) -> Value {
    // A text that was decoded is JSON.
    text.as_ref().and_then(|text| serde_json::from_str(text.get()).ok()).unwrap_or(Value::Null)
}

/// The kind is known to the list or watch that the object is from.
impl Resource for Arrival {
    type DynamicType = Kind;
    type Scope = DynamicResourceScope;

    fn kind(kind: &Kind) -> Cow<'_, str> {
        kind.as_str().into()
    }

    fn group(kind: &Kind) -> Cow<'_, str> {
        kind.api_group().into()
    }

    fn version(kind: &Kind) -> Cow<'_, str> {
        kind.api_version().rsplit('/').next().unwrap_or_default().into()
    }

    fn plural(kind: &Kind) -> Cow<'_, str> {
        kind.plural().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::objects::Object;

    #[test]
    fn of_a_node_only_what_decisions_read_is_kept() {
        let node = json!({
            "metadata": {
                "name": "a", "uid": "1", "resourceVersion": "7", "labels": {"pool": "x"},
                "annotations": {"much": "text"}, "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}],
            },
            "spec": {"taints": [{"key": "t", "effect": "NoSchedule"}]},
            "status": {
                "capacity": {"memory": "64Gi", "cpu": "8"}, "allocatable": {"memory": "60Gi"}, "images": [{"names": ["i"], "sizeBytes": 1}],
                "conditions": [{"type": "Ready"}], "nodeInfo": {"swap": {"capacity": 1024}, "bootID": "b"},
            },
        });
        let arrival: Arrival = serde_json::from_value(node.clone()).unwrap();
        assert_eq!(arrival.metadata.resource_version.as_deref(), Some("7"));
        assert_eq!(
            arrival.object(),
            json!({
                "metadata": {"name": "a", "namespace": null, "labels": {"pool": "x"}},
                "spec": {"taints": [{"key": "t", "effect": "NoSchedule"}]},
                "status": {"capacity": {"memory": "64Gi"}, "nodeInfo": {"swap": {"capacity": 1024}}},
            })
        );
        let for_pods = Allocatable { memory: Some(60 << 30), cpu_millis: Some(8000), pods: None };
        assert_eq!(arrival.allocatable(), for_pods);
        let read = |object| format!("{:?}", Object::read(Kind::Node, object).unwrap());
        assert_eq!(read(&arrival.object()), read(&node));

        let mut heartbeat = node.clone();
        heartbeat["metadata"]["resourceVersion"] = json!("8");
        heartbeat["status"]["conditions"][0]["lastHeartbeatTime"] = json!("now");
        let fingerprint =
            |node: &Value| serde_json::from_value::<Arrival>(node.clone()).unwrap().fingerprint();
        assert_eq!(fingerprint(&heartbeat), arrival.fingerprint());
        for (path, value) in [
            ("/metadata/labels/pool", json!("y")),
            ("/spec/taints/0/effect", json!("NoExecute")),
            ("/status/capacity/memory", json!("32Gi")),
            ("/status/nodeInfo/swap/capacity", json!(2048)),
        ] {
            let mut changed = node.clone();
            *changed.pointer_mut(path).unwrap() = value;
            assert_ne!(fingerprint(&changed), arrival.fingerprint(), "{path}");
        }
    }

    #[test]
    fn an_odd_object_is_passed_on_and_not_an_error_of_its_list() {
        for odd in [
            json!({"metadata": {}}),
            json!({"metadata": {"name": "a"}, "spec": 5, "status": null}),
            json!({"metadata": {"name": "a", "labels": null}, "status": {"capacity": null, "nodeInfo": null}}),
            json!({"metadata": {"name": "a"}, "status": {"capacity": {"memory": 5}, "nodeInfo": {"swap": "x"}}}),
        ] {
            serde_json::from_value::<Arrival>(odd.clone()).unwrap_or_else(|error| panic!("{odd}: {error}"));
        }
    }
}
