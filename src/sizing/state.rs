//! The state: everything a decision reads besides the pod, as one immutable snapshot.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::class::SwapClass;
use super::limit_range::{LimitRange, NamespaceLimits};
use super::nodes::{Node, NodeIndex, TaintPattern};

/// What arrived by watches or from files, reduced to what decisions read.
#[derive(Clone, Debug, Default)]
pub struct StateParts {
    /// Valid classes; names are unique.
    pub classes: Vec<SwapClass>,
    /// Nodes; names are unique.
    pub nodes: Vec<Node>,
    /// Namespaces with their labels; names are unique.
    pub namespaces: Vec<Namespace>,
    /// LimitRanges of all namespaces.
    pub limit_ranges: Vec<LimitRange>,
    /// ResourceQuotas of all namespaces.
    pub quotas: Vec<ResourceQuota>,
}

/// A Namespace, reduced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
}

/// A ResourceQuota, reduced to the resource names it limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceQuota {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The keys of `spec.hard`.
    pub hard: Vec<String>,
}

/// What the operator set for the process.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// RuntimeClasses whose pods may be changed (`--allow-runtime-class`).
    pub allowed_runtime_classes: Vec<String>,
    /// Taints that never rule a node out, besides the built-in ones (`--transient-taint`).
    pub transient_taints: Vec<TaintPattern>,
}

/// The state. Cheap to share; made anew when anything in it changes.
#[derive(Debug)]
pub struct State {
    classes: BTreeMap<String, Arc<SwapClass>>,
    default_class: Arc<SwapClass>,
    problems: Vec<String>,
    nodes: NodeIndex,
    namespaces: HashMap<String, NamespaceFacts>,
    settings: Settings,
}

/// What a namespace says about its executors.
#[derive(Debug, Default)]
pub struct NamespaceFacts {
    /// The label `spark-swap.io/class`.
    pub class: Option<String>,
    /// The composed LimitRanges.
    pub limits: NamespaceLimits,
    /// A ResourceQuota counts `limits.cpu`.
    pub cpu_limit_quota: bool,
}

/// The label that names the class on pods and namespaces.
pub const CLASS_LABEL: &str = "spark-swap.io/class";
/// The class name that opts out.
pub const OPT_OUT: &str = "none";

impl State {
    /// Composes the snapshot.
    pub fn new(mut parts: StateParts, settings: Settings) -> Self {
        let nodes = NodeIndex::new(std::mem::take(&mut parts.nodes), &settings.transient_taints);
        Self::with_nodes(parts, nodes, settings)
    }

    /// Composes the snapshot from nodes that are indexed already; those of `parts` do not count.
    pub fn with_nodes(parts: StateParts, nodes: NodeIndex, settings: Settings) -> Self {
        let StateParts { classes, nodes: _, namespaces, limit_ranges, quotas } = parts;
        let classes: BTreeMap<String, Arc<SwapClass>> =
            classes.into_iter().map(|class| (class.name.clone(), Arc::new(class))).collect();
        let mut defaults = classes.values().filter(|class| class.is_default);
        let default_class = defaults
            .next()
            .or_else(|| classes.get(SwapClass::BUILT_IN))
            .map_or_else(|| Arc::new(SwapClass::built_in()), Arc::clone);
        let problems = defaults
            .map(|class| {
                format!(
                    "SwapClass {}: metadata.annotations: {} is the default class already, this one is ignored as a default",
                    class.name, default_class.name
                )
            })
            .collect();
        let mut facts: HashMap<String, NamespaceFacts> = HashMap::new();
        for namespace in namespaces {
            let class = namespace.labels.get(CLASS_LABEL).cloned();
            facts.entry(namespace.name).or_default().class = class;
        }
        for range in limit_ranges {
            facts.entry(range.namespace.clone()).or_default().limits.add(&range);
        }
        for quota in quotas {
            let counts_cpu_limits = quota.hard.iter().any(|key| key == "limits.cpu");
            facts.entry(quota.namespace).or_default().cpu_limit_quota |= counts_cpu_limits;
        }
        Self { classes, default_class, problems, nodes, namespaces: facts, settings }
    }

    /// The class of this name: a SwapClass object, or the built-in one.
    pub fn class(&self, name: &str) -> Option<Arc<SwapClass>> {
        match self.classes.get(name) {
            Some(class) => Some(Arc::clone(class)),
            None if name == SwapClass::BUILT_IN => Some(Arc::new(SwapClass::built_in())),
            None => None,
        }
    }

    /// The class of executors that name none.
    pub fn default_class(&self) -> &Arc<SwapClass> {
        &self.default_class
    }

    /// Every SwapClass object, by name.
    pub fn classes(&self) -> impl Iterator<Item = &SwapClass> {
        self.classes.values().map(Arc::as_ref)
    }

    /// What an operator should know: for example two default classes.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// What the owner of a class should know: that another one is the default already.
    pub fn remark_on(&self, class: &str) -> Option<String> {
        let class = self.classes.get(class)?;
        let is_ignored = class.is_default && self.default_class.name != class.name;
        is_ignored.then(|| format!("not as the default class, which {} is already", self.default_class.name))
    }

    /// The nodes.
    pub fn nodes(&self) -> &NodeIndex {
        &self.nodes
    }

    /// What is known of a namespace; `None` when it was never seen.
    pub fn namespace(&self, name: &str) -> Option<&NamespaceFacts> {
        self.namespaces.get(name)
    }

    /// The operator's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl Default for State {
    /// No cluster known: the built-in class and no nodes.
    fn default() -> Self {
        Self::new(StateParts::default(), Settings::default())
    }
}
