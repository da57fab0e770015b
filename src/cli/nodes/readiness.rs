//! Whether a node backs executors with swap, and what keeps it from that: facts in, words out.

use crate::cluster::kubelet_config::KubeletConfig;
use crate::sizing::class::Backend;
use crate::sizing::nodes::Node;
use crate::vocabulary::vocabulary;

vocabulary! {
    /// What is to be said about a node's swap. Several may be true at once.
    NodeStatus {
        Ready => "Swap is handed out, and a label says how much.",
        NoSwap => "The node has no swap: executors run there as ever, but get none.",
        SwapUnseen => "Swap is on or expected, but the kubelet saw none when it started: switch swap on, then restart the kubelet.",
        KubeletNoSwap => "The kubelet hands out none of the node's swap: set memorySwap.swapBehavior: LimitedSwap in its configuration (cgroup v2 only) and restart it.",
        FailSwapOn => "The kubelet does not start again while swap is on: set failSwapOn: false in its configuration.",
        FeatureGateOff => "The kubelet's feature gate NodeSwap is off: take it out of its configuration and restart it.",
        DockerRuntime => "cri-dockerd does not apply the kubelet's swap limits: run containerd or CRI-O.",
        KubeletUnreachable => "The kubelet did not answer, so that nobody knows whether it hands out swap.",
        NoEvidence => "The node has swap, but no label says that it is handed out: run spark-swap nodes --label.",
        EvidenceInvalid => "The label is not a whole number above 0 and counts as none: run spark-swap nodes --label.",
        EvidenceStale => "The label promises swap that the kubelet does not hand out: run spark-swap nodes --label.",
        EvidenceTooHigh => "A label promises more swap than there is, so that executors may come whose peak is not backed: run spark-swap nodes --label; labels of CRI-O and NRI are corrected by whoever set them.",
        EvidenceTooLow => "The label promises less swap than there is, and the rest is not counted on: run spark-swap nodes --label.",
    }
}

/// What a kubelet said about its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kubelet {
    /// It was not asked.
    NotAsked,
    /// It did not answer; why.
    Unreachable(String),
    /// Its configuration.
    Config(KubeletConfig),
}

/// What follows from a node and its kubelet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// In the order of the vocabulary; `Ready` stands alone.
    pub statuses: Vec<NodeStatus>,
    /// The kubelet hands out swap by its formula; `None` where its configuration is not known.
    pub is_handed_out: Option<bool>,
    /// What keeps the kubelet from handing out swap, also where another backend makes up for it.
    pub obstacles: Vec<NodeStatus>,
}

/// Node feature discovery sets it where `/proc/swaps` has an entry.
const SWAP_DISCOVERED: &str = "feature.node.kubernetes.io/memory-swap";

impl Readiness {
    /// Judges a node. Less than a permille of swap counts as none, for no label can promise it.
    pub fn of(node: &Node, kubelet: &Kubelet) -> Self {
        let obstacles = swap_and_kubelet(node, kubelet);
        let is_handed_out = match kubelet {
            Kubelet::Config(_) => Some(obstacles.is_empty()),
            Kubelet::NotAsked | Kubelet::Unreachable(_) => None,
        };
        let is_backed_otherwise = is_backed_by_an_explicit_backend(node);
        let mut statuses = obstacles.clone();
        if is_backed_otherwise {
            // The runtime grants the swap, whatever the kubelet would.
            statuses.retain(|status| *status != NodeStatus::KubeletNoSwap);
        }
        statuses.extend(evidence(node, is_handed_out, is_backed_otherwise));
        statuses.sort_unstable();
        if statuses.is_empty() {
            statuses.push(NodeStatus::Ready);
        }
        Self { statuses, is_handed_out, obstacles }
    }

    /// Nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.statuses == [NodeStatus::Ready]
    }
}

