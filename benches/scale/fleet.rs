//! A large cluster: its objects, their heartbeats and changes.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

pub struct Fleet {
    nodes: usize,
    namespaces: usize,
    limit_ranges: usize,
    classes: usize,
}

const SHAPES: usize = 40;
const EVIDENCE: &str = "spark-swap.io/limited-swap-permille";
/// Requests under way at a time.
const AT_ONCE: usize = 32;

impl Fleet {
    pub const LARGE: Self = Self { nodes: 10_000, namespaces: 2_000, limit_ranges: 200, classes: 200 };
    pub const SMALL: Self = Self { nodes: 1_000, namespaces: 200, limit_ranges: 20, classes: 20 };

    pub async fn fill(&self, client: &Client) {
        create(&api(client, "", "Node", "nodes"), (0..self.nodes).map(node)).await;
        create(&api(client, "", "Namespace", "namespaces"), (0..self.namespaces).map(namespace)).await;
        create(&api(client, "spark-swap.io", "SwapClass", "swapclasses"), (0..self.classes).map(class)).await;
        let resource = resource("", "LimitRange", "limitranges");
        stream::iter(0..self.limit_ranges)
            .for_each_concurrent(AT_ONCE, |index| {
                let api: Api<DynamicObject> =
                    Api::namespaced_with(client.clone(), &format!("team-{index}"), &resource);
                async move {
                    let range = json!({
                        "metadata": {"name": "limits"},
                        "spec": {"limits": [{"type": "Container", "max": {"memory": "64Gi"}, "min": {"memory": "64Mi"}}]},
                    });
                    api.create(&PostParams::default(), &object(range)).await.unwrap();
                }
            })
            .await;
    }

    /// Sends status updates as kubelets do, as fast as the API server takes them, at most 1,000 a second.
    pub async fn heartbeats(&self, client: &Client, duration: Duration) -> u64 {
        let api = api(client, "", "Node", "nodes");
        let started = Instant::now();
        let due = stream::unfold(0_u64, |sent| async move {
            let at = started + Duration::from_micros(sent * 1_000);
            tokio::time::sleep_until(at.into()).await;
            (started.elapsed() < duration).then_some((sent, sent + 1))
        });
        due.map(|sent| {
            let name = node_name(usize::try_from(sent).unwrap() * 7 % self.nodes);
            let beat = json!({"status": {"conditions": conditions(&format!("2026-01-01T00:00:{:02}Z", sent % 60))}});
            let api = api.clone();
            async move { api.patch_status(&name, &PatchParams::default(), &Patch::Merge(beat)).await.unwrap() }
        })
        .buffer_unordered(AT_ONCE)
        .fold(0, |sent, _| async move { sent + 1 })
        .await
    }
}

