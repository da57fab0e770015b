//! The checks: what each of them is about, and what one says.

use serde::{Serialize, Serializer};

use super::facts::Facts;
use super::{certificate, classes, cluster, nodes, order, probe, service, webhook};
use crate::vocabulary::vocabulary;

vocabulary! {
    /// A check. Its word in kebab-case is its id, its text the title: true when it passes.
    CheckId {
        ApiServer => "The API server answers",
        Access => "Everything that is asked for may be read",
        Version => "Kubernetes has node swap",
        SwapClassCrd => "SwapClass is installed",
        SwapClassSchema => "Its schema is the one of this spark-swap",
        WebhookConfiguration => "The API server knows the webhook",
        WebhookRules => "It is called for new executors, and for nothing else",
        WebhookOptOut => "Pods and namespaces that opt out are not sent to it",
        WebhookNamespaces => "System namespaces and its own are left alone",
        FailurePolicy => "Executors start without it when it is away",
        Timeout => "It is not waited for long",
        Reinvocation => "It sees what other webhooks change",
        SideEffects => "It is called for dry runs",
        WebhookOrder => "No other webhook changes executors after it",
        Service => "The Service is there, with the port that is called",
        Endpoints => "The Service has ready endpoints",
        CaBundle => "The API server has an authority to trust",
        CaExpiry => "The authority is valid",
        ServedCertificate => "The webhook's certificate is trusted",
        ServedCertificateExpiry => "The certificate is valid for a while",
        Probe => "A new executor is changed as the cluster's state says",
        ProbeOptOut => "An executor that opts out stays as it is",
        NodeSwap => "Nodes have swap",
        Evidence => "Nodes with swap carry evidence that it is handed out",
        EvidenceValue => "Evidence promises no more than the swap that is there",
        NodeGroups => "Node groups carry evidence on all of their nodes",
        Classes => "SwapClasses are valid",
        ClassEvidence => "Classes that need evidence find nodes with it",
        DefaultClass => "One class at most is the default",
        ClassStatus => "The webhook has seen the classes",
        NamespaceClasses => "Namespaces name classes that exist",
    }
}

vocabulary! {
    /// The checks' groups, in the order they are made.
    Group {
        Kubernetes => "Kubernetes",
        SwapClass => "SwapClass",
        Webhook => "Webhook configuration",
        Server => "Webhook server",
        Decision => "Dry-run executor",
        Nodes => "Nodes",
        Classes => "Classes",
    }
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Fine.
    Pass,
    /// Works, but somebody should know.
    Warn,
    /// Does not work.
    Fail,
}

/// A check that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub id: CheckId,
    /// How it came out.
    pub status: Status,
    /// What was found; several findings are lines.
    pub message: String,
    /// What to do; `None` when it passed.
    pub advice: Option<String>,
}

/// Makes every check that the facts allow. One whose subject is not there is left out: another one says so.
pub fn all(facts: &Facts) -> Vec<Check> {
    let mut checks = cluster::checks(facts);
    if facts.server.is_ok() {
        checks.extend(webhook::checks(facts));
        checks.extend(order::check(facts));
        checks.extend(service::checks(facts));
        checks.extend(certificate::checks(facts));
        checks.extend(probe::checks(facts));
        checks.extend(nodes::checks(facts));
        checks.extend(classes::checks(facts));
    }
    checks
}

impl CheckId {
    /// The id: `swap-class-crd`.
    pub fn id(self) -> String {
        let mut id = String::new();
        for letter in self.as_str().chars() {
            if letter.is_ascii_uppercase() && !id.is_empty() {
                id.push('-');
            }
            id.push(letter.to_ascii_lowercase());
        }
        id
    }

    /// The group it is shown in.
    pub const fn group(self) -> Group {
        match self {
            Self::ApiServer | Self::Access | Self::Version => Group::Kubernetes,
            Self::SwapClassCrd | Self::SwapClassSchema => Group::SwapClass,
            Self::WebhookConfiguration
            | Self::WebhookRules
            | Self::WebhookOptOut
            | Self::WebhookNamespaces
            | Self::FailurePolicy
            | Self::Timeout
            | Self::Reinvocation
            | Self::SideEffects
            | Self::WebhookOrder => Group::Webhook,
            Self::Service
            | Self::Endpoints
            | Self::CaBundle
            | Self::CaExpiry
            | Self::ServedCertificate
            | Self::ServedCertificateExpiry => Group::Server,
            Self::Probe | Self::ProbeOptOut => Group::Decision,
            Self::NodeSwap | Self::Evidence | Self::EvidenceValue | Self::NodeGroups => Group::Nodes,
            Self::Classes
            | Self::ClassEvidence
            | Self::DefaultClass
            | Self::ClassStatus
            | Self::NamespaceClasses => Group::Classes,
        }
    }

