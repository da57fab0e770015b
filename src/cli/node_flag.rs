//! `--node memory=64Gi,swap=32Gi`: nodes that are described on the command line. They count as evidence.

use std::collections::{BTreeMap, HashSet};

use crate::cluster::allocatable::{Allocatable, AllocatableByNode, millis};
use crate::sizing::class::Backend;
use crate::sizing::label_syntax::{check_dns_subdomain, check_label_key, check_label_value};
use crate::sizing::labels::Labels;
use crate::sizing::nodes::Node;
use crate::sizing::placement::Taint;
use crate::sizing::quantity::{Quantity, QuantityError};

/// One `--node`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFlag {
    /// M, bytes.
    memory: u64,
    /// S, bytes.
    swap: u64,
    name: Option<String>,
    count: u64,
    labels: BTreeMap<String, String>,
    taints: Vec<Taint>,
    allocatable: Allocatable,
}

/// How `--node` is written; the manual.
pub const FORMAT: &str = "memory=64Gi[,swap=32Gi][,name=NAME][,count=N][,label=KEY=VALUE]...[,taint=KEY[=VALUE]:EFFECT]...[,allocatable=60Gi][,cpu=16]";
/// More would take long and say nothing more.
const MOST_NODES: u64 = 100_000;

impl NodeFlag {
    /// Nodes of which no more is known than this; sizes in bytes.
    pub fn plain(memory: u64, swap: u64, count: u64, allocatable: Allocatable) -> Self {
        Self { memory, swap, name: None, count, labels: BTreeMap::new(), taints: Vec::new(), allocatable }
    }

    /// Reads the value of a `--node`.
    ///
    /// # Errors
    /// What is wrong with it and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut fields = Fields::default();
        for part in text.split(',') {
            let Some((key, value)) = part.split_once('=') else {
                return Err(format!("{part:?} is not of the form KEY=VALUE; write {FORMAT}"));
            };
            fields.set(key.trim(), value.trim())?;
        }
        let memory = fields.memory.filter(|memory| *memory > 0);
        let memory = memory.ok_or_else(|| format!("memory is missing or 0; write {FORMAT}"))?;
        let Fields { swap, name, count, labels, taints, allocatable, .. } = fields;
        let swap = swap.unwrap_or(0);
        Ok(Self { memory, swap, name, count: count.unwrap_or(1), labels, taints, allocatable })
    }
}

/// Adds the nodes that the flags describe to nodes that are known already.
///
/// # Errors
/// A name that is taken.
pub fn add_nodes(
    flags: &[NodeFlag],
    nodes: &mut Vec<Node>,
    allocatable: &mut AllocatableByNode,
) -> Result<(), String> {
    let mut taken: HashSet<String> = nodes.iter().map(|node| node.name.clone()).collect();
    for (place, flag) in flags.iter().enumerate() {
        for name in names(place, flag) {
            if !taken.insert(name.clone()) {
                return Err(is_taken(&name));
            }
            allocatable.insert(name.clone(), flag.allocatable);
            nodes.push(node(flag, name));
        }
    }
    Ok(())
}

/// A flag without a name is one more node: it must not replace the node of a cluster that happens to have its default
/// name.
///
/// # Errors
/// A default name that a node of the cluster has.
pub fn check_default_names(flags: &[NodeFlag], of_cluster: &[Node]) -> Result<(), String> {
    let taken: HashSet<&str> = of_cluster.iter().map(|node| node.name.as_str()).collect();
    let unnamed = flags.iter().enumerate().filter(|(_, flag)| flag.name.is_none());
    let mut names = unnamed.flat_map(|(place, flag)| names(place, flag));
    names.find(|name| taken.contains(name.as_str())).map_or(Ok(()), |name| Err(is_taken(&name)))
}

fn names(place: usize, flag: &NodeFlag) -> impl Iterator<Item = String> {
    let base = flag.name.clone().unwrap_or_else(|| format!("node-{}", place.saturating_add(1)));
    let is_one = flag.count == 1;
    (1..=flag.count).map(move |copy| if is_one { base.clone() } else { format!("{base}-{copy}") })
}

