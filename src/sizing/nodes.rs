//! Nodes, reduced to what decides about swap, and the index that finds the ones a pod may land on.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use super::class::Backend;
use super::labels::Labels;
use super::placement::{Placement, Taint};

/// A node, reduced on arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// `metadata.name`.
    pub name: String,
    /// M: `status.capacity.memory`, bytes; 0 when unknown.
    pub memory: u64,
    /// S: `status.nodeInfo.swap.capacity`, bytes; 0 when absent.
    pub swap: u64,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
}

/// A pattern of taint keys: exact, `prefix*` or `*suffix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaintPattern(String);

/// Nodes that are the same for sizing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeShape {
    /// The name of one of the nodes, the first by name.
    pub name: String,
    /// How many nodes have this shape.
    pub count: u64,
    /// M, bytes.
    pub memory: u64,
    /// S, bytes.
    pub swap: u64,
    /// The permille that the evidence labels promise, by backend; 0 where there is none.
    evidence: [u64; 3],
}

/// All nodes, and the shapes found for placements that were asked about before.
#[derive(Debug, Default)]
pub struct NodeIndex {
    nodes: Vec<Arc<Node>>,
    found: RwLock<HashMap<Vec<u8>, Arc<[NodeShape]>>>,
}

/// Taints that come and go with a node's life: they never rule a node out, because more nodes is the safe side.
const TRANSIENT_TAINTS: [&str; 6] = [
    "node.kubernetes.io/*",
    "node.cloudprovider.kubernetes.io/*",
    "karpenter.sh/*",
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
    "*/agent-not-ready",
];
/// Placements remembered at most; users choose them, so memory must not grow without end.
const REMEMBERED_PLACEMENTS: usize = 1024;
const BACKENDS: [Backend; 3] = [Backend::Kubelet, Backend::CrioAnnotation, Backend::NriMemoryQos];

impl NodeIndex {
    /// Indexes nodes; taints that match the built-in patterns or `transient` are forgotten.
    pub fn new(nodes: Vec<Node>, transient: &[TaintPattern]) -> Self {
        let forgetful = |mut node: Node| {
            node.forget_transient_taints(transient);
            Arc::new(node)
        };
        Self::shared(nodes.into_iter().map(forgetful).collect())
    }

    /// Indexes nodes that forgot their transient taints already and may be part of other indexes too.
    pub fn shared(mut nodes: Vec<Arc<Node>>) -> Self {
        nodes.sort_by(|left, right| left.name.cmp(&right.name));
        Self { nodes, found: RwLock::default() }
    }

    /// No node is known.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Every node, by name.
    pub fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// The shapes of the nodes that the pod may land on, smallest memory first.
    ///
    /// The first question about a placement walks every node; the answer is kept with the snapshot.
    pub fn eligible(&self, placement: &Placement<'_>) -> Arc<[NodeShape]> {
        if self.nodes.is_empty() {
            return Arc::default();
        }
        let key = placement.fingerprint();
        if let Some(shapes) = self.found.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(shapes);
        }
        let shapes = self.search(placement);
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= REMEMBERED_PLACEMENTS {
            found.clear();
        }
        Arc::clone(found.entry(key).or_insert(shapes))
    }

    fn search(&self, placement: &Placement<'_>) -> Arc<[NodeShape]> {
        let mut shapes: BTreeMap<(u64, u64, [u64; 3]), NodeShape> = BTreeMap::new();
        for node in &self.nodes {
            if !placement.allows(&node.name, &node.labels, &node.taints) {
                continue;
            }
            shapes
                .entry((node.memory, node.swap, node.evidence()))
                .and_modify(|shape| shape.count = shape.count.saturating_add(1))
                .or_insert_with(|| NodeShape::of(node));
        }
        shapes.into_values().collect()
    }
}

impl Node {
    /// Drops the taints that match the built-in patterns or `transient`.
    pub fn forget_transient_taints(&mut self, transient: &[TaintPattern]) {
        self.taints.retain(|taint| {
            !TRANSIENT_TAINTS.iter().any(|pattern| matches(pattern, &taint.key))
                && !transient.iter().any(|pattern| pattern.matches(&taint.key))
        });
    }

    /// The permille that the node's evidence label promises; 0 where it is absent or not a positive integer.
    pub fn promised_permille(&self, backend: Backend) -> u64 {
        let value = self.labels.get(backend.evidence_label()).unwrap_or("");
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        value.parse().ok().filter(|_| digits).unwrap_or(0)
    }

    /// `floor(1000*S/M)`: the swap that is there.
    pub fn actual_permille(&self) -> u64 {
        swap_permille(self.memory, self.swap)
    }

