//! The objects of a cluster as watches bring them, and the state they make up. Pure: it is told what arrived, and says
//! whether anything that decisions read has changed, so that a node's heartbeat costs nothing.

mod collection;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::objects::{Identity, Kind, Object};
use crate::sizing::class::SwapClass;
use crate::sizing::fields::Problem;
use crate::sizing::labels::SharedTexts;
use crate::sizing::limit_range::LimitRange;
use crate::sizing::nodes::{Node, NodeIndex};
use crate::sizing::state::{CLASS_LABEL, Namespace, ResourceQuota, Settings, State, StateParts};
use collection::{Collection, Key, Listing};

/// What is known of a cluster.
#[derive(Debug, Default)]
pub struct LiveState {
    settings: Settings,
    classes: Collection<SwapClass>,
    nodes: Collection<Arc<Node>>,
    namespaces: Collection<Namespace>,
    limit_ranges: Collection<LimitRange>,
    quotas: Collection<ResourceQuota>,
    problems: HashMap<Identity, Vec<Problem>>,
    /// Of those, which a list in progress has not brought yet.
    unconfirmed: HashSet<Identity>,
    texts: SharedTexts,
}

/// What a watch tells of a kind.
#[derive(Debug)]
pub enum Event {
    /// A list begins; what is not in it is gone.
    ListBegins,
    /// An object was listed, added or changed.
    Applied(Identity, Result<Object, Vec<Problem>>),
    /// An object was deleted.
    Deleted(Identity),
    /// The list is complete.
    ListEnds,
}

/// Whether an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Decisions are what they were.
    None,
    /// The state is another one.
    Changed,
}

impl LiveState {
    /// Nothing is known yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Takes in what a watch of `kind` tells.
    pub fn take(&mut self, kind: Kind, event: Event) -> Effect {
        match event {
            Event::ListBegins => {
                let known = self.problems.keys().filter(|identity| identity.kind == kind);
                self.unconfirmed.extend(known.cloned());
                self.collection(kind).begin();
                Effect::None
            }
            Event::ListEnds => {
                for gone in self.unconfirmed.extract_if(|identity| identity.kind == kind) {
                    self.problems.remove(&gone);
                }
                self.collection(kind).end()
            }
            Event::Deleted(identity) => {
                self.problems.remove(&identity);
                self.collection(kind).remove(&key(identity))
            }
            Event::Applied(identity, Ok(object)) => {
                self.problems.remove(&identity);
                self.put(key(identity), object)
            }
            // The last good version stays in force.
            Event::Applied(identity, Err(problems)) => {
                self.unconfirmed.remove(&identity);
                self.problems.insert(identity.clone(), problems);
                self.collection(kind).keep(&key(identity));
                Effect::None
            }
        }
    }

    /// No complete list of the kind arrived yet: until then the state must not be used.
    pub fn is_missing(&self, kind: Kind) -> bool {
        !match kind {
            Kind::SwapClass => self.classes.is_synced,
            Kind::Node => self.nodes.is_synced,
            Kind::Namespace => self.namespaces.is_synced,
            Kind::LimitRange => self.limit_ranges.is_synced,
            Kind::ResourceQuota => self.quotas.is_synced,
        }
    }

    /// The state. Cheap: the nodes, most of it, are shared with the states before.
    pub fn state(&self) -> State {
        let parts = StateParts {
            classes: self.classes.objects.values().cloned().collect(),
            nodes: Vec::new(),
            namespaces: self.namespaces.objects.values().cloned().collect(),
            limit_ranges: self.limit_ranges.objects.values().cloned().collect(),
            quotas: self.quotas.objects.values().cloned().collect(),
        };
        let nodes = NodeIndex::shared(self.nodes.objects.values().map(Arc::clone).collect());
        State::with_nodes(parts, nodes, self.settings.clone())
    }

    /// These problems of an object are what was wrong with it before.
    pub fn knows(&self, identity: &Identity, problems: &[Problem]) -> bool {
        self.problems.get(identity).is_some_and(|known| known == problems)
    }