/// What keeps the kubelet from handing out swap; empty where its configuration says that it does.
fn swap_and_kubelet(node: &Node, kubelet: &Kubelet) -> Vec<NodeStatus> {
    let has_swap = node.actual_permille() > 0;
    let is_discovered = node.labels.get(SWAP_DISCOVERED).is_some_and(|value| value == "true");
    let mut statuses = Vec::new();
    let mut say = |status, holds: bool| statuses.extend(holds.then_some(status));
    match kubelet {
        Kubelet::Config(config) => {
            let is_expected = is_discovered || config.is_limited_swap();
            say(NodeStatus::NoSwap, !has_swap && !is_expected);
            say(NodeStatus::SwapUnseen, !has_swap && is_expected);
            let matters = has_swap || is_expected;
            say(NodeStatus::KubeletNoSwap, matters && !config.is_limited_swap());
            say(NodeStatus::FailSwapOn, matters && config.fail_swap_on);
            say(NodeStatus::FeatureGateOff, matters && config.is_gated_off());
            say(NodeStatus::DockerRuntime, matters && config.is_docker());
        }
        Kubelet::NotAsked | Kubelet::Unreachable(_) => {
            say(NodeStatus::NoSwap, !has_swap && !is_discovered);
            say(NodeStatus::SwapUnseen, !has_swap && is_discovered);
            say(NodeStatus::KubeletUnreachable, matches!(kubelet, Kubelet::Unreachable(_)));
        }
    }
    statuses
}

/// What is wrong with the labels.
fn evidence(node: &Node, is_handed_out: Option<bool>, is_backed_otherwise: bool) -> Vec<NodeStatus> {
    let actual = node.actual_permille();
    let promised = node.promised_permille(Backend::Kubelet);
    let is_labelled = node.labels.get(Backend::Kubelet.evidence_label()).is_some();
    let is_stale = is_handed_out == Some(false);
    let is_awaited = is_handed_out == Some(true) || !is_backed_otherwise;
    let is_too_high = |backend: &Backend| node.promised_permille(*backend) > actual;
    let mut judged = Backend::ALL.iter().filter(|backend| backend.is_explicit() || !is_stale);

    let mut statuses = Vec::new();
    let mut say = |status, holds: bool| statuses.extend(holds.then_some(status));
    say(NodeStatus::NoEvidence, !is_labelled && actual > 0 && !is_stale && is_awaited);
    say(NodeStatus::EvidenceInvalid, is_labelled && promised == 0);
    say(NodeStatus::EvidenceStale, promised > 0 && is_stale);
    say(NodeStatus::EvidenceTooHigh, judged.any(is_too_high));
    say(NodeStatus::EvidenceTooLow, promised > 0 && promised < actual && !is_stale);
    statuses
}

