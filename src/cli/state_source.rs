//! What commands decide from: the live cluster, or files and flags, or these laid over the cluster.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::{anyhow, ensure};
use clap::Args;

use super::node_flag::{self, NodeFlag};
use super::progress::Progress;
use super::sentences::listed;
use crate::cluster::allocatable::{AllocatableByNode, note_document};
use crate::cluster::connection::{Cluster, ClusterFlags, NO_CLUSTER};
use crate::cluster::{snapshot, state_files};
use crate::sizing::limit_range::LimitRange;
use crate::sizing::nodes::TaintPattern;
use crate::sizing::state::{ResourceQuota, Settings, StateParts};

/// The flags of commands that decide as the webhook does.
#[derive(Args, Clone, Debug, Default)]
pub struct StateFlags {
    /// File or directory with SwapClasses, Nodes, Namespaces, LimitRanges and ResourceQuotas (YAML or JSON as kubectl
    /// prints them), instead of the cluster; repeatable
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    state: Vec<PathBuf>,
    /// A node, which counts as evidence for its swap, instead of those of the cluster; repeatable. Added to the nodes of
    /// --state
    #[arg(long, value_name = "memory=64Gi,swap=32Gi", value_parser = NodeFlag::parse)]
    node: Vec<NodeFlag>,
    /// A RuntimeClass whose pods may be changed, as for serve; repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    allow_runtime_class: Vec<String>,
    /// A taint key that never rules out a node (KEY, PREFIX* or *SUFFIX), as for serve; repeatable
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    transient_taint: Vec<TaintPattern>,
    #[command(flatten)]
    cluster: ClusterFlags,
    /// Ask no cluster, even where there is a kubeconfig
    #[arg(long, conflicts_with_all = ["kubeconfig", "context"], help_heading = "Cluster")]
    offline: bool,
}

/// How nodes are written on the command line: for the manuals.
pub const NODES_MANUAL: &str = "\
Nodes on the command line: --node memory=64Gi, and separated by commas whatever else is known:
  swap=32Gi                 its swap; counts as handed out, by every swap backend
  name=NAME                 [default: node-1, node-2, ...]
  count=N                   so many of them, NAME-1 to NAME-N
  label=KEY=VALUE           a label; repeatable
  taint=KEY=VALUE:EFFECT    a taint, also KEY:EFFECT; repeatable
  allocatable=60Gi, cpu=16  what it has for pods; plan counts with it, no decision reads it

A node with swap gets the evidence labels of all backends, floor(1000*swap/memory), and every node gets \
kubernetes.io/hostname and kubernetes.io/os=linux; label= wins over them. So \
label=spark-swap.io/limited-swap-permille=0 makes a node with swap that its kubelet does not hand out.
";

/// Which state a command decides from: for the manuals.
pub const STATE_MANUAL: &str = "\
What is decided from: the cluster of the kubeconfig, or of the pod's own service account, read once. With --state or \
--node it is not asked, and only these count. --kubeconfig, --context or a pod of the cluster by name beside them ask it \
all the same: then they are laid over what the cluster has, and replace its objects of the same kind and name. --offline \
asks no cluster ever. Without a cluster, --state and --node: the built-in class and no nodes.
";

const OFFLINE: &str = "with --offline no cluster is asked";

/// The state that a command decides from.
#[derive(Debug, Default)]
pub struct KnownState {
    /// What decisions read.
    pub parts: StateParts,
    /// `status.allocatable` of the nodes.
    pub allocatable: AllocatableByNode,
    /// Which cluster it is from, what replaces its objects, and what is wrong with them; empty for files and flags alone.
    pub notes: Vec<String>,
}

impl StateFlags {
    /// With a node that other flags describe.
    #[must_use]
    pub fn with_node(mut self, node: Option<NodeFlag>) -> Self {
        self.node.extend(node);
        self
    }

    /// The cluster to ask; `None` where files and flags say everything, or there is no cluster.
    ///
    /// # Errors
    /// A kubeconfig that cannot be read or lacks what the flags name.
    pub async fn cluster(&self) -> anyhow::Result<Option<Cluster>> {
        let says_everything = !self.state.is_empty() || !self.node.is_empty();
        if self.offline || (says_everything && !self.cluster.is_given()) {
            return Ok(None);
        }
        self.cluster.of_command().await.map_err(|error| anyhow!("{error:#}; {OFFLINE}"))
    }

    /// The cluster of a command that is about something in it: then it is asked whatever files and flags say.
    ///
    /// # Errors
    /// As [`Self::cluster`]; also when there is no cluster.
    pub async fn needed_cluster(&self) -> anyhow::Result<Cluster> {
        ensure!(!self.offline, "--offline: what is asked for is in a cluster");
        self.cluster.of_command().await?.ok_or_else(|| anyhow!(NO_CLUSTER))
    }

