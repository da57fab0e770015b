//! Where a pod may land: nodeSelector, required node affinity and tolerations, matched as the scheduler does.
//!
//! Mirrors `k8s.io/component-helpers/scheduling/corev1` (`nodeaffinity` and `MatchTolerations`).

use std::borrow::Cow;

use super::labels::Labels;

/// A taint of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Taint {
    /// The taint's key.
    pub key: String,
    /// The taint's value, possibly empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// A toleration of a pod or a class. Absent strings are empty, as in the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Toleration<'a> {
    /// Empty with `Exists`: every taint.
    pub key: Cow<'a, str>,
    /// `Exists`, `Equal`, `Lt`, `Gt`, or empty for `Equal`.
    pub operator: Cow<'a, str>,
    /// Compared with the taint's value.
    pub value: Cow<'a, str>,
    /// Empty: every effect.
    pub effect: Cow<'a, str>,
    /// `tolerationSeconds`; does not matter for scheduling.
    pub seconds: Option<i64>,
}

/// One term of a required node affinity: all of its requirements must hold; an empty term matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeSelectorTerm<'a> {
    /// Requirements on labels.
    pub expressions: Vec<Requirement<'a>>,
    /// Requirements on `metadata.name`.
    pub fields: Vec<Requirement<'a>>,
}

/// One requirement of a term.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Requirement<'a> {
    /// The label key or the field path.
    pub key: Cow<'a, str>,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt` or `Lt`.
    pub operator: Cow<'a, str>,
    /// The values; one for `Gt` and `Lt`.
    pub values: Vec<Cow<'a, str>>,
}

/// Everything of a pod and its class that decides where the pod may land.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement<'a> {
    /// `spec.nodeName`, when set and not empty.
    pub node_name: Option<Cow<'a, str>>,
    /// The pod's nodeSelector with the class's added.
    pub node_selector: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The required node affinity's terms; `None` when there is no requirement.
    pub required_terms: Option<Vec<NodeSelectorTerm<'a>>>,
    /// The pod's tolerations with the class's appended.
    pub tolerations: Vec<Toleration<'a>>,
}

impl Placement<'_> {
    /// The scheduler may bind the pod to a node with this name, these labels and these (lasting) taints.
    pub fn allows(&self, name: &str, labels: &Labels, taints: &[Taint]) -> bool {
        self.node_name.as_deref().is_none_or(|wanted| wanted == name)
            && self
                .node_selector
                .iter()
                .all(|(key, value)| labels.get(key.as_ref()).is_some_and(|found| found == value.as_ref()))
            && self
                .required_terms
                .as_ref()
                .is_none_or(|terms| terms.iter().any(|term| term.matches(name, labels)))
            && taints
                .iter()
                .filter(|taint| taint.effect == "NoSchedule" || taint.effect == "NoExecute")
                .all(|taint| self.tolerations.iter().any(|toleration| toleration.tolerates(taint)))
    }
}

impl NodeSelectorTerm<'_> {
    /// A term without requirements matches nothing.
    pub fn is_empty(&self) -> bool {
        self.expressions.is_empty() && self.fields.is_empty()
    }

    fn matches(&self, name: &str, labels: &Labels) -> bool {
        !self.is_empty()
            && self
                .expressions
                .iter()
                .all(|requirement| requirement.matches(labels.get(requirement.key.as_ref())))
            && self.fields.iter().all(|requirement| requirement.matches_field(name))
    }
}

impl Requirement<'_> {
    /// `found` is the label's value, `None` when the node does not have the label.
    fn matches(&self, found: Option<&str>) -> bool {
        let listed = |found: &str| self.values.iter().any(|value| value == found);
        match self.operator.as_ref() {
            "In" => found.is_some_and(listed),
            "NotIn" => !found.is_some_and(listed),
            "Exists" => found.is_some(),
            "DoesNotExist" => found.is_none(),
            "Gt" => self.compare(found).is_some_and(|(found, bound)| found > bound),
            "Lt" => self.compare(found).is_some_and(|(found, bound)| found < bound),
            // The API server refuses other operators; should one ever be added, more nodes is the safe side.
            _ => true,
        }
    }

    /// The only field there is: `metadata.name`, with one value.
    fn matches_field(&self, name: &str) -> bool {
        self.key != "metadata.name" || self.matches(Some(name))
    }

    fn compare(&self, found: Option<&str>) -> Option<(i64, i64)> {
        let [bound] = self.values.as_slice() else { return None };
        Some((found?.parse().ok()?, bound.parse().ok()?))
    }
}

impl Toleration<'_> {
    /// Mirrors `Toleration.ToleratesTaint` of `k8s.io/api/core/v1`.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        (self.effect.is_empty() || self.effect == taint.effect.as_str())
            && (self.key.is_empty() || self.key == taint.key.as_str())
            && match self.operator.as_ref() {
                "" | "Equal" => self.value == taint.value.as_str(),
                "Lt" => self.compare(taint).is_some_and(|(taint, bound)| taint < bound),
                "Gt" => self.compare(taint).is_some_and(|(taint, bound)| taint > bound),
                // Exists; and should an operator ever be added, more nodes is the safe side.
                _ => true,
            }
    }

    fn compare(&self, taint: &Taint) -> Option<(i64, i64)> {
        Some((taint.value.parse().ok()?, self.value.parse().ok()?))
    }
}

impl Placement<'_> {
    /// A string of bytes that is the same for two placements exactly when they are the same.
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        let mut key = Fingerprint(Vec::with_capacity(256));
        key.text(self.node_name.as_deref().unwrap_or_default());
        key.count(self.node_selector.len());
        for (name, value) in &self.node_selector {
            key.text(name);
            key.text(value);
        }
        key.count(self.required_terms.as_ref().map_or(usize::MAX, Vec::len));
        for term in self.required_terms.iter().flatten() {
            for requirements in [&term.expressions, &term.fields] {
                key.count(requirements.len());
                for requirement in requirements {
                    key.text(&requirement.key);
                    key.text(&requirement.operator);
                    key.count(requirement.values.len());
                    requirement.values.iter().for_each(|value| key.text(value));
                }
            }
        }
        for toleration in &self.tolerations {
            for text in [&toleration.key, &toleration.operator, &toleration.value, &toleration.effect] {
                key.text(text);
            }
        }
        key.0
    }
}

/// Length-prefixed, so that no two sequences of texts look the same.
struct Fingerprint(Vec<u8>);

impl Fingerprint {
    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&count.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }
}