    /// What makes it warn or fail, for the reference page.
    pub const fn about(self) -> &'static str {
        match self {
            Self::ApiServer => "Fails when no answer comes; then nothing else is checked.",
            Self::Access => {
                "Warns of everything that could not be read, because the right is missing or the answer was an error. What \
                 depends on it is left out."
            }
            Self::Version => {
                "Swap is GA from 1.34. Warns from 1.28 on, where it is beta, and fails below. Nodes report their swap from \
                 1.33."
            }
            Self::SwapClassCrd => {
                "Fails when the CustomResourceDefinition is missing, not established or does not serve v1alpha1."
            }
            Self::SwapClassSchema => "Warns when it is from another version, with the first difference.",
            Self::WebhookConfiguration => {
                "Looks for MutatingWebhookConfigurations: --name, else the label app.kubernetes.io/name=spark-swap, else a \
                 webhook named executors.spark-swap.io. Fails when there is none or it has no entry; warns of several \
                 configurations, of which the first by name is checked, and of several entries."
            }
            Self::WebhookRules => {
                "Fails when a new pod with the label spark-role=executor is not sent, or in no version of the review that \
                 spark-swap speaks. Warns when drivers, other operations or other resources are sent, too, or when executors \
                 need further labels."
            }
            Self::WebhookOptOut => {
                "Warns when the objectSelector or the namespaceSelector lacks spark-swap.io/class NotIn [none]. The webhook \
                 knows the label, too, but only when it is asked and its watches are up to date."
            }
            Self::WebhookNamespaces => {
                "Warns when kube-system, kube-node-lease or the namespace of the webhook's Service is selected."
            }
            Self::FailurePolicy => "Warns of failurePolicy Fail.",
            Self::Timeout => "Warns of more than 5 seconds.",
            Self::Reinvocation => "Warns of reinvocationPolicy Never.",
            Self::SideEffects => "Fails of sideEffects other than None and NoneOnDryRun.",
            Self::WebhookOrder => {
                "Warns of other MutatingWebhookConfigurations that come later by name and may be sent executors. What they \
                 change is in no proof: a webhook that replaces the node affinity, as kubeflow's spark-operator does for \
                 applications with an affinity, takes the plan's promise away."
            }
            Self::Service => "Fails when the Service of clientConfig is missing or has no such port.",
            Self::Endpoints => {
                "Fails when no endpoint is ready, warns of a single one. From the EndpointSlices."
            }
            Self::CaBundle => {
                "Fails when the caBundle is not a list of certificates, or is missing for a Service. Warns when it is missing \
                 for a URL: then the webhook's certificate needs a public authority."
            }
            Self::CaExpiry => {
                "Fails when no certificate of the caBundle is valid now; warns when none is valid in 30 days."
            }
            Self::ServedCertificate => {
                "Connects as the API server would: to the URL, or to the ready endpoints of the Service. Fails when the \
                 certificate does not verify against the caBundle for the name that is called. Warns instead when the dry run \
                 shows that the API server gets through, and when the webhook cannot be reached from here."
            }
            Self::ServedCertificateExpiry => {
                "Warns when 30 days or a fifth of its life, whichever is less, are not left. Left out when the webhook cannot be \
                 reached from here."
            }
            Self::Probe => {
                "Creates an executor as Spark makes it without any conf, as a server-side dry run, and compares what comes back \
                 with what explain decides from the cluster's state. Passes when it is changed as predicted, warns when it is \
                 rightly left alone, with the reason, and fails when the two differ."
            }
            Self::ProbeOptOut => {
                "The same with the label spark-swap.io/class=none. Fails when it is changed."
            }
            Self::NodeSwap => "Warns when no node reports swap.",
            Self::Evidence => {
                "Warns of nodes with swap and no evidence label: Density, HeapGrowth and explicit backends need it."
            }
            Self::EvidenceValue => {
                "Warns of evidence labels that promise more than the node has, and of values that are no whole number. Sizing \
                 uses the smaller of both."
            }
            Self::NodeGroups => {
                "Warns of an autoscaler's node group of which some nodes with swap carry evidence and some do not: the group's \
                 template lacks the label, so no scale-up happens for executors that need it."
            }
            Self::Classes => "Fails, with every problem: an invalid class does not exist for executors.",
            Self::ClassEvidence => {
                "Warns of classes that need evidence which no node offers, or which some node that they do not avoid lacks."
            }
            Self::DefaultClass => "Warns of several; the lexically first one counts.",
            Self::ClassStatus => {
                "Warns when the condition Ready is missing, for an older generation, or False: the webhook does not run, or may \
                 not write the status."
            }
            Self::NamespaceClasses => {
                "Warns of namespaces that name an unknown class: executors there stay as they are."
            }
        }
    }
}

impl Check {
    /// A check that passed.
    pub fn pass(id: CheckId, message: impl Into<String>) -> Self {
        Self { id, status: Status::Pass, message: message.into(), advice: None }
    }

    /// A warning.
    pub fn warn(id: CheckId, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { id, status: Status::Warn, message: message.into(), advice: Some(advice.into()) }
    }

    /// A failure.
    pub fn fail(id: CheckId, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { id, status: Status::Fail, message: message.into(), advice: Some(advice.into()) }
    }

    /// A warning with the findings as lines; passed when there are none.
    pub fn warn_of(id: CheckId, findings: &[String], advice: &str, otherwise: impl Into<String>) -> Self {
        if findings.is_empty() {
            Self::pass(id, otherwise)
        } else {
            Self::warn(id, findings.join("\n"), advice)
        }
    }
}

/// The object for programs. Its members are only ever added to.
impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct CheckObject<'c> {
            id: String,
            title: &'static str,
            status: Status,
            message: &'c str,
            advice: Option<&'c str>,
        }
        let Self { id, status, message, advice } = self;
        let object = CheckObject {
            id: id.id(),
            title: id.text(),
            status: *status,
            message,
            advice: advice.as_deref(),
        };
        object.serialize(serializer)
    }
}
