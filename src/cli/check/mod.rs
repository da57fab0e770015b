//! `spark-swap check`: is an installation really working, end to end.
//!
//! [`gather`] reads what a client can see, [`checks`] judges it without asking anybody, [`report`] shows it.

pub mod certificate;
pub mod checks;
pub mod classes;
pub mod cluster;
pub mod difference;
pub mod facts;
pub mod gather;
pub mod nodes;
pub mod order;
pub mod prediction;
pub mod probe;
pub mod report;
pub mod service;
pub mod webhook;

use std::env;
use std::io::{self, IsTerminal};

use anyhow::bail;
use clap::Args;

use super::progress::Progress;
use super::{Failure, block_on, names, print};
use crate::cluster::connection::ClusterFlags;
use crate::sizing::nodes::TaintPattern;
use crate::sizing::state::Settings;
use checks::{Check, Status};
use facts::{Answer, Probe};
use gather::{Question, gather};
use report::{Marks, Output, shown};

/// Check that an installation works, end to end.
///
/// Reads what an admin's rights allow: the API server and its version, SwapClass as a custom resource, the webhook
/// configuration, the authority and the certificate that is served, the Service and its endpoints, nodes with their
/// evidence, and classes. Then it lets the API server create an executor as a dry run, and compares what comes back with
/// what explain decides from the cluster's state. Nothing is changed anywhere.
#[derive(Args, Debug)]
#[command(after_long_help = MANUAL)]
pub struct CheckArgs {
    /// The name of the MutatingWebhookConfiguration [default: the one with the label app.kubernetes.io/name=spark-swap,
    /// else with a webhook named executors.spark-swap.io]
    #[arg(long)]
    name: Option<String>,
    /// The namespace of the dry-run executor: one of Spark's [default: that of the kubeconfig's context]
    #[arg(short, long, value_name = "NAME", value_parser = names::namespace)]
    namespace: Option<String>,
    /// A taint key that never rules out a node (KEY, PREFIX* or *SUFFIX), as for serve; repeatable
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    transient_taint: Vec<TaintPattern>,
    #[command(flatten)]
    cluster: ClusterFlags,
    /// text for people, json or yaml for programs
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

const MANUAL: &str = "\
Every check passes, warns or fails, and says what to do about it. A warning is something that works, or that could not \
be looked at. A check whose subject is not there is left out: another one says so. docs/checks.md lists them all.

The dry-run executor is what Spark creates without any conf: 1408Mi. It counts against no quota, is not scheduled, and \
keeps to Pod Security level restricted. It takes the class of its namespace, or the default one.

What it reads with your rights: customresourcedefinitions, mutatingwebhookconfigurations, swapclasses, nodes, \
namespaces, limitranges and resourcequotas; where the webhook has a Service, that one and its endpointslices. And it \
creates pods in the namespace, as dry runs.

Output for programs (-o json, -o yaml): a list. Members are only ever added:
  id       in kebab-case; it never changes its meaning
  title    what is true when the check passes
  status   pass, warn or fail
  message  what was found; several findings are lines
  advice   what to do, or null

Examples:
  # After the installation, and whenever in doubt
  spark-swap check

  # Would executors of this namespace be changed?
  spark-swap check --namespace spark-jobs

  # What is wrong, for a pipeline
  spark-swap check -o json | jq '.[] | select(.status == \"fail\")'

Exit codes:
  0  nothing fails; there may be warnings
  1  something fails
  2  bad input, or no cluster to ask; the message says what and where";

impl CheckArgs {
    /// Runs the command.
    pub fn run(self) -> Result<(), Failure> {
        let output = self.output;
        let checks = block_on(self.checks()).map_err(|error| Failure::BadInput(format!("{error:#}")))?;
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
        let marks = Marks::of(io::stdout().is_terminal(), locale.as_deref());
        let text = shown(&checks, output, marks).map_err(|error| Failure::bad_input("output", error))?;
        print(&text)?;
        if checks.iter().any(|check| check.status == Status::Fail) {
            return Err(Failure::No(String::new()));
        }
        Ok(())
    }

    async fn checks(self) -> anyhow::Result<Vec<Check>> {
        let cluster = self.cluster.connect().await?;
        let question = Question {
            name: self.name,
            namespace: self.namespace.unwrap_or_else(|| cluster.namespace.clone()),
            settings: Settings { transient_taints: self.transient_taint, ..Settings::default() },
        };
        let progress = Progress::new(format!("asking {cluster}"));
        let facts = progress.show(Box::pin(gather(&cluster, question, &progress))).await;
        if let Some(Probe { plain: Answer::Refused { code: 404, message }, .. }) = &facts.probe {
            bail!("--namespace {}: {message}", facts.namespace);
        }
        Ok(checks::all(&facts))
    }
}
