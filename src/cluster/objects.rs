//! JSON objects as kubectl prints them, reduced to what decisions read: SwapClass, Node, Namespace, LimitRange,
//! ResourceQuota, and lists of them. Other kinds are passed over, so that a directory may hold other manifests too.

use serde_json::Value;

use crate::sizing::class::SwapClass;
use crate::sizing::field_values::{bytes, integer, quantity, text};
use crate::sizing::fields::{Fields, Listed, Problem, describe, read_object};
use crate::sizing::labels::Labels;
use crate::sizing::limit_range::{LimitRange, LimitRangeItem};
use crate::sizing::nodes::Node;
use crate::sizing::placement::Taint;
use crate::sizing::state::{Namespace, ResourceQuota, StateParts};
use crate::vocabulary::vocabulary;

vocabulary! {
    /// The kinds that make up the state.
    Kind {
        SwapClass => "The policy an executor is admitted under.",
        Node => "Memory, swap, labels and taints of a node.",
        Namespace => "The labels of a namespace.",
        LimitRange => "Bounds on requests and limits in a namespace.",
        ResourceQuota => "The resources a namespace's quota counts.",
    }
}

/// An object of the state, reduced.
#[derive(Clone, Debug)]
pub enum Object {
    /// A SwapClass.
    SwapClass(Box<SwapClass>),
    /// A Node.
    Node(Node),
    /// A Namespace.
    Namespace(Namespace),
    /// A LimitRange.
    LimitRange(LimitRange),
    /// A ResourceQuota.
    ResourceQuota(ResourceQuota),
}

/// What an object is called; unique in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// `kind`.
    pub kind: Kind,
    /// `metadata.namespace`, `default` when absent; `None` for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
}

/// What was found in a document: an object, or what is wrong with it.
#[derive(Clone, Debug)]
pub struct Found {
    /// `None` when the object has no name.
    pub identity: Option<Identity>,
    /// For messages: the name, with the namespace before it where there is one; else where in the document it is.
    pub name: String,
    /// The object, or every problem of it.
    pub object: Result<Object, Vec<Problem>>,
}

/// Reads a document that holds an object or a list of objects. `place` names it in messages, such as `document 2`.
pub fn read_document(document: &Value, place: &str) -> Vec<Found> {
    let mut found = Vec::new();
    read_any(document, ItemType::default(), place, &mut found);
    found
}

impl Kind {
    /// The `apiVersion` this kind is read in.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::SwapClass => "spark-swap.io/v1alpha1",
            Self::Node | Self::Namespace | Self::LimitRange | Self::ResourceQuota => "v1",
        }
    }

    /// The API group; empty for core kinds.
    pub fn api_group(self) -> &'static str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    /// The kind in URLs and RBAC rules.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::SwapClass => "swapclasses",
            Self::Node => "nodes",
            Self::Namespace => "namespaces",
            Self::LimitRange => "limitranges",
            Self::ResourceQuota => "resourcequotas",
        }
    }

    /// Objects of this kind live in namespaces.
    pub const fn is_namespaced(self) -> bool {
        matches!(self, Self::LimitRange | Self::ResourceQuota)
    }
}

impl Object {
    /// Reduces an object of this kind; its `kind` and `apiVersion` are not looked at.
    ///
    /// # Errors
    /// Every problem, with its path.
    pub fn read(kind: Kind, object: &Value) -> Result<Self, Vec<Problem>> {
        match kind {
            Kind::SwapClass => SwapClass::from_object(object).map(Box::new).map(Self::SwapClass),
            Kind::Node => read_object(object, read_node).map(Self::Node),
            Kind::Namespace => read_object(object, read_namespace).map(Self::Namespace),
            Kind::LimitRange => read_object(object, read_limit_range).map(Self::LimitRange),
            Kind::ResourceQuota => read_object(object, read_quota).map(Self::ResourceQuota),
        }
    }

    /// Adds the object to the parts of a state.
    pub fn add_to(self, parts: &mut StateParts) {
        match self {
            Self::SwapClass(class) => parts.classes.push(*class),
            Self::Node(node) => parts.nodes.push(node),
            Self::Namespace(namespace) => parts.namespaces.push(namespace),
            Self::LimitRange(range) => parts.limit_ranges.push(range),
            Self::ResourceQuota(quota) => parts.quotas.push(quota),
        }
    }
}

impl Found {
    fn problem(name: &str, path: &str, problem: String) -> Self {
        let problem = Problem { path: path.to_owned(), problem };
        Self { identity: None, name: name.to_owned(), object: Err(vec![problem]) }
    }
}

/// What the items of a typed list (`NodeList`) may leave out.
#[derive(Clone, Copy, Default)]
struct ItemType<'a> {
    kind: Option<&'a str>,
    version: Option<&'a str>,
}