fn is_taken(name: &str) -> String {
    format!("--node: the node {name} is known already; give this one another name=")
}

fn node(flag: &NodeFlag, name: String) -> Node {
    let permille =
        u128::from(flag.swap).saturating_mul(1000).checked_div(u128::from(flag.memory)).unwrap_or(0);
    let mut labels: BTreeMap<String, String> =
        [("kubernetes.io/hostname", name.as_str()), ("kubernetes.io/os", "linux")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
    if permille > 0 {
        labels.extend(Backend::ALL.iter().map(|via| (via.evidence_label().to_owned(), permille.to_string())));
    }
    labels.extend(flag.labels.clone());
    Node {
        name,
        memory: flag.memory,
        swap: flag.swap,
        labels: Labels::from_iter(labels),
        taints: flag.taints.clone(),
    }
}

#[derive(Default)]
struct Fields {
    memory: Option<u64>,
    swap: Option<u64>,
    name: Option<String>,
    count: Option<u64>,
    labels: BTreeMap<String, String>,
    taints: Vec<Taint>,
    allocatable: Allocatable,
}

impl Fields {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let at_key = |problem: String| format!("{key}={value}: {problem}");
        match key {
            "memory" => once(&mut self.memory, key, bytes(value).map_err(at_key)?),
            "swap" => once(&mut self.swap, key, bytes(value).map_err(at_key)?),
            "name" => {
                check_dns_subdomain(value).map_err(|problem| at_key(problem.to_owned()))?;
                once(&mut self.name, key, value.to_owned())
            }
            "count" => once(&mut self.count, key, count(value).map_err(at_key)?),
            "label" => {
                let (name, text) = label(value).map_err(at_key)?;
                let known = self.labels.insert(name.clone(), text);
                known.map_or(Ok(()), |_| Err(format!("label {name} is given twice")))
            }
            "taint" => {
                self.taints.push(taint(value).map_err(at_key)?);
                Ok(())
            }
            "allocatable" => once(&mut self.allocatable.memory, key, bytes(value).map_err(at_key)?),
            "cpu" => once(&mut self.allocatable.cpu_millis, key, cpu_millis(value).map_err(at_key)?),
            _ => Err(format!("{key:?} is not known; write {FORMAT}")),
        }
    }
}

fn once<T>(field: &mut Option<T>, key: &str, value: T) -> Result<(), String> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{key} is given twice")),
    }
}

/// A quantity of bytes.
///
/// # Errors
/// What is wrong with it.
pub fn bytes(text: &str) -> Result<u64, String> {
    let quantity: Quantity = text.parse().map_err(|error: QuantityError| error.to_string())?;
    quantity.bytes().ok_or_else(|| "is negative".to_owned())
}

/// A quantity of cpu, in thousandths of a core.
///
/// # Errors
/// What is wrong with it.
pub fn cpu_millis(text: &str) -> Result<u64, String> {
    let quantity: Quantity = text.parse().map_err(|error: QuantityError| error.to_string())?;
    millis(quantity).ok_or_else(|| "is negative".to_owned())
}

/// A number of nodes.
///
/// # Errors
/// It is not one, or too large.
pub fn count(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|count| (1..=MOST_NODES).contains(count));
    count.ok_or_else(|| format!("is not a number from 1 to {MOST_NODES}"))
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    check_label_key(key).map_err(|problem| format!("{key:?} {problem}"))?;
    check_label_value(value).map_err(|problem| format!("{value:?} {problem}"))?;
    Ok((key.to_owned(), value.to_owned()))
}

