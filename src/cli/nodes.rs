//! `spark-swap nodes`: each node's swap readiness and why; `--label` writes the evidence.

pub mod executors;
pub mod fleet;
pub mod label_change;
pub mod labelling;
pub mod manual;
pub mod object;
pub mod readiness;
pub mod table;
pub mod template;

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use kube::core::Selector;

use super::{Failure, block_on, json, names, print, selector, yaml};
use crate::cluster::connection::ClusterFlags;
use fleet::{Fleet, NodeFacts, Questions, Which};
use object::NodeObject;
use readiness::{Kubelet, Readiness};
use table::Row;

/// Show each node's swap and what is missing; --label writes the evidence.
///
/// A node that has swap does not hand it out by itself: its kubelet has to run with LimitedSwap. What the webhook sizes
/// executors with is a label that says so, the evidence. This command asks every kubelet for its configuration, through
/// the API server and with your own rights, compares it with the node and its label, and says what to do.
#[derive(Args, Debug)]
#[command(after_long_help = manual::manual())]
pub struct NodesArgs {
    /// Only these nodes: NAME or node/NAME [default: all]
    #[arg(value_name = "NODE", value_parser = names::node, conflicts_with = "selector")]
    names: Vec<String>,
    /// Only nodes with matching labels, as for kubectl: pool=spark,disk in (nvme,ssd),!gpu
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = selector::parse)]
    selector: Option<Selector>,
    /// Write, correct or remove the evidence label by what each kubelet says
    #[arg(long, conflicts_with_all = ["output", "state", "no_kubelets"])]
    label: bool,
    /// With --label: say what would be done, and do nothing
    #[arg(long, requires = "label")]
    dry_run: bool,
    /// wide for more columns; json or yaml for programs
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    /// Do not ask the kubelets; judge by nodes and labels alone
    #[arg(long)]
    no_kubelets: bool,
    /// File or directory with Nodes (YAML or JSON as kubectl prints them), instead of the cluster; repeatable. Neither
    /// kubelets nor executors are known then
    #[arg(long, value_name = "PATH", value_delimiter = ',', conflicts_with_all = ["kubeconfig", "context"])]
    state: Vec<PathBuf>,
    #[command(flatten)]
    cluster: ClusterFlags,
}

/// How nodes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Wide,
    Json,
    Yaml,
}

/// What the command says, and whether it succeeded.
#[derive(Debug, Default)]
pub struct Report {
    /// For stdout.
    pub out: String,
    /// For stderr.
    pub notes: Vec<String>,
    /// The answer is no, and why.
    pub failure: Option<String>,
}

impl NodesArgs {
    /// Runs the command.
    ///
    /// # Errors
    /// See the exit codes of the manual.
    pub fn run(&self) -> Result<(), Failure> {
        let report = self.report().map_err(|error| Failure::BadInput(format!("{error:#}")))?;
        print(&report.out)?;
        for note in &report.notes {
            // Nobody is left to tell if this fails.
            drop(writeln!(io::stderr(), "{note}"));
        }
        report.failure.map_or(Ok(()), |failure| Err(Failure::No(failure)))
    }

    /// What the command says.
    ///
    /// # Errors
    /// Files that cannot be read, no cluster, or one that does not answer.
    pub fn report(&self) -> anyhow::Result<Report> {
        if !self.state.is_empty() {
            return self.show(&Fleet::from_files(&self.state, &self.which())?);
        }
        block_on(async {
            let cluster = self.cluster.connect().await?;
            let client = &cluster.client;
            let questions = Questions { kubelets: !self.no_kubelets, executors: !self.label };
            let fleet = Fleet::from_cluster(client, &self.which(), questions).await;
            let fleet = fleet.map_err(|error| anyhow!("{cluster}: {error:#}"))?;
            if !self.label {
                return self.show(&fleet);
            }
            let mut report = labelling::run(client, &fleet, self.dry_run).await;
            report.fail_for(not_found(&fleet));
            Ok(report)
        })
    }

    fn which(&self) -> Which {
        if self.names.is_empty() {
            return Which::Selected(self.selector.clone().unwrap_or_default());
        }
        let mut names = self.names.clone();
        names.sort_unstable();
        names.dedup();
        Which::Named(names)
    }

    fn show(&self, fleet: &Fleet) -> anyhow::Result<Report> {
        let judged = judge(fleet);
        let rows: Vec<Row<'_>> = judged.iter().map(|(facts, readiness)| Row { facts, readiness }).collect();
        let mut report = Report::default();
        report.fail_for(not_found(fleet));
        report.notes.extend(fleet.problems.iter().map(|problem| format!("warning: {problem}")));
        if let Some(cause) = &fleet.forbidden {
            report.notes.push(format!("warning: kubelets were not asked: {cause}"));
        }
        match self.output {
            Some(Output::Json | Output::Yaml) => {
                let objects: Vec<NodeObject<'_>> = rows.iter().map(NodeObject::new).collect();
                report.out = match self.output {
                    Some(Output::Yaml) => yaml(&objects)?,
                    _ => json(&objects)?,
                };
            }
            None | Some(Output::Wide) if rows.is_empty() => {
                report.notes.push("No nodes found".to_owned());
            }
            None | Some(Output::Wide) => {
                report.out = table::table(&rows, self.output.is_some());
                report.notes.extend(unreachable(&rows));
                report.notes.extend(table::legend(&rows));
            }
        }
        Ok(report)
    }
}

impl Report {
    /// One more reason why the answer is no, if it is one.
    fn fail_for(&mut self, reason: Option<String>) {
        self.failure =
            self.failure.take().into_iter().chain(reason).reduce(|all, reason| all + "\n" + &reason);
    }
}

fn judge(fleet: &Fleet) -> Vec<(&NodeFacts, Readiness)> {
    fleet.nodes.iter().map(|facts| (facts, Readiness::of(&facts.node, &facts.kubelet))).collect()
}

fn not_found(fleet: &Fleet) -> Option<String> {
    let lines: Vec<String> = fleet.missing.iter().map(|name| format!("node {name:?} not found")).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Why kubelets did not answer: of the first few, for behind hundreds there is one cause.
fn unreachable(rows: &[Row<'_>]) -> Vec<String> {
    const SHOWN: usize = 5;
    let warning = |row: &Row<'_>| match &row.facts.kubelet {
        Kubelet::Unreachable(cause) => {
            Some(format!("warning: the kubelet of node/{} does not answer: {cause}", row.facts.node.name))
        }
        Kubelet::NotAsked | Kubelet::Config(_) => None,
    };
    let mut warnings: Vec<String> = rows.iter().filter_map(warning).collect();
    let more = warnings.len().saturating_sub(SHOWN);
    warnings.truncate(SHOWN);
    warnings
        .extend((more > 0).then(|| format!("warning: nor do {more} more; -o json has the cause of each")));
    warnings
}
