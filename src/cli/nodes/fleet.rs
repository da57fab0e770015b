//! Nodes with all that is known about their swap: from the cluster and its kubelets, or from files.

use std::cell::OnceCell;
use std::path::PathBuf;

use anyhow::anyhow;
use futures_util::StreamExt;
use kube::api::ListParams;
use kube::core::{Selector, SelectorExt};
use kube::{Api, Client, Resource};

use super::executors::RunningExecutor;
use super::readiness::Kubelet;
use crate::cli::progress::{self, Progress};
use crate::cluster::arrival::Arrival;
use crate::cluster::connection::cause;
use crate::cluster::kubelet_config::{self, Unanswered};
use crate::cluster::objects::{Kind, Object};
use crate::cluster::{snapshot, state_files};
use crate::sizing::nodes::Node;

/// A node and what is known about its swap.
#[derive(Clone, Debug)]
pub struct NodeFacts {
    /// The node.
    pub node: Node,
    /// What its kubelet says.
    pub kubelet: Kubelet,
    /// The executors that run on it; `None` where nobody was asked.
    pub executors: Option<Vec<RunningExecutor>>,
}

/// The nodes that were asked for, by name.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// Them.
    pub nodes: Vec<NodeFacts>,
    /// Names that no node has.
    pub missing: Vec<String>,
    /// What could not be read, and why.
    pub problems: Vec<String>,
    /// The user may not ask kubelets: what the API server said.
    pub forbidden: Option<String>,
}

/// Which nodes are meant.
#[derive(Clone, Debug)]
pub enum Which {
    /// Those with these names.
    Named(Vec<String>),
    /// Those with matching labels.
    Selected(Selector),
}

/// What is asked besides the nodes themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Questions {
    /// The kubelets, about their configuration.
    pub kubelets: bool,
    /// The API server, about executors.
    pub executors: bool,
}

/// Requests under way at the same time: enough for thousands of nodes in seconds, and no burden for the API server.
pub const CONCURRENCY: usize = 16;

impl Fleet {
    /// From state files.
    ///
    /// # Errors
    /// Every problem of every file.
    pub fn from_files(paths: &[PathBuf], which: &Which) -> anyhow::Result<Self> {
        let mut fleet = Self::default();
        let mut nodes = state_files::load(paths)?.nodes;
        match which {
            Which::Selected(selector) => nodes.retain(|node| selector.matches(&node.labels.to_map())),
            Which::Named(names) => {
                let is_known = |name: &&String| nodes.iter().any(|node| node.name == **name);
                fleet.missing = names.iter().filter(|name| !is_known(name)).cloned().collect();
                nodes.retain(|node| names.contains(&node.name));
            }
        }
        Ok(fleet.with(nodes))
    }

    /// From the cluster.
    ///
    /// # Errors
    /// The API server cannot be reached, or the user may not read nodes.
    pub async fn from_cluster(client: &Client, which: &Which, questions: Questions) -> anyhow::Result<Self> {
        let mut fleet = Self::default();
        let nodes = Progress::new("reading the nodes").show(fleet.read_nodes(client, which)).await;
        let nodes = nodes.map_err(|error| anyhow!("nodes: {}", cause(&error)))?;
        fleet = fleet.with(nodes);
        if questions.executors {
            Progress::new("reading the executors").show(fleet.read_executors(client)).await;
        }
        if questions.kubelets {
            fleet.ask_kubelets(client).await;
        }
        Ok(fleet)
    }

    fn with(mut self, mut nodes: Vec<Node>) -> Self {
        nodes.sort_by(|left, right| left.name.cmp(&right.name));
        let facts = |node| NodeFacts { node, kubelet: Kubelet::NotAsked, executors: None };
        self.nodes = nodes.into_iter().map(facts).collect();
        self
    }

    async fn read_nodes(&mut self, client: &Client, which: &Which) -> kube::Result<Vec<Node>> {
        let api = Api::<Arrival>::all_with(client.clone(), &Kind::Node);
        let arrivals = match which {
            Which::Selected(selector) => {
                let label_selector = (!selector.selects_all()).then(|| selector.to_string());
                snapshot::list_all(&api, ListParams { label_selector, ..ListParams::default() }).await?
            }
            Which::Named(names) => {
                let mut found = Vec::new();
                for name in names {
                    match api.get_opt(name).await? {
                        Some(arrival) => found.push(arrival),
                        None => self.missing.push(name.clone()),
                    }
                }
                found
            }
        };
        let mut nodes = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            match Object::read(Kind::Node, &arrival.object()) {
                Ok(Object::Node(node)) => nodes.push(node),
                Ok(_) => {}
                Err(problems) => {
                    let name = arrival.meta().name.as_deref().unwrap_or_default();
                    self.problems.extend(problems.iter().map(|problem| format!("node/{name}: {problem}")));
                }
            }
        }
        Ok(nodes)
    }

    /// Without the right to list pods everything else can still be told.
    async fn read_executors(&mut self, client: &Client) {
        let pods = match snapshot::running_executors(client, None).await {
            Ok(pods) => pods,
            Err(error) => return self.problems.push(format!("executors are not known: {error:#}")),
        };
        for facts in &mut self.nodes {
            facts.executors = Some(Vec::new());
        }
        for executor in pods.iter().filter_map(RunningExecutor::read) {
            let place = self.nodes.binary_search_by(|facts| facts.node.name.cmp(&executor.node)).ok();
            if let Some(facts) = place.and_then(|place| self.nodes.get_mut(place)) {
                facts.executors.get_or_insert_default().push(executor);
            }
        }
    }

    async fn ask_kubelets(&mut self, client: &Client) {
        // Who may not ask one kubelet may not ask any: no need for thousands of refusals.
        let forbidden = OnceCell::new();
        let asked = futures_util::stream::iter(&self.nodes).map(async |facts| {
            if forbidden.get().is_some() {
                return Kubelet::NotAsked;
            }
            match kubelet_config::ask(client, &facts.node.name).await {
                Ok(config) => Kubelet::Config(config),
                Err(Unanswered::NoAnswer(cause)) => Kubelet::Unreachable(cause),
                Err(Unanswered::Forbidden(cause)) => {
                    forbidden.get_or_init(|| cause);
                    Kubelet::NotAsked
                }
            }
        });
        let answers =
            progress::collect("kubelets asked", self.nodes.len(), asked.buffered(CONCURRENCY)).await;
        for (facts, answer) in self.nodes.iter_mut().zip(answers) {
            facts.kubelet = answer;
        }
        self.forbidden = forbidden.into_inner();
    }
}
