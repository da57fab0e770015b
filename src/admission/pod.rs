//! The part of a pod that decisions read, borrowed from the JSON. Everything else is skipped without allocation.
//!
//! `Option` tells present from absent, because a patch replaces the one and adds the other; JSON null counts as absent.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::object::{object, objects};
use super::text::{Scalar, Text, TextMap};

/// A pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pod<'a> {
    /// `metadata`.
    #[serde(borrow, deserialize_with = "object")]
    pub metadata: Option<Metadata<'a>>,
    /// `spec`.
    #[serde(borrow, deserialize_with = "object")]
    pub spec: Option<Spec<'a>>,
}

/// `metadata`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// `name`.
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// `generateName`.
    #[serde(borrow)]
    pub generate_name: Option<Text<'a>>,
    /// `namespace`.
    #[serde(borrow)]
    pub namespace: Option<Text<'a>>,
    /// `labels`.
    #[serde(borrow)]
    pub labels: Option<TextMap<'a>>,
    /// `annotations`.
    #[serde(borrow)]
    pub annotations: Option<TextMap<'a>>,
    /// `ownerReferences`.
    #[serde(borrow, deserialize_with = "objects")]
    pub owner_references: Option<Vec<OwnerReference<'a>>>,
}

/// One of `ownerReferences`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OwnerReference<'a> {
    /// `apiVersion`.
    #[serde(borrow)]
    pub api_version: Text<'a>,
    /// `kind`.
    #[serde(borrow)]
    pub kind: Text<'a>,
    /// `name`.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// `uid`.
    #[serde(borrow)]
    pub uid: Text<'a>,
    /// `controller`.
    pub controller: Option<bool>,
}

/// `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Spec<'a> {
    /// `nodeName`.
    #[serde(borrow)]
    pub node_name: Option<Text<'a>>,
    /// `nodeSelector`.
    #[serde(borrow)]
    pub node_selector: Option<TextMap<'a>>,
    /// `affinity`.
    #[serde(borrow, deserialize_with = "object")]
    pub affinity: Option<Affinity<'a>>,
    /// `tolerations`.
    #[serde(borrow, deserialize_with = "objects")]
    pub tolerations: Option<Vec<WireToleration<'a>>>,
    /// `containers`.
    #[serde(borrow, deserialize_with = "objects")]
    pub containers: Option<Vec<Container<'a>>>,
    /// `initContainers`.
    #[serde(borrow, deserialize_with = "objects")]
    pub init_containers: Option<Vec<Container<'a>>>,
    /// `volumes`.
    #[serde(borrow, deserialize_with = "objects")]
    pub volumes: Option<Vec<Volume<'a>>>,
    /// `priority`.
    pub priority: Option<i64>,
    /// `priorityClassName`.
    #[serde(borrow)]
    pub priority_class_name: Option<Text<'a>>,
    /// `runtimeClassName`.
    #[serde(borrow)]
    pub runtime_class_name: Option<Text<'a>>,
    /// `resources`: pod-level resources.
    #[serde(borrow, deserialize_with = "object")]
    pub resources: Option<Resources<'a>>,
}

/// `spec.affinity`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Affinity<'a> {
    /// `nodeAffinity`.
    #[serde(borrow, deserialize_with = "object")]
    pub node_affinity: Option<NodeAffinity<'a>>,
}

/// `spec.affinity.nodeAffinity`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeAffinity<'a> {
    /// `requiredDuringSchedulingIgnoredDuringExecution`.
    #[serde(borrow, rename = "requiredDuringSchedulingIgnoredDuringExecution", deserialize_with = "object")]
    pub required: Option<NodeSelector<'a>>,
}

/// A node selector.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeSelector<'a> {
    /// `nodeSelectorTerms`.
    #[serde(borrow, deserialize_with = "objects")]
    pub node_selector_terms: Option<Vec<WireTerm<'a>>>,
}

/// One node selector term.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WireTerm<'a> {
    /// `matchExpressions`.
    #[serde(borrow, deserialize_with = "objects")]
    pub match_expressions: Option<Vec<WireRequirement<'a>>>,
    /// `matchFields`.
    #[serde(borrow, deserialize_with = "objects")]
    pub match_fields: Option<Vec<WireRequirement<'a>>>,
}

/// One requirement of a term.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WireRequirement<'a> {
    /// `key`.
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    /// `operator`.
    #[serde(borrow)]
    pub operator: Option<Text<'a>>,
    /// `values`.
    #[serde(borrow)]
    pub values: Option<Vec<Text<'a>>>,
}

