//! What commands decide from: the live cluster, or files and flags, or these laid over the cluster.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::Args;

use super::node_flag::{self, NodeFlag};
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
    /// A node, which counts as evidence for its swap; repeatable. Added to the nodes of --state
    #[arg(long, value_name = "memory=64Gi,swap=32Gi", value_parser = NodeFlag::parse)]
    node: Vec<NodeFlag>,
    /// A RuntimeClass whose pods may be changed, as for serve; repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    allow_runtime_class: Vec<String>,
    /// A taint key that never rules out a node (KEY, PREFIX* or *SUFFIX), as for serve; repeatable
    #[arg(long, value_name = "KEY", value_delimiter = ',', value_parser = taint_pattern)]
    transient_taint: Vec<TaintPattern>,
    #[command(flatten)]
    cluster: ClusterFlags,
    /// Ask no cluster, even where there is a kubeconfig
    #[arg(long, conflicts_with_all = ["kubeconfig", "context"], help_heading = "Cluster")]
    offline: bool,
}

/// Which state a command decides from: for the manuals.
pub const STATE_MANUAL: &str = "\
What is decided from: the cluster of the kubeconfig, read once. With --state or --node it is not asked, only these \
count; --kubeconfig or --context beside them ask it all the same, and then what is given replaces what the cluster has \
of the same kind and name. --offline asks no cluster ever. Without any of it: the built-in class and no nodes.";

const OFFLINE: &str = "with --offline no cluster is asked";
/// More replaced objects than this are counted, not listed.
const LISTED_OBJECTS: usize = 5;

/// The state that a command decides from.
#[derive(Debug, Default)]
pub struct StateSource {
    /// What decisions read.
    pub parts: StateParts,
    /// Which cluster it is from, what replaces its objects, and what is wrong with them; empty for files and flags alone.
    pub notes: Vec<String>,
}

impl StateFlags {
    /// The cluster to ask; `None` where files and flags say everything, or there is no cluster. `is_needed`: something
    /// else of the command line is about the cluster.
    ///
    /// # Errors
    /// A kubeconfig that cannot be read or lacks what the flags name; no cluster although one is needed.
    pub async fn cluster(&self, is_needed: bool) -> anyhow::Result<Option<Cluster>> {
        if self.offline {
            return if is_needed { bail!("--offline: only a cluster can answer this") } else { Ok(None) };
        }
        let says_everything = !self.state.is_empty() || !self.node.is_empty();
        if says_everything && !is_needed && !self.cluster.is_given() {
            return Ok(None);
        }
        match self.cluster.of_command().await {
            Ok(None) if is_needed => bail!(NO_CLUSTER),
            found => found.map_err(|error| anyhow!("{error:#}; {OFFLINE}")),
        }
    }

    /// Reads the files and flags, and what [`Self::cluster`] found.
    ///
    /// # Errors
    /// What is wrong with the files and flags, a problem a line; a cluster that does not answer.
    pub async fn read(&self, cluster: Option<&Cluster>) -> anyhow::Result<StateSource> {
        let mut given = state_files::load(&self.state)?;
        node_flag::add_nodes(&self.node, &mut given.nodes).map_err(anyhow::Error::msg)?;
        let Some(cluster) = cluster else {
            return Ok(StateSource { parts: given, notes: Vec::new() });
        };
        let live = snapshot::take(&cluster.client).await;
        let live = live.map_err(|error| anyhow!("{cluster}: {error:#}; {OFFLINE}"))?;
        node_flag::check_default_names(&self.node, &live.parts.nodes).map_err(anyhow::Error::msg)?;
        let mut notes = vec![format!("The state is that of {cluster}.")];
        let Overlay { parts, replaced } = Overlay::new(live.parts, given);
        if !replaced.is_empty() {
            notes.push(format!("--state and --node replace what the cluster has: {}.", listed(&replaced)));
        }
        notes.extend(live.problems);
        Ok(StateSource { parts, notes })
    }

    /// What `serve` would be told.
    pub fn settings(&self) -> Settings {
        Settings {
            allowed_runtime_classes: self.allow_runtime_class.clone(),
            transient_taints: self.transient_taint.clone(),
        }
    }
}

/// Objects over those of a cluster.
struct Overlay {
    parts: StateParts,
    /// What the cluster has of the same kind and name: `Node a`, `LimitRange etl/limits`.
    replaced: Vec<String>,
}

impl Overlay {
    fn new(mut below: StateParts, above: StateParts) -> Self {
        let mut replaced = Vec::new();
        let name = |name: &String| name.clone();
        let full_name = |namespace: &str, name: &str| format!("{namespace}/{name}");
        lay("SwapClass", &mut below.classes, above.classes, |class| name(&class.name), &mut replaced);
        lay("Node", &mut below.nodes, above.nodes, |node| name(&node.name), &mut replaced);
        lay("Namespace", &mut below.namespaces, above.namespaces, |own| name(&own.name), &mut replaced);
        let of_range = |range: &LimitRange| full_name(&range.namespace, &range.name);
        lay("LimitRange", &mut below.limit_ranges, above.limit_ranges, of_range, &mut replaced);
        let of_quota = |quota: &ResourceQuota| full_name(&quota.namespace, &quota.name);
        lay("ResourceQuota", &mut below.quotas, above.quotas, of_quota, &mut replaced);
        Self { parts: below, replaced }
    }
}

/// Objects of one kind.
fn lay<T>(
    kind: &str,
    below: &mut Vec<T>,
    above: Vec<T>,
    name: impl Fn(&T) -> String,
    replaced: &mut Vec<String>,
) {
    let names: HashSet<String> = above.iter().map(&name).collect();
    let is_replaced = |object: &T| names.contains(&name(object));
    replaced.extend(
        below.iter().filter(|object| is_replaced(object)).map(|object| format!("{kind} {}", name(object))),
    );
    below.retain(|object| !is_replaced(object));
    below.extend(above);
}

fn listed(objects: &[String]) -> String {
    let shown: Vec<&str> = objects.iter().take(LISTED_OBJECTS).map(String::as_str).collect();
    match objects.len().saturating_sub(LISTED_OBJECTS) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn taint_pattern(text: &str) -> Result<TaintPattern, String> {
    TaintPattern::new(text).ok_or_else(|| "write a taint key, PREFIX* or *SUFFIX".to_owned())
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
        let Overlay { parts, replaced } = Overlay::new(
            parts(&[("a", "cluster"), ("b", "cluster")]),
            parts(&[("b", "file"), ("c", "file")]),
        );
        let from: Vec<(&str, &str)> =
            parts.namespaces.iter().map(|one| (one.name.as_str(), one.labels["from"].as_str())).collect();
        assert_eq!(from, [("a", "cluster"), ("b", "file"), ("c", "file")]);
        assert_eq!(replaced, ["Namespace b", "LimitRange b/limits"]);
    }

    #[test]
    fn many_objects_are_counted() {
        let objects: Vec<String> = (1..=7).map(|number| format!("Node {number}")).collect();
        assert_eq!(listed(&objects), "Node 1, Node 2, Node 3, Node 4, Node 5 and 2 more");
    }
}
