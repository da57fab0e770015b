//! Groups of nodes that an autoscaler makes from one template, told by the labels that providers put on such nodes.
//!
//! The label says that the node is from a group, not that the group really scales: nothing on a node says that. What
//! matters here is that a node which joins later has the labels of the template, not those written with kubectl.

use crate::sizing::labels::Labels;
use crate::vocabulary::vocabulary;

vocabulary! {
    /// What makes the nodes of a group, and where the template's node labels are set.
    Provider {
        Karpenter => "spec.template.metadata.labels of the NodePool",
        Eks => "the labels of the EKS managed node group",
        Eksctl => "labels of the nodegroup in eksctl's config, with propagateASGTags for scaling up from zero",
        Gke => "gcloud container node-pools update --node-labels",
        Aks => "az aks nodepool update --labels",
        DigitalOcean => "the labels of the DOKS node pool",
        Linode => "the labels of the LKE node pool",
        Scaleway => "the tags of the Kapsule pool",
        Ibm => "ibmcloud ks worker-pool label set",
        Alibaba => "the node labels of the ACK node pool",
        Gardener => "labels of the worker in the Shoot's spec.provider.workers",
        Kops => "spec.nodeLabels of the InstanceGroup",
        Hetzner => "the labels of the node group in the cluster autoscaler's configuration",
    }
}

/// The group that a node is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeGroup<'n> {
    /// Who makes its nodes.
    pub provider: Provider,
    /// The label that tells.
    pub label: &'static str,
    /// Its name: the label's value.
    pub name: &'n str,
}

/// Labels by which groups are known. A node may carry several; the first one here names the template's owner.
const LABELS: [(&str, Provider); 16] = [
    ("karpenter.sh/nodepool", Provider::Karpenter),
    ("karpenter.sh/provisioner-name", Provider::Karpenter),
    ("eks.amazonaws.com/nodegroup", Provider::Eks),
    ("alpha.eksctl.io/nodegroup-name", Provider::Eksctl),
    ("cloud.google.com/gke-nodepool", Provider::Gke),
    ("kubernetes.azure.com/agentpool", Provider::Aks),
    ("agentpool", Provider::Aks),
    ("doks.digitalocean.com/node-pool", Provider::DigitalOcean),
    ("doks.digitalocean.com/node-pool-id", Provider::DigitalOcean),
    ("lke.linode.com/pool-id", Provider::Linode),
    ("k8s.scaleway.com/pool-name", Provider::Scaleway),
    ("ibm-cloud.kubernetes.io/worker-pool-name", Provider::Ibm),
    ("alibabacloud.com/nodepool-id", Provider::Alibaba),
    ("worker.gardener.cloud/pool", Provider::Gardener),
    ("kops.k8s.io/instancegroup", Provider::Kops),
    ("hcloud/node-group", Provider::Hetzner),
];

impl<'n> NodeGroup<'n> {
    /// The group of a node with these labels; `None` where none of them tells of one.
    pub fn of(labels: &'n Labels) -> Option<Self> {
        LABELS.iter().find_map(|&(label, provider)| {
            let name = labels.get(label).filter(|name| !name.is_empty())?;
            Some(Self { provider, label, name })
        })
    }
}

impl std::fmt::Display for NodeGroup<'_> {
    /// `node group eks.amazonaws.com/nodegroup=workers`, as a selector of kubectl takes it.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "node group {}={}", self.label, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(labels: &[(&str, &str)]) -> Labels {
        labels.iter().copied().collect()
    }

    #[test]
    fn a_node_is_of_the_group_whose_template_made_it() {
        let both = labels(&[
            ("alpha.eksctl.io/nodegroup-name", "workers"),
            ("eks.amazonaws.com/nodegroup", "workers-1"),
            ("kubernetes.io/os", "linux"),
        ]);
        let group = NodeGroup::of(&both).unwrap();
        assert_eq!((group.provider, group.name), (Provider::Eks, "workers-1"));
        assert_eq!(group.to_string(), "node group eks.amazonaws.com/nodegroup=workers-1");
    }

    #[test]
    fn other_nodes_are_of_none() {
        assert_eq!(NodeGroup::of(&labels(&[("kubernetes.io/os", "linux"), ("agentpool", "")])), None);
    }
}
