//! Objects as they arrive from the API server, reduced while they are decoded: what no decision reads (managedFields,
//! annotations, images, conditions) is skipped without ever being kept.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DynamicResourceScope;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::allocatable::{Allocatable, Amounts};
use super::objects::Kind;

/// A Node, Namespace, LimitRange or ResourceQuota with what decisions read of it.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Only `name`, `namespace` and `resourceVersion`.
    metadata: ObjectMeta,
    /// As [`super::objects::Object::read`] wants it.
    pub object: Value,
    /// What a Node has for pods. No decision reads it: it goes where the arrival goes.
    pub allocatable: Allocatable,
}

/// What is decoded. Values of any shape pass: a single odd object must not stop a whole list.
#[derive(Deserialize)]
struct Wire {
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    #[serde(default)]
    labels: Value,
    resource_version: Option<String>,
}

/// Of a Node; other kinds have none of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    capacity: Option<Amounts>,
    allocatable: Option<Amounts>,
    node_info: Option<NodeInfo>,
}

#[derive(Deserialize)]
struct NodeInfo {
    #[serde(default)]
    swap: Value,
}

impl<'de> Deserialize<'de> for Arrival {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { metadata, spec, status } = Wire::deserialize(deserializer)?;
        let Metadata { name, namespace, labels, resource_version } = metadata;
        let (capacity, for_pods, node_info) = status
            .map_or((None, None, None), |status| (status.capacity, status.allocatable, status.node_info));
        let capacity = capacity.unwrap_or_default();
        let allocatable = Allocatable::of(&for_pods.unwrap_or_default(), &capacity);
        // Moved, not serialized again: this happens a thousand times a second where nodes are many.
        let object = object([
            (
                "metadata",
                object([
                    ("name", name.clone().map_or(Value::Null, Value::String)),
                    ("namespace", namespace.clone().map_or(Value::Null, Value::String)),
                    ("labels", labels),
                ]),
            ),
            ("spec", spec),
            (
                "status",
                object([
                    ("capacity", object([("memory", capacity.memory)])),
                    ("nodeInfo", object([("swap", node_info.map_or(Value::Null, |info| info.swap))])),
                ]),
            ),
        ]);
        let metadata = ObjectMeta { name, namespace, resource_version, ..ObjectMeta::default() };
        Ok(Self { metadata, object, allocatable })
    }
}

/// The members that are there; an empty object counts as absent.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let present = members.into_iter().filter(|(_, value)| !value.is_null());
    let members: Map<String, Value> = present.map(|(name, value)| (name.to_owned(), value)).collect();
    if members.is_empty() { Value::Null } else { Value::Object(members) }
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
            arrival.object,
            json!({
                "metadata": {"name": "a", "labels": {"pool": "x"}},
                "spec": {"taints": [{"key": "t", "effect": "NoSchedule"}]},
                "status": {"capacity": {"memory": "64Gi"}, "nodeInfo": {"swap": {"capacity": 1024}}},
            })
        );
        let for_pods = Allocatable { memory: Some(60 << 30), cpu_millis: Some(8000), pods: None };
        assert_eq!(arrival.allocatable, for_pods);
        let read = |object| format!("{:?}", Object::read(Kind::Node, object).unwrap());
        assert_eq!(read(&arrival.object), read(&node));
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