/// Gives the first node its evidence, or takes it away.
pub async fn label_first_node(client: &Client, has_evidence: bool) {
    let promise = if has_evidence { "500" } else { "0" };
    let patch = json!({"metadata": {"labels": {EVIDENCE: promise}}});
    let api = api(client, "", "Node", "nodes");
    api.patch(&node_name(0), &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

pub async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

async fn create(api: &Api<DynamicObject>, objects: impl Iterator<Item = Value>) {
    stream::iter(objects)
        .for_each_concurrent(AT_ONCE, |value| async move {
            api.create(&PostParams::default(), &object(value)).await.unwrap();
        })
        .await;
}

fn api(client: &Client, group: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &resource(group, kind, plural))
}

fn resource(group: &str, kind: &str, plural: &str) -> ApiResource {
    let version = if group.is_empty() { "v1" } else { "v1alpha1" };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

fn node_name(index: usize) -> String {
    format!("ip-10-{}-{}-{}.eu-central-1.compute.internal", index / 10_000, index / 100 % 100, index % 100)
}

/// As large as a node of a cloud: labels, annotations, conditions, images.
fn node(index: usize) -> Value {
    let shape = index % SHAPES;
    let memory = (32_u64 << 30) * (1 + shape as u64 % 8) - (shape as u64 * 4096 * 100);
    let name = node_name(index);
    let labels = json!({
        "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name, "kubernetes.io/os": "linux",
        "beta.kubernetes.io/instance-type": format!("r6i.{}xlarge", 1 + shape % 8),
        "node.kubernetes.io/instance-type": format!("r6i.{}xlarge", 1 + shape % 8),
        "failure-domain.beta.kubernetes.io/region": "eu-central-1",
        "topology.kubernetes.io/region": "eu-central-1",
        "topology.kubernetes.io/zone": format!("eu-central-1{}", ["a", "b", "c"][shape % 3]),
        "topology.ebs.csi.aws.com/zone": format!("eu-central-1{}", ["a", "b", "c"][shape % 3]),
        "eks.amazonaws.com/nodegroup": format!("spark-{shape}"), "eks.amazonaws.com/capacityType": "SPOT",
        "eks.amazonaws.com/nodegroup-image": "ami-0123456789abcdef0", "k8s.io/cloud-provider-aws": "0123456789abcdef0123456789abcdef",
        "node-pool": format!("spark-{shape}"), EVIDENCE: "500",
    });
    let images: Vec<Value> = (0..25)
        .map(|image| {
            json!({"names": [
                format!("registry.example.com/team/image-{image}@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
                format!("registry.example.com/team/image-{image}:1.2.{shape}"),
            ], "sizeBytes": 123_456_789 + image})
        })
        .collect();
    let resources = json!({
        "cpu": "32", "memory": memory.to_string(), "pods": "110", "ephemeral-storage": "104845292Ki",
        "hugepages-1Gi": "0", "hugepages-2Mi": "0",
    });
    json!({
        "metadata": {"name": name, "labels": labels, "annotations": {
            "csi.volume.kubernetes.io/nodeid": format!("{{\"ebs.csi.aws.com\":\"i-{index:017}\"}}"),
            "node.alpha.kubernetes.io/ttl": "0", "volumes.kubernetes.io/controller-managed-attach-detach": "true",
        }},
        "spec": {"providerID": format!("aws:///eu-central-1a/i-{index:017}")},
        "status": {
            "capacity": resources, "allocatable": resources, "conditions": conditions("2026-01-01T00:00:00Z"),
            "images": images,
            "nodeInfo": {"swap": {"capacity": memory / 2}, "kubeletVersion": "v1.36.3", "osImage": "Linux",
                "containerRuntimeVersion": "containerd://2.1.9", "kernelVersion": "6.12.0", "architecture": "amd64",
                "operatingSystem": "linux", "bootID": "b", "machineID": "m", "systemUUID": "s", "kubeProxyVersion": ""},
        },
    })
}

fn conditions(heartbeat: &str) -> Vec<Value> {
    ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"]
        .iter()
        .map(|kind| {
            json!({
                "type": kind, "status": if *kind == "Ready" { "True" } else { "False" }, "reason": "KubeletIsFine",
                "message": "the kubelet is fine", "lastHeartbeatTime": heartbeat,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            })
        })
        .collect()
}

fn namespace(index: usize) -> Value {
    json!({"metadata": {"name": format!("team-{index}"), "labels": {"team": format!("t{index}"), "cost-center": "42"}}})
}

/// The first one is the default class, so that every executor has to be sized from the nodes.
fn class(index: usize) -> Value {
    let is_default = (index == 0).to_string();
    json!({
        "apiVersion": "spark-swap.io/v1alpha1", "kind": "SwapClass",
        "metadata": {"name": format!("class-{index}"), "annotations": {"spark-swap.io/is-default-class": is_default}},
        "spec": {"strategy": "Density", "workingSetPercent": 50},
    })
}

impl fmt::Display for Fleet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, namespaces, limit_ranges, classes } = self;
        write!(
            formatter,
            "{nodes} nodes in {SHAPES} shapes, {namespaces} namespaces, {limit_ranges} LimitRanges, {classes} SwapClasses"
        )
    }
}
