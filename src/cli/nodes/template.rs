//! The label on nodes that do not exist yet: a group that an autoscaler grows takes it from its template.

use std::collections::BTreeMap;

use super::label_change::LABEL;
use crate::cli::sentences::counted;
use crate::cluster::node_group::{NodeGroup, Provider};
use crate::sizing::nodes::Node;

/// What to do about the templates of groups whose nodes were labelled, once a group. `labelled`: the nodes, each with
/// the permille that its label says now.
pub fn notes<'n>(labelled: impl IntoIterator<Item = (&'n Node, u64)>) -> Vec<String> {
    let mut groups: BTreeMap<NodeGroup<'n>, Vec<u64>> = BTreeMap::new();
    for (node, permille) in labelled {
        if let Some(group) = NodeGroup::of(&node.labels) {
            groups.entry(group).or_default().push(permille);
        }
    }
    groups.iter().map(|(group, promises)| note(group, promises)).collect()
}

fn note(group: &NodeGroup<'_>, promises: &[u64]) -> String {
    // What every node of the group keeps.
    let permille = promises.iter().min().copied().unwrap_or(0);
    format!(
        "{group} ({} here): if it is autoscaled, its template must carry the label too, or no scale-up happens \
         for executors that need swap:\n  {LABEL}={permille}\n  {}",
        counted(promises.len(), "node", "nodes"),
        steps(group, permille).join("\n  ")
    )
}

/// How the template gets the label.
fn steps(group: &NodeGroup<'_>, permille: u64) -> Vec<String> {
    let name = group.name;
    let asg = || {
        format!(
            "cluster-autoscaler, to scale up from zero: tag the Auto Scaling group with \
             k8s.io/cluster-autoscaler/node-template/label/{LABEL}={permille}"
        )
    };
    let all = "give the labels that the pool has already too: this sets all of them";
    match group.provider {
        Provider::Karpenter if group.label == "karpenter.sh/nodepool" => vec![
            format!(
                "kubectl patch nodepool {name} --type merge -p \
                 '{{\"spec\":{{\"template\":{{\"metadata\":{{\"labels\":{{\"{LABEL}\":\"{permille}\"}}}}}}}}}}'"
            ),
            "Karpenter may replace the nodes it made before, as drifted ones".to_owned(),
        ],
        Provider::Eks => vec![
            format!(
                "aws eks update-nodegroup-config --cluster-name CLUSTER --nodegroup-name {name} \
                 --labels 'addOrUpdateLabels={{{LABEL}={permille}}}'"
            ),
            asg(),
        ],
        Provider::Eksctl | Provider::Kops => vec![format!("in {}", group.provider.text()), asg()],
        Provider::Gke => vec![
            format!(
                "gcloud container node-pools update {name} --cluster CLUSTER --node-labels {LABEL}={permille}"
            ),
            all.to_owned(),
        ],
        Provider::Aks => vec![
            format!(
                "az aks nodepool update --resource-group GROUP --cluster-name CLUSTER --name {name} \
                 --labels {LABEL}={permille}"
            ),
            all.to_owned(),
        ],
        _ => vec![format!("in {}", group.provider.text())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(labels: &[(&str, &str)]) -> Node {
        Node {
            name: "a".to_owned(),
            memory: 0,
            swap: 0,
            labels: labels.iter().copied().collect(),
            taints: Vec::new(),
        }
    }

    #[test]
    fn each_group_is_told_of_once_with_what_all_its_nodes_keep() {
        let workers = node(&[("karpenter.sh/nodepool", "workers")]);
        let other = node(&[("eks.amazonaws.com/nodegroup", "other")]);
        let alone = node(&[("pool", "x")]);
        let notes = notes([(&workers, 500), (&other, 300), (&workers, 498), (&alone, 500)]);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(
            notes[0].starts_with("node group karpenter.sh/nodepool=workers (2 nodes here): "),
            "{}",
            notes[0]
        );
        assert!(notes[0].contains("\n  spark-swap.io/limited-swap-permille=498\n"), "{}", notes[0]);
        assert!(
            notes[1].contains(
                "k8s.io/cluster-autoscaler/node-template/label/spark-swap.io/limited-swap-permille=300"
            ),
            "{}",
            notes[1]
        );
    }

    #[test]
    fn every_provider_has_its_way() {
        for (label, way) in [
            (
                "karpenter.sh/nodepool",
                "kubectl patch nodepool pool --type merge -p '{\"spec\":{\"template\":",
            ),
            (
                "eks.amazonaws.com/nodegroup",
                "--labels 'addOrUpdateLabels={spark-swap.io/limited-swap-permille=500}'",
            ),
            ("cloud.google.com/gke-nodepool", "gcloud container node-pools update pool "),
            ("kubernetes.azure.com/agentpool", "az aks nodepool update "),
            ("kops.k8s.io/instancegroup", "in spec.nodeLabels of the InstanceGroup"),
            (
                "hcloud/node-group",
                "in the labels of the node group in the cluster autoscaler's configuration",
            ),
        ] {
            let note = notes([(&node(&[(label, "pool")]), 500)]).concat();
            assert!(note.contains(way), "{label}: {note}");
        }
    }
}
