//! The flags that say the state: files, nodes on the command line, and what `serve` would be told.

use std::path::PathBuf;

use clap::Args;

use super::node_flag::{self, NodeFlag};
use crate::cluster::allocatable::{AllocatableByNode, note_document};
use crate::cluster::state_files;
use crate::sizing::nodes::TaintPattern;
use crate::sizing::state::{Settings, StateParts};

/// The flags of commands that decide as the webhook does.
#[derive(Args, Debug)]
pub struct StateFlags {
    /// File or directory with SwapClasses, Nodes, Namespaces, LimitRanges and ResourceQuotas (YAML or JSON as kubectl
    /// prints them); repeatable
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

/// The parts of a state, and what its nodes have for pods.
#[derive(Debug, Default)]
pub struct KnownState {
    /// What decisions read.
    pub parts: StateParts,
    /// `status.allocatable` of the nodes.
    pub allocatable: AllocatableByNode,
}

impl StateFlags {
    /// Reads the files and adds the nodes, and those that other flags describe.
    ///
    /// # Errors
    /// What is wrong with them, a problem a line.
    pub fn read(&self, described: Option<NodeFlag>) -> anyhow::Result<KnownState> {
        let mut known = KnownState::default();
        let allocatable = &mut known.allocatable;
        known.parts =
            state_files::load_and_show(&self.state, &mut |document| note_document(document, allocatable))?;
        let nodes: Vec<NodeFlag> = self.node.iter().cloned().chain(described).collect();
        node_flag::add_nodes(&nodes, &mut known.parts.nodes, &mut known.allocatable)
            .map_err(anyhow::Error::msg)?;
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

fn taint_pattern(text: &str) -> Result<TaintPattern, String> {
    TaintPattern::new(text).ok_or_else(|| "write a taint key, PREFIX* or *SUFFIX".to_owned())
}