fn read_any(value: &Value, item_type: ItemType<'_>, place: &str, found: &mut Vec<Found>) {
    let member = |name: &str| value.get(name).and_then(Value::as_str);
    let Some(kind) = member("kind").or(item_type.kind) else {
        let problem = match value {
            Value::Object(_) => {
                "is missing or not a string: every object needs a kind and an apiVersion".to_owned()
            }
            _ => format!("expected an object, found {}", describe(value)),
        };
        let path = if value.is_object() { "kind" } else { "" };
        return found.push(Found::problem(place, path, problem));
    };
    let version = member("apiVersion").or(item_type.version);
    if kind.ends_with("List") && (kind == "List" || value.get("items").is_some()) {
        return read_list(value, kind, version, place, found);
    }
    let known = |candidate: &Kind| candidate.as_str() == kind;
    let Some(known) = Kind::ALL.iter().copied().find(known) else {
        let name = name_of(value).unwrap_or(place);
        return found
            .extend(nearly_known(kind, version).map(|problem| Found::problem(name, "kind", problem)));
    };
    let identity = name_of(value).map(|name| Identity {
        kind: known,
        namespace: known.is_namespaced().then(|| namespace_of(value).to_owned()),
        name: name.to_owned(),
    });
    let object = if version == Some(known.api_version()) {
        Object::read(known, value)
    } else {
        let found =
            version.map_or_else(|| "is missing".to_owned(), |version| format!("{version} is not read"));
        let problem = format!("{found}; {known} needs {}", known.api_version());
        Err(vec![Problem { path: "apiVersion".to_owned(), problem }])
    };
    let name = identity.as_ref().map_or_else(|| place.to_owned(), Identity::to_string);
    found.push(Found { identity, name, object });
}

fn read_list(value: &Value, kind: &str, version: Option<&str>, place: &str, found: &mut Vec<Found>) {
    let item_type = match kind.strip_suffix("List") {
        None | Some("") => ItemType::default(),
        kind => ItemType { kind, version },
    };
    match value.get("items") {
        Some(Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                read_any(item, item_type, &format!("{place}, items[{index}]"), found);
            }
        }
        None | Some(Value::Null) => {}
        Some(other) => {
            let problem = format!("expected a list, found {}", describe(other));
            found.push(Found::problem(place, "items", problem));
        }
    }
}

/// Kinds that are passed over in silence must not include a misspelt one.
fn nearly_known(kind: &str, version: Option<&str>) -> Option<String> {
    match Kind::ALL.iter().find(|known| known.as_str().eq_ignore_ascii_case(kind)) {
        Some(known) => Some(format!("{kind} is not a kind; did you mean {known}?")),
        None if version.is_some_and(|version| version.starts_with("spark-swap.io/")) => {
            Some(format!("{kind} is not a kind of spark-swap.io; did you mean {}?", Kind::SwapClass))
        }
        None => None,
    }
}

fn name_of(object: &Value) -> Option<&str> {
    object.get("metadata")?.get("name")?.as_str()
}

fn namespace_of(object: &Value) -> &str {
    let namespace = object.get("metadata").and_then(|metadata| metadata.get("namespace"));
    namespace.and_then(Value::as_str).filter(|namespace| !namespace.is_empty()).unwrap_or("default")
}

fn read_node(node: &mut Fields<'_>) -> Result<Node, Listed> {
    let metadata = node.object("metadata", |metadata| {
        let name = metadata.required("name", name);
        let labels = metadata.map("labels", |_, value| text(value).map(str::to_owned));
        Ok((name?, Labels::from_iter(labels?)))
    });
    let taints = node.object("spec", |spec| {
        spec.list("taints", |taint| {
            let key = taint.required("key", name);
            let value = taint.read_or("value", "", text);
            let effect = taint.required("effect", name);
            Ok(Taint { key: key?, value: value?.to_owned(), effect: effect? })
        })
    });
    let status = node.object("status", |status| {
        let memory = status.object("capacity", |capacity| capacity.read_or("memory", 0, bytes));
        let swap = status.object("nodeInfo", |info| {
            info.object("swap", |swap| swap.read_or("capacity", 0, integer(0..=i64::MAX)))
        });
        Ok((memory?, swap?.unsigned_abs()))
    });
    let ((name, labels), (memory, swap)) = (metadata?, status?);
    Ok(Node { name, memory, swap, labels, taints: taints? })
}

fn read_namespace(namespace: &mut Fields<'_>) -> Result<Namespace, Listed> {
    namespace.object("metadata", |metadata| {
        let name = metadata.required("name", name);
        let labels = metadata.map("labels", |_, value| text(value).map(str::to_owned));
        Ok(Namespace { name: name?, labels: labels? })
    })
}

fn read_limit_range(range: &mut Fields<'_>) -> Result<LimitRange, Listed> {
    let metadata = range.object("metadata", read_namespaced_name);
    let items = range.object("spec", |spec| {
        spec.list("limits", |item| {
            let kind = item.required("type", name);
            let min = item.map("min", |_, value| quantity(value));
            let max = item.map("max", |_, value| quantity(value));
            let ratio = item.map("maxLimitRequestRatio", |_, value| quantity(value));
            Ok(LimitRangeItem { kind: kind?, min: min?, max: max?, max_limit_request_ratio: ratio? })
        })
    });
    let (namespace, name) = metadata?;
    Ok(LimitRange { namespace, name, items: items? })
}

fn read_quota(quota: &mut Fields<'_>) -> Result<ResourceQuota, Listed> {
    let metadata = quota.object("metadata", read_namespaced_name);
    let hard = quota.object("spec", |spec| spec.map("hard", |_, value| quantity(value)));
    let (namespace, name) = metadata?;
    Ok(ResourceQuota { namespace, name, hard: hard?.into_keys().collect() })
}

fn read_namespaced_name(metadata: &mut Fields<'_>) -> Result<(String, String), Listed> {
    let namespace = metadata.read_or("namespace", "", text);
    let name = metadata.required("name", name);
    let namespace = Some(namespace?).filter(|namespace| !namespace.is_empty());
    Ok((namespace.unwrap_or("default").to_owned(), name?))
}

/// A string that is not empty.
fn name(value: &Value) -> Result<String, String> {
    match text(value)? {
        "" => Err("is empty".to_owned()),
        name => Ok(name.to_owned()),
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(formatter, "{namespace}/")?;
        }
        formatter.write_str(&self.name)
    }
}
