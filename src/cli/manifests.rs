//! `spark-swap manifests`: the objects that are installed in a cluster.

mod rbac;
mod target;
mod webhook;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{Failure, names, print};
use crate::cluster::api::definition::definition;
use target::{DEFAULT_NAME, Target, parse_dns_name};

/// Print the objects to install, ready for `kubectl apply -f -`.
///
/// In the order in which they are needed: SwapClass as a custom resource, what spark-swap may do, and the webhook
/// configuration last, because executors meet the webhook from then on.
///
/// The webhook is called for Spark executors only (label spark-role=executor, CREATE), never for kube-system, for our own
/// namespace, for pods and namespaces that opted out (label spark-swap.io/class=none), for mirror pods or for pods that
/// carry a plan already. When the webhook cannot be reached within 2 seconds, pods are admitted unchanged.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Manifests {
    /// Print only these parts; repeatable, or separated by commas [default: all]
    #[arg(long, value_enum, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    #[command(flatten)]
    target: Target,
    /// The certificate authority (PEM) that the API server trusts for the webhook. Without it, caBundle is left out: for
    /// a public authority, or when something else (cert-manager, spark-swap itself) fills it in
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The name of the webhook configuration
    #[arg(long, default_value = DEFAULT_NAME, value_parser = parse_dns_name)]
    name: String,
    /// The namespace of spark-swap itself: its ServiceAccount lives there, and the webhook never acts on it [default: the namespace of --service, else spark-swap]
    #[arg(long, value_parser = names::namespace)]
    namespace: Option<String>,
    /// The format. json: one object, or a List of several
    #[arg(short, long, value_enum, default_value_t = Output::Yaml)]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  spark-swap manifests --ca certs/ca.crt | kubectl apply -f -
  spark-swap manifests --service tools/swap:8443 --only webhook | kubectl diff -f -
  spark-swap manifests --url https://192.0.2.7:8443/mutate --ca ca.crt --only crd,webhook -o json";

/// What may be printed, in the order in which it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The CustomResourceDefinition of SwapClass
    Crd,
    /// Namespace, ServiceAccount, ClusterRole and ClusterRoleBinding of spark-swap
    Rbac,
    /// The MutatingWebhookConfiguration
    Webhook,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Yaml,
    Json,
}

impl Manifests {
    /// Runs the command.
    pub fn run(self) -> Result<(), Failure> {
        let is_wanted = |part: &&Part| self.only.is_empty() || self.only.contains(part);
        let parts = Part::value_variants().iter().filter(is_wanted);
        let text = match self.output {
            Output::Yaml => parts.map(|part| self.yaml(*part)).collect::<Result<Vec<_>, _>>()?.join("---\n"),
            Output::Json => {
                let objects = parts.map(|part| self.objects(*part)).collect::<Result<Vec<_>, _>>()?.concat();
                let shown = match objects.as_slice() {
                    [object] => serde_json::to_string_pretty(object),
                    objects => serde_json::to_string_pretty(
                        &json!({"apiVersion": "v1", "kind": "List", "items": objects}),
                    ),
                };
                shown.map_err(unprintable)? + "\n"
            }
        };
        print(&text)
    }

    /// The documents of a part.
    fn yaml(&self, part: Part) -> Result<String, Failure> {
        if part == Part::Rbac {
            // As written, with the reasons beside the rules.
            return Ok(rbac::manifest(self.own_namespace()));
        }
        let documents: Result<Vec<_>, _> = self.objects(part)?.iter().map(serde_saphyr::to_string).collect();
        Ok(documents.map_err(unprintable)?.join("---\n"))
    }

    fn objects(&self, part: Part) -> Result<Vec<Value>, Failure> {
        match part {
            Part::Crd => Ok(vec![definition().map_err(unprintable)?]),
            Part::Rbac => rbac::objects(self.own_namespace()),
            Part::Webhook => {
                let configuration = webhook::configuration(
                    &self.name,
                    &self.target,
                    self.ca.as_deref(),
                    self.own_namespace(),
                );
                Ok(vec![configuration?])
            }
        }
    }

    fn own_namespace(&self) -> &str {
        match (&self.namespace, &self.target.service) {
            (Some(namespace), _) => namespace,
            (None, Some(service)) => &service.namespace,
            (None, None) => DEFAULT_NAME,
        }
    }
}

fn unprintable(error: impl std::fmt::Display) -> Failure {
    Failure::bad_input("output", error)
}
