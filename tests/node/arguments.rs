//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::measure::Measure;

/// Boot nodes on a user-mode Linux kernel, run Spark jobs on them with and without spark-swap, and report.
///
/// tests/node/arms.yaml has the arms: what runs with which parameters, and what was expected before it ran. Each run leaves
/// a record, a directory. tests/node/README.md says what a node needs and what a record has.
#[derive(Parser)]
#[command(bin_name = "cargo test --test node --", after_long_help = manual())]
pub(crate) struct Node {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the pair that shows most in the least time, compare cgroups with plans to the byte, and look at what an NRI plugin
    /// makes of annotations; fail where it does not come out as expected [default]
    Test,
    /// Run these arms in this order; records go to target/node/ARM-REPEAT
    Run(RunArgs),
    /// Run every arm in random order; records go to target/experiment/ARM-REPEAT
    Experiment(ExperimentArgs),
    /// Say whether records came out as the runs that docs/experiment has, within the spread that docs/experiment.md states
    Compare(CompareArgs),
    /// Read records into docs/experiment, and draw the plots and tables of docs/experiment.md
    Report(ReportArgs),
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// Arms of arms.yaml
    #[arg(required = true)]
    pub(crate) arms: Vec<String>,
    /// How many times each runs
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeats: u32,
    #[command(flatten)]
    pub(crate) nodes: Nodes,
}

#[derive(Args)]
pub(crate) struct ExperimentArgs {
    /// How many times each arm runs
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeats: u32,
    /// Makes the order; the same seed and arms make the same order [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Keep records that are complete and were made of the parts and with the parameters of now
    #[arg(long)]
    pub(crate) resume: bool,
    /// Only runs that docs/experiment/runs.csv does not have, to be added to it with `report --add`
    #[arg(long)]
    pub(crate) unknown: bool,
    /// Only arms whose name fits, such as 'dense-*'; repeatable
    #[arg(long, value_name = "GLOB")]
    pub(crate) only: Vec<glob::Pattern>,
    #[command(flatten)]
    pub(crate) nodes: Nodes,
}

#[derive(Args)]
pub(crate) struct CompareArgs {
    /// Records, or directories of records
    #[arg(required = true)]
    pub(crate) records: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// Records, or directories of records, in place of all that are known [default: draw anew from the CSVs that are there]
    pub(crate) records: Vec<PathBuf>,
    /// Keep the known runs that these records are not of. Their arms must be as they were then
    #[arg(long, requires = "records")]
    pub(crate) add: bool,
    /// Only say what the runs came to
    #[arg(long, requires = "records")]
    pub(crate) dry_run: bool,
}

#[derive(Args)]
pub(crate) struct Nodes {
    /// How many nodes run at a time, each on a CPU of its own. Two take less time and disturb each other
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) at_once: u8,
}

fn manual() -> String {
    let width = Measure::ALL.map(|measure| measure.described().0.len()).into_iter().max().unwrap_or(0);
    let measures = Measure::ALL.map(|measure| {
        let (name, meaning) = measure.described();
        format!("  {name:width$}  {meaning}\n")
    });
    format!(
        "\
Measures that arms.yaml may expect something of, besides outcome (done, failed, unfinished) and plan (none, a strategy, or
STRATEGY/BOUND):
{}
Examples:
  # What `make test` runs
  cargo test --test node

  # One arm, twice
  cargo test --test node -- run dense-tight --repeats 2

  # Everything, again after an interruption
  cargo test --test node -- experiment --seed 7 --resume

  # What became of it, whether it is what is known, and then the page of it
  cargo test --test node -- report target/experiment --dry-run
  cargo test --test node -- compare target/experiment
  cargo test --test node -- report target/experiment

Exit codes:
  0  all is well
  1  a node came to no end, an expectation of the test was not met, or runs are not as known
  2  bad input",
        measures.concat(),
    )
}