    /// Reads the files and flags, and what [`Self::cluster`] found.
    ///
    /// # Errors
    /// What is wrong with the files and flags, a problem a line; a cluster that does not answer.
    pub async fn read(&self, cluster: Option<&Cluster>) -> anyhow::Result<KnownState> {
        let mut known = KnownState::default();
        let KnownState { parts, allocatable, notes } = &mut known;
        *parts =
            state_files::load_and_show(&self.state, &mut |document| note_document(document, allocatable))?;
        node_flag::add_nodes(&self.node, &mut parts.nodes, allocatable).map_err(anyhow::Error::msg)?;
        let Some(cluster) = cluster else { return Ok(known) };
        let live = Progress::new("reading the cluster").show(snapshot::take(&cluster.client)).await;
        let live = live.map_err(|error| anyhow!("{cluster}: {error:#}; {OFFLINE}"))?;
        node_flag::check_default_names(&self.node, &live.parts.nodes).map_err(anyhow::Error::msg)?;
        let replaced = lay_over(live.parts, parts);
        for (name, of_cluster) in live.allocatable {
            allocatable.entry(name).or_insert(of_cluster);
        }
        notes.push(format!("The state is that of {cluster}."));
        if !replaced.is_empty() {
            notes.push(format!("--state and --node replace what the cluster has: {}.", listed(&replaced)));
        }
        notes.extend(live.problems);
        Ok(known)
    }

    /// What `serve` would be told.
    pub fn settings(&self) -> Settings {
        Settings {
            allowed_runtime_classes: self.allow_runtime_class.clone(),
            transient_taints: self.transient_taint.clone(),
        }
    }
}

/// Adds the objects of a cluster that are not given; the others are named: `Node a`, `LimitRange etl/limits`.
fn lay_over(of_cluster: StateParts, given: &mut StateParts) -> Vec<String> {
    let mut replaced = Vec::new();
    let StateParts { classes, nodes, namespaces, limit_ranges, quotas } = of_cluster;
    add_missing("SwapClass", classes, &mut given.classes, |class| class.name.clone(), &mut replaced);
    add_missing("Node", nodes, &mut given.nodes, |node| node.name.clone(), &mut replaced);
    add_missing("Namespace", namespaces, &mut given.namespaces, |own| own.name.clone(), &mut replaced);
    let of_range = |range: &LimitRange| format!("{}/{}", range.namespace, range.name);
    add_missing("LimitRange", limit_ranges, &mut given.limit_ranges, of_range, &mut replaced);
    let of_quota = |quota: &ResourceQuota| format!("{}/{}", quota.namespace, quota.name);
    add_missing("ResourceQuota", quotas, &mut given.quotas, of_quota, &mut replaced);
    replaced
}

fn add_missing<T>(
    kind: &str,
    of_cluster: Vec<T>,
    given: &mut Vec<T>,
    name: impl Fn(&T) -> String,
    replaced: &mut Vec<String>,
) {
    let names: HashSet<String> = given.iter().map(&name).collect();
    for object in of_cluster {
        let name = name(&object);
        if names.contains(&name) {
            replaced.push(format!("{kind} {name}"));
        } else {
            given.push(object);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizing::state::Namespace;

    fn parts(objects: &[(&str, &str)]) -> StateParts {
        let labels = |value: &str| [("from".to_owned(), value.to_owned())].into();
        let namespaces =
            objects.iter().map(|(name, from)| Namespace { name: (*name).to_owned(), labels: labels(from) });
        let range = |namespace: &str| LimitRange {
            namespace: namespace.to_owned(),
            name: "limits".to_owned(),
            items: Vec::new(),
        };
        StateParts {
            namespaces: namespaces.collect(),
            limit_ranges: objects.iter().map(|(name, _)| range(name)).collect(),
            ..StateParts::default()
        }
    }

    #[test]
    fn what_is_given_replaces_what_the_cluster_has_of_the_same_kind_and_name() {
        let mut known = parts(&[("b", "file"), ("c", "file")]);
        let replaced = lay_over(parts(&[("a", "cluster"), ("b", "cluster")]), &mut known);
        let from: Vec<(&str, &str)> =
            known.namespaces.iter().map(|one| (one.name.as_str(), one.labels["from"].as_str())).collect();
        assert_eq!(from, [("b", "file"), ("c", "file"), ("a", "cluster")]);
        assert_eq!(replaced, ["Namespace b", "LimitRange b/limits"]);
    }
}