    fn evidence(&self) -> [u64; 3] {
        BACKENDS.map(|backend| self.promised_permille(backend))
    }
}

impl NodeShape {
    /// The shape of one node.
    pub fn of(node: &Node) -> Self {
        Self {
            name: node.name.clone(),
            count: 1,
            memory: node.memory,
            swap: node.swap,
            evidence: node.evidence(),
        }
    }

    /// The permille that the evidence label promises; 0: no evidence.
    pub fn labelled_permille(&self, backend: Backend) -> u64 {
        match backend {
            Backend::Kubelet => self.evidence[0],
            Backend::CrioAnnotation => self.evidence[1],
            Backend::NriMemoryQos => self.evidence[2],
        }
    }

    /// `floor(1000*S/M)`: the swap that is there.
    pub fn actual_permille(&self) -> u64 {
        swap_permille(self.memory, self.swap)
    }

    /// The label promises something, and at least `minimum_percent` of memory.
    pub fn has_evidence(&self, backend: Backend, minimum_percent: u64) -> bool {
        self.labelled_permille(backend) >= minimum_percent.saturating_mul(10).max(1)
    }

    /// What may be sized with: the smaller of label and actual.
    pub fn usable_permille(&self, backend: Backend) -> u64 {
        self.labelled_permille(backend).min(self.actual_permille())
    }
}

fn swap_permille(memory: u64, swap: u64) -> u64 {
    let permille = u128::from(swap).saturating_mul(1000).checked_div(u128::from(memory));
    u64::try_from(permille.unwrap_or(0)).unwrap_or(u64::MAX)
}

impl TaintPattern {
    /// A key, a `prefix*` or a `*suffix`; `None` when empty or with a star elsewhere.
    pub fn new(pattern: &str) -> Option<Self> {
        let inner = pattern.strip_suffix('*').or_else(|| pattern.strip_prefix('*')).unwrap_or(pattern);
        (!inner.is_empty() && !inner.contains('*')).then(|| Self(pattern.to_owned()))
    }

    /// The taint key fits the pattern.
    pub fn matches(&self, key: &str) -> bool {
        matches(&self.0, key)
    }
}

impl FromStr for TaintPattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text).ok_or("write a taint key, PREFIX* or *SUFFIX")
    }
}

fn matches(pattern: &str, key: &str) -> bool {
    match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
        (Some(prefix), _) => key.starts_with(prefix),
        (None, Some(suffix)) => key.ends_with(suffix),
        (None, None) => key == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, labels: &[(&str, &str)], taints: &[&str]) -> Node {
        Node {
            name: name.to_owned(),
            memory: 64 << 30,
            swap: 32 << 30,
            labels: labels.iter().copied().collect(),
            taints: taints
                .iter()
                .map(|key| Taint {
                    key: (*key).to_owned(),
                    value: String::new(),
                    effect: "NoSchedule".to_owned(),
                })
                .collect(),
        }
    }

    #[test]
    fn transient_taints_never_rule_a_node_out() {
        let taints =
            ["node.kubernetes.io/unschedulable", "ebs.csi.aws.com/agent-not-ready", "example.com/starting"];
        let nodes = vec![node("a", &[], &taints), node("b", &[], &["dedicated"])];
        let index = NodeIndex::new(nodes, &[TaintPattern::new("example.com/*").unwrap()]);
        let shapes = index.eligible(&Placement::default());
        assert_eq!(shapes.len(), 1);
        assert_eq!((shapes[0].name.as_str(), shapes[0].count), ("a", 1));
    }

    #[test]
    fn evidence_is_a_positive_integer_and_never_more_than_the_swap_that_is_there() {
        let usable = |value: &str| {
            let index =
                NodeIndex::new(vec![node("a", &[("spark-swap.io/limited-swap-permille", value)], &[])], &[]);
            let shape = index.eligible(&Placement::default())[0].clone();
            if shape.has_evidence(Backend::Kubelet, 10) { shape.usable_permille(Backend::Kubelet) } else { 0 }
        };
        for (value, expected) in [
            ("400", 400),
            ("900", 500),
            ("100", 100),
            ("99", 0),
            ("0", 0),
            ("-1", 0),
            ("+400", 0),
            ("400.0", 0),
            ("", 0),
            ("many", 0),
        ] {
            assert_eq!(usable(value), expected, "{value}");
        }
    }

    #[test]
    fn the_same_question_is_answered_from_memory() {
        let index = NodeIndex::new(vec![node("a", &[], &[])], &[]);
        let first = index.eligible(&Placement::default());
        assert!(Arc::ptr_eq(&first, &index.eligible(&Placement::default())));
    }
}