/// A toleration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WireToleration<'a> {
    /// `key`.
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    /// `operator`.
    #[serde(borrow)]
    pub operator: Option<Text<'a>>,
    /// `value`.
    #[serde(borrow)]
    pub value: Option<Text<'a>>,
    /// `effect`.
    #[serde(borrow)]
    pub effect: Option<Text<'a>>,
    /// `tolerationSeconds`.
    pub toleration_seconds: Option<i64>,
}

/// A container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Container<'a> {
    /// `name`.
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// `args`.
    #[serde(borrow)]
    pub args: Option<Vec<Text<'a>>>,
    /// `env`.
    #[serde(borrow, deserialize_with = "objects")]
    pub env: Option<Vec<EnvVar<'a>>>,
    /// `resources`.
    #[serde(borrow, deserialize_with = "object")]
    pub resources: Option<Resources<'a>>,
    /// `volumeMounts`.
    #[serde(borrow, deserialize_with = "objects")]
    pub volume_mounts: Option<Vec<VolumeMount<'a>>>,
    /// `restartPolicy`: `Always` on an init container makes it a sidecar.
    #[serde(borrow)]
    pub restart_policy: Option<Text<'a>>,
}

/// An environment variable. Its value may be a secret: it is never logged, and `Debug` does not show it.
#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvVar<'a> {
    /// `name`.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// `value`.
    #[serde(borrow)]
    pub value: Option<Text<'a>>,
    /// `valueFrom` is set.
    pub value_from: Option<IgnoredAny>,
}

/// `resources` of a container or a pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Resources<'a> {
    /// `requests`.
    #[serde(borrow)]
    pub requests: Option<TextMap<'a>>,
    /// `limits`.
    #[serde(borrow)]
    pub limits: Option<TextMap<'a>>,
}

/// A volume mount.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct VolumeMount<'a> {
    /// `name` of the volume.
    #[serde(borrow)]
    pub name: Text<'a>,
}

/// A volume.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Volume<'a> {
    /// `name`.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// `emptyDir`.
    #[serde(borrow, deserialize_with = "object")]
    pub empty_dir: Option<EmptyDir<'a>>,
}

/// `emptyDir`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EmptyDir<'a> {
    /// `medium`.
    #[serde(borrow)]
    pub medium: Option<Text<'a>>,
    /// `sizeLimit`.
    #[serde(borrow)]
    pub size_limit: Option<Scalar<'a>>,
}

impl std::fmt::Debug for EnvVar<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EnvVar").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Pod<'_> {
    /// A label of the pod.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.metadata.as_ref()?.labels.as_ref()?.get(key)
    }

    /// An annotation of the pod.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.as_ref()?.annotations.as_ref()?.get(key)
    }

    /// The pod's controller, else its first owner; `None` where it has none, or one that is not named.
    pub fn owner(&self) -> Option<&OwnerReference<'_>> {
        let owners = self.metadata.as_ref()?.owner_references.as_deref()?;
        let controller = owners.iter().find(|owner| owner.controller == Some(true));
        controller.or_else(|| owners.first()).filter(|owner| owner.is_named())
    }
}

impl OwnerReference<'_> {
    fn is_named(&self) -> bool {
        [&self.api_version, &self.kind, &self.name, &self.uid].iter().all(|text| !text.as_str().is_empty())
    }
}

impl<'a> Spec<'a> {
    /// The app containers.
    pub fn containers(&self) -> &[Container<'a>] {
        self.containers.as_deref().unwrap_or_default()
    }
}

impl<'a> Container<'a> {
    /// The environment.
    pub fn env(&self) -> &[EnvVar<'a>] {
        self.env.as_deref().unwrap_or_default()
    }

    /// The last variable of this name with its place: the one that counts when the container starts.
    pub fn last_env(&self, name: &str) -> Option<(usize, &EnvVar<'a>)> {
        self.env().iter().enumerate().rev().find(|(_, variable)| variable.name.as_str() == name)
    }

    /// A request or limit as written.
    pub fn request(&self, resource: &str) -> Option<&str> {
        self.resources.as_ref()?.requests.as_ref()?.get(resource)
    }

    /// A limit as written.
    pub fn limit(&self, resource: &str) -> Option<&str> {
        self.resources.as_ref()?.limits.as_ref()?.get(resource)
    }
}

impl EnvVar<'_> {
    /// The value when it is written in the pod; `None` when it comes from elsewhere.
    pub fn literal(&self) -> Option<&str> {
        if self.value_from.is_some() {
            return None;
        }
        Some(self.value.as_ref().map_or("", Text::as_str))
    }
}
