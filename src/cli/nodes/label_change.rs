//! `spark-swap nodes --label`: what becomes of a node's evidence label, and how that is told.

use serde_json::Value;

use super::fleet::NodeFacts;
use super::readiness::{Kubelet, NodeStatus, Readiness};
use crate::sizing::class::Backend;

/// The label that is written: the evidence of swap by the kubelet's formula.
pub const LABEL: &str = Backend::Kubelet.evidence_label();

/// The word under which nodes are counted whose kubelet does not answer.
pub const UNREACHABLE: &str = "unreachable";

/// What becomes of a node's label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is to say this permille.
    Write(u64),
    /// It is to go: the kubelet does not hand out what it promises.
    Remove(String),
    /// It says what it should.
    Keep(u64),
    /// There is none, and rightly so; why.
    None(String),
    /// Nobody knows: the kubelet did not answer; why.
    Unknown(String),
}

impl Change {
    /// Decides. The label is to say exactly the permille that the kubelet hands out now: a lower promise would leave
    /// swap unused, and sizing never counts on more than there is.
    pub fn of(facts: &NodeFacts, readiness: &Readiness) -> Self {
        let node = &facts.node;
        let label = node.labels.get(LABEL);
        match (readiness.is_handed_out, &facts.kubelet) {
            (Some(true), _)
                if label.is_some() && node.promised_permille(Backend::Kubelet) == node.actual_permille() =>
            {
                Self::Keep(node.actual_permille())
            }
            (Some(true), _) => Self::Write(node.actual_permille()),
            (Some(false), _) if label.is_some() => Self::Remove(causes(readiness)),
            (Some(false), _) => Self::None(causes(readiness)),
            // Whatever the kubelet of such a node would say, there is nothing to do.
            (None, _) if label.is_none() && node.actual_permille() == 0 => Self::None(causes(readiness)),
            (None, Kubelet::Unreachable(cause)) => Self::Unknown(cause.clone()),
            (None, _) => Self::Unknown("it was not asked".to_owned()),
        }
    }

    /// The line about it, as kubectl would write it. `before` is the label as it was.
    pub fn line(&self, name: &str, before: Option<&str>) -> String {
        match (self, before) {
            (Self::Write(permille), None) => format!("node/{name} labeled ({permille})"),
            (Self::Write(permille), Some(before)) => {
                format!("node/{name} labeled ({permille}, was {before})")
            }
            (Self::Remove(cause), _) => format!("node/{name} unlabeled: {cause}"),
            (Self::Keep(permille), _) => format!("node/{name} unchanged ({permille})"),
            (Self::None(cause), _) => format!("node/{name} not labeled: {cause}"),
            (Self::Unknown(cause), _) => {
                format!("node/{name}: its kubelet does not answer, and its label stays as it is: {cause}")
            }
        }
    }

    /// The word under which it is counted.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Write(_) => "labeled",
            Self::Remove(_) => "unlabeled",
            Self::Keep(_) => "unchanged",
            Self::None(_) => "not labeled",
            Self::Unknown(_) => UNREACHABLE,
        }
    }

    /// The label's value in a merge patch, where null removes; `None` where there is nothing to do.
    pub fn value(&self) -> Option<Value> {
        match self {
            Self::Write(permille) => Some(permille.to_string().into()),
            Self::Remove(_) => Some(Value::Null),
            Self::Keep(_) | Self::None(_) | Self::Unknown(_) => None,
        }
    }
}

/// Why the kubelet hands out nothing.
fn causes(readiness: &Readiness) -> String {
    let cause = |status: &NodeStatus| match status {
        NodeStatus::NoSwap => Some("the node has no swap"),
        NodeStatus::SwapUnseen => Some("the kubelet saw no swap when it started (restart it)"),
        NodeStatus::KubeletNoSwap => Some("the kubelet runs with NoSwap"),
        NodeStatus::FailSwapOn => Some("the kubelet has failSwapOn: true"),
        NodeStatus::FeatureGateOff => Some("the kubelet's feature gate NodeSwap is off"),
        NodeStatus::DockerRuntime => Some("cri-dockerd does not apply the kubelet's swap limits"),
        _ => None,
    };
    let causes: Vec<&str> = readiness.obstacles.iter().filter_map(cause).collect();
    causes.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kubelet_config::KubeletConfig;
    use crate::sizing::nodes::Node;

    fn told(swap_gib: u64, label: Option<&str>, kubelet: &Kubelet) -> String {
        let node = Node {
            name: "a".to_owned(),
            memory: 64 << 30,
            swap: swap_gib << 30,
            labels: label.iter().map(|value| (LABEL, *value)).collect(),
            taints: Vec::new(),
        };
        let facts = NodeFacts { node, kubelet: kubelet.clone(), executors: None };
        let change = Change::of(&facts, &Readiness::of(&facts.node, &facts.kubelet));
        let value = change.value().map(|value| value.as_str().unwrap_or("none").to_owned());
        format!("{} => {}", change.line("a", label), value.unwrap_or_default())
    }

    fn config(text: &str) -> Kubelet {
        Kubelet::Config(KubeletConfig::from_configz(&format!(r#"{{"kubeletconfig": {text}}}"#)).unwrap())
    }

    #[test]
    fn the_label_says_what_the_kubelet_hands_out() {
        let limited = config(r#"{"memorySwap": {"swapBehavior": "LimitedSwap"}, "failSwapOn": false}"#);
        for (swap, label, expected) in [
            (32, None, "node/a labeled (500) => 500"),
            (32, Some("900"), "node/a labeled (500, was 900) => 500"),
            (32, Some("100"), "node/a labeled (500, was 100) => 500"),
            (32, Some("x"), "node/a labeled (500, was x) => 500"),
            (32, Some("500"), "node/a unchanged (500) => "),
            (0, None, "node/a not labeled: the kubelet saw no swap when it started (restart it) => "),
            (
                0,
                Some("500"),
                "node/a unlabeled: the kubelet saw no swap when it started (restart it) => none",
            ),
        ] {
            assert_eq!(told(swap, label, &limited), expected);
        }
    }

    #[test]
    fn a_label_without_a_kubelet_behind_it_goes() {
        let no_swap = config(r#"{"failSwapOn": false}"#);
        for (swap, label, expected) in [
            (32, None, "node/a not labeled: the kubelet runs with NoSwap => "),
            (32, Some("500"), "node/a unlabeled: the kubelet runs with NoSwap => none"),
            (0, None, "node/a not labeled: the node has no swap => "),
            (0, Some("500"), "node/a unlabeled: the node has no swap => none"),
        ] {
            assert_eq!(told(swap, label, &no_swap), expected);
        }
        assert_eq!(
            told(32, None, &config("{}")),
            "node/a not labeled: the kubelet runs with NoSwap, the kubelet has failSwapOn: true => "
        );
    }

    #[test]
    fn a_kubelet_that_does_not_answer_leaves_the_label_alone() {
        let silent = Kubelet::Unreachable("no route".to_owned());
        let untouched = "node/a: its kubelet does not answer, and its label stays as it is: no route => ";
        assert_eq!(told(32, None, &silent), untouched);
        assert_eq!(told(32, Some("500"), &silent), untouched);
        assert_eq!(told(0, Some("500"), &silent), untouched);
        // Whatever it would answer, there is nothing to do.
        assert_eq!(told(0, None, &silent), "node/a not labeled: the node has no swap => ");
    }
}