    /// What is wrong with objects whose newest version cannot be used.
    pub fn problems(&self) -> impl Iterator<Item = (&Identity, &[Problem])> {
        self.problems.iter().map(|(identity, problems)| (identity, problems.as_slice()))
    }

    /// How many objects of a kind are in force.
    pub fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::SwapClass => self.classes.objects.len(),
            Kind::Node => self.nodes.objects.len(),
            Kind::Namespace => self.namespaces.objects.len(),
            Kind::LimitRange => self.limit_ranges.objects.len(),
            Kind::ResourceQuota => self.quotas.objects.len(),
        }
    }

    /// Adds or replaces an object, without what no decision reads.
    fn put(&mut self, key: Key, object: Object) -> Effect {
        match object {
            Object::SwapClass(class) => self.classes.put(key, *class),
            Object::Node(mut node) => {
                node.forget_transient_taints(&self.settings.transient_taints);
                if self.nodes.has(&key, |known| **known == node) {
                    return Effect::None;
                }
                node.labels = node.labels.shared(&mut self.texts);
                self.nodes.put(key, Arc::new(node))
            }
            Object::Namespace(mut namespace) => {
                namespace.labels.retain(|label, _| label == CLASS_LABEL);
                self.namespaces.put(key, namespace)
            }
            Object::LimitRange(range) => self.limit_ranges.put(key, range),
            Object::ResourceQuota(quota) => self.quotas.put(key, quota),
        }
    }

    fn collection(&mut self, kind: Kind) -> &mut dyn Listing {
        match kind {
            Kind::SwapClass => &mut self.classes,
            Kind::Node => &mut self.nodes,
            Kind::Namespace => &mut self.namespaces,
            Kind::LimitRange => &mut self.limit_ranges,
            Kind::ResourceQuota => &mut self.quotas,
        }
    }
}

