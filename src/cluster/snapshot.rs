//! The state of a cluster, listed once: what commands decide from.

use anyhow::anyhow;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, ObjectList};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::allocatable::{Allocatable, AllocatableByNode};
use super::arrival::Arrival;
use super::connection::cause;
use super::objects::{Kind, Object};
use crate::sizing::state::StateParts;

/// What was listed, and what somebody should know about it.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The state's parts.
    pub parts: StateParts,
    /// What the nodes have for pods.
    pub allocatable: AllocatableByNode,
    /// `SwapClass batch: spec.path: problem` of objects that could not be read, and kinds that could not be listed.
    pub problems: Vec<String>,
}

/// The page size of lists, as client-go has it.
const PAGE: u32 = 500;

/// Lists everything that decisions read. Without the CRD there are no SwapClasses, which is noted as a problem.
///
/// # Errors
/// The API server cannot be reached, or the user may not list a kind.
pub async fn take(client: &Client) -> anyhow::Result<Snapshot> {
    let mut snapshot = Snapshot::default();
    for kind in Kind::ALL {
        let objects = match list(client, *kind).await {
            Ok(objects) => objects,
            Err(kube::Error::Api(status)) if status.code == 404 && *kind == Kind::SwapClass => {
                snapshot.problems.push(format!(
                    "SwapClass: the cluster does not know this kind; install it with: {INSTALL_CRD}"
                ));
                continue;
            }
            Err(error) => return Err(anyhow!("listing {}: {}", kind.plural(), cause(&error))),
        };
        for Listed { name, object, allocatable } in objects {
            if *kind == Kind::Node {
                snapshot.allocatable.insert(name.clone(), allocatable);
            }
            match Object::read(*kind, &object) {
                Ok(object) => object.add_to(&mut snapshot.parts),
                Err(problems) => {
                    let problems = problems.iter().map(|problem| format!("{kind} {name}: {problem}"));
                    snapshot.problems.extend(problems);
                }
            }
        }
    }
    Ok(snapshot)
}

/// How a cluster learns of SwapClasses.
pub const INSTALL_CRD: &str = "spark-swap manifests --only crd | kubectl apply -f -";

/// Lists executor pods that have not ended, of one namespace or of all, as the API server has them.
///
/// # Errors
/// The API server cannot be reached, or the user may not list pods.
pub async fn running_executors(client: &Client, namespace: Option<&str>) -> anyhow::Result<Vec<Value>> {
    let pods =
        list_all(&pods(client, namespace), ListParams::default().labels(EXECUTORS).fields(NOT_ENDED)).await;
    let pods = pods.map_err(|error| anyhow!("listing pods: {}", cause(&error)))?;
    pods.into_iter().map(|pod| Ok(serde_json::to_value(pod)?)).collect()
}

/// Reads one pod as the API server has it.
///
/// # Errors
/// The API server cannot be reached, there is no such pod, or the user may not read it.
pub async fn pod(client: &Client, namespace: &str, name: &str) -> anyhow::Result<Value> {
    let pod = pods(client, Some(namespace)).get(name).await;
    Ok(serde_json::to_value(pod.map_err(|error| anyhow!("pod {namespace}/{name}: {}", cause(&error)))?)?)
}

/// The label selector of executors.
const EXECUTORS: &str = "spark-role=executor";
/// The field selector of pods whose containers may still run.
const NOT_ENDED: &str = "status.phase!=Succeeded,status.phase!=Failed";

fn pods(client: &Client, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "Pod"), "pods");
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Lists all objects of a resource that are asked for, page by page.
///
/// # Errors
/// Those of the API server.
pub async fn list_all<K>(api: &Api<K>, asked: ListParams) -> kube::Result<Vec<K>>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut parameters = asked.limit(PAGE);
    let mut items = Vec::new();
    loop {
        let ObjectList { metadata, items: page, .. } = api.list(&parameters).await?;
        items.extend(page);
        match metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters.continue_token = Some(token),
            None => return Ok(items),
        }
    }
}

/// The API resource of SwapClasses, for untyped access: an object that does not fit our types must not stop a list.
pub fn swap_classes(client: Client) -> Api<DynamicObject> {
    let (group, version) = (Kind::SwapClass.api_group(), "v1alpha1");
    let resource = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk(group, version, Kind::SwapClass.as_str()),
        Kind::SwapClass.plural(),
    );
    Api::all_with(client, &resource)
}

/// An object of a cluster.
#[derive(Clone, Debug)]
pub struct Listed {
    /// With its namespace, where it has one.
    pub name: String,
    /// As [`Object::read`] wants it.
    pub object: Value,
    /// What a Node has for pods.
    pub allocatable: Allocatable,
}

/// Lists the objects of a kind.
///
/// # Errors
/// Those of the API server; without the CRD, 404 for SwapClasses.
pub async fn list(client: &Client, kind: Kind) -> kube::Result<Vec<Listed>> {
    if kind == Kind::SwapClass {
        let classes = list_all(&swap_classes(client.clone()), ListParams::default()).await?;
        let listed = |class: DynamicObject| Listed {
            name: class.name_any(),
            object: class_object(class),
            allocatable: Allocatable::default(),
        };
        return Ok(classes.into_iter().map(listed).collect());
    }
    let arrivals = list_all(&Api::<Arrival>::all_with(client.clone(), &kind), ListParams::default()).await?;
    let listed = |arrival: Arrival| {
        let name = arrival.name_any();
        let namespace = arrival.meta().namespace.as_ref();
        let full = namespace.map(|namespace| format!("{namespace}/{name}"));
        Listed { name: full.unwrap_or(name), object: arrival.object(), allocatable: arrival.allocatable() }
    };
    Ok(arrivals.into_iter().map(listed).collect())
}

/// A SwapClass as [`Object::read`] wants it, without what the API server adds.
pub fn class_object(class: DynamicObject) -> Value {
    let DynamicObject { metadata, mut data, .. } = class;
    if let Some(object) = data.as_object_mut() {
        object.remove("status");
        let metadata = serde_json::json!({"name": metadata.name, "annotations": metadata.annotations});
        object.insert("metadata".to_owned(), metadata);
    }
    data
}