fn is_backed_by_an_explicit_backend(node: &Node) -> bool {
    let mut explicit = Backend::ALL.iter().filter(|backend| backend.is_explicit());
    node.actual_permille() > 0 && explicit.any(|backend| node.promised_permille(*backend) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITED: &str = r#"{"memorySwap": {"swapBehavior": "LimitedSwap"}, "failSwapOn": false"#;

    fn node(swap_gib: u64, labels: &[(&str, &str)]) -> Node {
        Node {
            name: "a".to_owned(),
            memory: 64 << 30,
            swap: swap_gib << 30,
            labels: labels.iter().copied().collect(),
            taints: Vec::new(),
        }
    }

    fn kubelet(config: &str) -> Kubelet {
        Kubelet::Config(KubeletConfig::from_configz(&format!(r#"{{"kubeletconfig": {config}}}"#)).unwrap())
    }

    fn words(node: &Node, kubelet: &Kubelet) -> String {
        let words: Vec<&str> =
            Readiness::of(node, kubelet).statuses.iter().map(|status| status.as_str()).collect();
        words.join(" ")
    }

    /// Swap in Gi beside 64Gi of memory, the label's value, and what is said of it.
    type Case<'a> = (u64, Option<&'a str>, &'a str);

    #[track_caller]
    fn assert_cases(kubelet: &Kubelet, cases: &[Case<'_>]) {
        for (swap, label, expected) in cases {
            let labels: Vec<_> =
                label.iter().map(|value| (Backend::Kubelet.evidence_label(), *value)).collect();
            assert_eq!(words(&node(*swap, &labels), kubelet), *expected, "{swap} {label:?} {kubelet:?}");
        }
    }

    #[test]
    fn a_kubelet_that_hands_out_swap_wants_a_label_that_says_how_much() {
        assert_cases(
            &kubelet(&format!("{LIMITED}}}")),
            &[
                (32, Some("500"), "Ready"),
                (32, None, "NoEvidence"),
                (32, Some("501"), "EvidenceTooHigh"),
                (32, Some("499"), "EvidenceTooLow"),
                (32, Some("0"), "EvidenceInvalid"),
                (32, Some("half"), "EvidenceInvalid"),
                (0, None, "SwapUnseen"),
                (0, Some("500"), "SwapUnseen EvidenceStale"),
            ],
        );
    }

    #[test]
    fn a_kubelet_that_hands_out_none_wants_no_label() {
        assert_cases(
            &kubelet(r#"{"memorySwap": {}, "failSwapOn": false}"#),
            &[
                (32, None, "KubeletNoSwap"),
                (32, Some("500"), "KubeletNoSwap EvidenceStale"),
                (32, Some("x"), "KubeletNoSwap EvidenceInvalid"),
                (0, None, "NoSwap"),
                (0, Some("500"), "NoSwap EvidenceStale"),
            ],
        );
    }

    #[test]
    fn everything_that_keeps_a_kubelet_from_it_is_said() {
        for (config, expected) in [
            ("{}".to_owned(), "KubeletNoSwap FailSwapOn"),
            (r#"{"memorySwap": {"swapBehavior": "LimitedSwap"}}"#.to_owned(), "FailSwapOn"),
            (format!(r#"{LIMITED}, "featureGates": {{"NodeSwap": false}}}}"#), "FeatureGateOff"),
            (
                format!(r#"{LIMITED}, "containerRuntimeEndpoint": "unix:///run/cri-dockerd.sock"}}"#),
                "DockerRuntime",
            ),
        ] {
            let found = Readiness::of(&node(32, &[]), &kubelet(&config));
            assert_eq!(
                (words(&node(32, &[]), &kubelet(&config)).as_str(), found.is_handed_out),
                (expected, Some(false))
            );
        }
    }

    #[test]
    fn without_the_kubelet_the_label_is_believed() {
        assert_cases(
            &Kubelet::NotAsked,
            &[
                (32, Some("500"), "Ready"),
                (32, None, "NoEvidence"),
                (32, Some("501"), "EvidenceTooHigh"),
                (32, Some("499"), "EvidenceTooLow"),
                (32, Some("-1"), "EvidenceInvalid"),
                (0, None, "NoSwap"),
                (0, Some("500"), "NoSwap EvidenceTooHigh"),
            ],
        );
        assert_cases(
            &Kubelet::Unreachable("no route".to_owned()),
            &[(32, Some("500"), "KubeletUnreachable"), (32, None, "KubeletUnreachable NoEvidence")],
        );
    }

    #[test]
    fn swap_that_was_switched_on_after_the_kubelet_shows_where_somebody_else_saw_it() {
        let discovered = node(0, &[(SWAP_DISCOVERED, "true")]);
        assert_eq!(words(&discovered, &Kubelet::NotAsked), "SwapUnseen");
        assert_eq!(words(&discovered, &kubelet("{}")), "SwapUnseen KubeletNoSwap FailSwapOn");
        assert_eq!(words(&discovered, &kubelet(&format!("{LIMITED}}}"))), "SwapUnseen");
    }

    #[test]
    fn another_backend_makes_up_for_the_kubelet() {
        let no_swap = kubelet(r#"{"failSwapOn": false}"#);
        for backend in [Backend::CrioAnnotation, Backend::NriMemoryQos] {
            let labelled = |value| node(32, &[(backend.evidence_label(), value)]);
            assert_eq!(words(&labelled("500"), &no_swap), "Ready");
            assert_eq!(words(&labelled("500"), &Kubelet::NotAsked), "Ready");
            assert_eq!(words(&labelled("400"), &no_swap), "Ready", "how much is its owner's choice");
            assert_eq!(words(&labelled("501"), &no_swap), "EvidenceTooHigh");
            assert_eq!(words(&labelled("0"), &no_swap), "KubeletNoSwap");
            assert_eq!(words(&labelled("500"), &kubelet(&format!("{LIMITED}}}"))), "NoEvidence");
            assert_eq!(Readiness::of(&labelled("500"), &no_swap).obstacles, [NodeStatus::KubeletNoSwap]);
        }
    }

    #[test]
    fn less_than_a_permille_of_swap_is_none() {
        let tiny = Node { swap: 1 << 20, ..node(0, &[]) };
        assert_eq!(words(&tiny, &Kubelet::NotAsked), "NoSwap");
        assert_eq!(words(&Node { memory: 0, ..node(32, &[]) }, &Kubelet::NotAsked), "NoSwap");
    }
}