fn key(identity: Identity) -> Key {
    (identity.namespace, identity.name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn apply(live: &mut LiveState, kind: Kind, object: &Value) -> Effect {
        live.take(kind, Event::Applied(identity(kind, object), Object::read(kind, object)))
    }

    fn identity(kind: Kind, object: &Value) -> Identity {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        Identity { kind, namespace: object["metadata"]["namespace"].as_str().map(str::to_owned), name }
    }

    fn list(live: &mut LiveState, kind: Kind, objects: &[Value]) -> Effect {
        live.take(kind, Event::ListBegins);
        for object in objects {
            assert_eq!(apply(live, kind, object), Effect::None, "a list counts when it is complete");
        }
        live.take(kind, Event::ListEnds)
    }

    fn node(name: &str, swap: u64, taint: &str) -> Value {
        json!({
            "metadata": {"name": name},
            "spec": {"taints": [{"key": taint, "effect": "NoSchedule"}]},
            "status": {"capacity": {"memory": "64Gi"}, "nodeInfo": {"swap": {"capacity": swap}}},
        })
    }

    fn class(strategy: &str) -> Value {
        json!({"metadata": {"name": "batch"}, "spec": {"strategy": strategy}})
    }

    fn strategy(live: &LiveState) -> Option<&'static str> {
        live.state().class("batch").map(|class| class.strategy.as_str())
    }

    #[test]
    fn a_kind_is_missing_until_its_first_list_is_complete() {
        let mut live = LiveState::new(Settings::default());
        live.take(Kind::Node, Event::ListBegins);
        assert!(live.is_missing(Kind::Node));
        assert_eq!(live.take(Kind::Node, Event::ListEnds), Effect::Changed, "also when there are none");
        assert!(!live.is_missing(Kind::Node) && live.is_missing(Kind::Namespace));
    }

    #[test]
    fn what_no_decision_reads_changes_nothing() {
        let mut live = LiveState::new(Settings::default());
        list(&mut live, Kind::Node, &[node("a", 1 << 30, "pool")]);
        list(&mut live, Kind::Namespace, &[json!({"metadata": {"name": "etl", "labels": {"team": "x"}}})]);
        assert_eq!(apply(&mut live, Kind::Node, &node("a", 1 << 30, "pool")), Effect::None);
        let mut cordoned = node("a", 1 << 30, "pool");
        let taints = cordoned["spec"]["taints"].as_array_mut().unwrap();
        taints.push(json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}));
        assert_eq!(apply(&mut live, Kind::Node, &cordoned), Effect::None);
        let renamed = json!({"metadata": {"name": "etl", "labels": {"team": "y"}}});
        assert_eq!(apply(&mut live, Kind::Namespace, &renamed), Effect::None);

        assert_eq!(apply(&mut live, Kind::Node, &node("a", 2 << 30, "pool")), Effect::Changed);
        assert_eq!(apply(&mut live, Kind::Node, &node("a", 2 << 30, "other")), Effect::Changed);
        let labelled = json!({"metadata": {"name": "etl", "labels": {"spark-swap.io/class": "none"}}});
        assert_eq!(apply(&mut live, Kind::Namespace, &labelled), Effect::Changed);
    }

    #[test]
    fn what_a_new_list_lacks_is_gone_and_the_state_is_whole_meanwhile() {
        let mut live = LiveState::new(Settings::default());
        list(&mut live, Kind::Node, &[node("a", 0, "x"), node("b", 0, "x")]);
        live.take(Kind::Node, Event::ListBegins);
        assert_eq!(live.state().nodes().nodes().len(), 2);
        apply(&mut live, Kind::Node, &node("b", 0, "x"));
        assert_eq!(live.take(Kind::Node, Event::ListEnds), Effect::Changed);
        assert_eq!(live.state().nodes().nodes().len(), 1);
        assert_eq!(list(&mut live, Kind::Node, &[node("b", 0, "x")]), Effect::None, "the same list again");
    }

    #[test]
    fn the_last_good_version_of_a_class_stays_in_force_through_bad_ones_and_new_lists() {
        let mut live = LiveState::new(Settings::default());
        list(&mut live, Kind::SwapClass, &[class("Density")]);
        assert_eq!(apply(&mut live, Kind::SwapClass, &class("Dense")), Effect::None);
        assert_eq!(strategy(&live), Some("Density"));
        assert_eq!(live.problems().count(), 1);
        list(&mut live, Kind::SwapClass, &[class("Dense")]);
        assert_eq!((strategy(&live), live.problems().count()), (Some("Density"), 1));
        assert_eq!(apply(&mut live, Kind::SwapClass, &class("HeapGrowth")), Effect::Changed);
        assert_eq!((strategy(&live), live.problems().count()), (Some("HeapGrowth"), 0));
        let deleted = Event::Deleted(identity(Kind::SwapClass, &class("HeapGrowth")));
        assert_eq!(live.take(Kind::SwapClass, deleted), Effect::Changed);
        assert_eq!(strategy(&live), None);
    }

    #[test]
    fn problems_outlive_lists_that_fail_and_go_with_their_object() {
        let mut live = LiveState::new(Settings::default());
        list(&mut live, Kind::SwapClass, &[class("Dense")]);
        list(&mut live, Kind::Node, &[]);
        let problems =
            live.problems().next().map(|(identity, problems)| (identity.clone(), problems.to_vec()));
        let (identity, problems) = problems.unwrap();
        live.take(Kind::SwapClass, Event::ListBegins);
        live.take(Kind::SwapClass, Event::ListBegins);
        assert!(live.knows(&identity, &problems), "a list that broke off says nothing about it");
        apply(&mut live, Kind::SwapClass, &class("Dense"));
        live.take(Kind::SwapClass, Event::ListEnds);
        assert!(live.knows(&identity, &problems));
        list(&mut live, Kind::SwapClass, &[]);
        assert_eq!(live.problems().count(), 0);
    }

    #[test]
    fn nodes_are_shared_between_states() {
        let mut live = LiveState::new(Settings::default());
        list(&mut live, Kind::Node, &[node("a", 0, "x")]);
        let (one, other) = (live.state(), live.state());
        assert!(Arc::ptr_eq(&one.nodes().nodes()[0], &other.nodes().nodes()[0]));
    }
}