fn taint(text: &str) -> Result<Taint, String> {
    const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    let (taint, effect) = text.rsplit_once(':').ok_or("write KEY=VALUE:EFFECT or KEY:EFFECT")?;
    if !EFFECTS.contains(&effect) {
        return Err(format!("{effect:?} is not one of {}", EFFECTS.join(", ")));
    }
    let (key, value) = taint.split_once('=').unwrap_or((taint, ""));
    check_label_key(key).map_err(|problem| format!("{key:?} {problem}"))?;
    Ok(Taint { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(flags: &[&str]) -> Result<Vec<Node>, String> {
        let flags = flags.iter().map(|text| NodeFlag::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let mut nodes = Vec::new();
        add_nodes(&flags, &mut nodes, &mut AllocatableByNode::new())?;
        Ok(nodes)
    }

    fn evidence(node: &Node) -> Vec<u64> {
        Backend::ALL.iter().map(|via| node.promised_permille(*via)).collect()
    }

    #[test]
    fn swap_counts_as_evidence_for_every_backend() {
        let nodes =
            nodes(&["memory=64Gi,swap=32Gi", "memory=64Gi,swap=0", "memory=3Gi,swap=1Gi,name=odd"]).unwrap();
        assert_eq!(
            nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(),
            ["node-1", "node-2", "odd"]
        );
        assert_eq!(nodes.iter().map(evidence).collect::<Vec<_>>(), [[500; 3], [0; 3], [333; 3]]);
        assert_eq!((nodes[0].memory, nodes[0].swap), (64 << 30, 32 << 30));
    }

    #[test]
    fn labels_taints_and_copies() {
        let text = "memory=64Gi, swap=32Gi, count=2, name=pool, label=node-pool=spark, \
                    label=spark-swap.io/limited-swap-permille=400, taint=dedicated=spark:NoSchedule, taint=x:NoExecute";
        let nodes = nodes(&[text]).unwrap();
        assert_eq!(nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["pool-1", "pool-2"]);
        assert_eq!(evidence(&nodes[0]), [400, 500, 500], "a label on the command line wins");
        assert_eq!(nodes[1].labels.get("node-pool"), Some("spark"));
        assert_eq!(nodes[1].labels.get("kubernetes.io/hostname"), Some("pool-2"));
        assert_eq!(nodes[1].taints.len(), 2);
    }

    #[test]
    fn bad_values_say_what_is_wrong() {
        for (text, problem) in [
            ("64Gi", "\"64Gi\" is not of the form KEY=VALUE; write memory=64Gi"),
            ("swap=1Gi", "memory is missing or 0"),
            ("memory=0", "memory is missing or 0"),
            ("memory=64GB", "memory=64GB: is not a quantity"),
            ("memory=-1Gi", "memory=-1Gi: is negative"),
            ("memory=1Gi,memory=2Gi", "memory is given twice"),
            ("memroy=1Gi", "\"memroy\" is not known; write memory=64Gi"),
            ("memory=1Gi,cpu=many", "cpu=many: is not a quantity"),
            ("memory=1Gi,count=0", "count=0: is not a number from 1 to 100000"),
            ("memory=1Gi,name=Node_1", "name=Node_1: is not lower-case letters"),
            ("memory=1Gi,label=a", "label=a: write KEY=VALUE"),
            ("memory=1Gi,label=a=b c", "label=a=b c: \"b c\" is not letters, digits"),
            ("memory=1Gi,taint=a", "taint=a: write KEY=VALUE:EFFECT or KEY:EFFECT"),
            ("memory=1Gi,taint=a:Never", "taint=a:Never: \"Never\" is not one of NoSchedule"),
        ] {
            let error = nodes(&[text]).unwrap_err();
            assert!(error.starts_with(problem), "{text}: {error}");
        }
        let error = nodes(&["memory=1Gi,name=a", "memory=1Gi,name=a"]).unwrap_err();
        assert_eq!(error, "--node: the node a is known already; give this one another name=");
        let of_cluster = nodes(&["memory=1Gi,name=node-1"]).unwrap();
        let check = |flag: &str| check_default_names(&[NodeFlag::parse(flag).unwrap()], &of_cluster);
        assert_eq!(check("memory=1Gi,name=node-1"), Ok(()), "a name that is given is meant to replace");
        assert_eq!(
            check("memory=1Gi").unwrap_err(),
            "--node: the node node-1 is known already; give this one another name="
        );
    }
}
