//! The experiment: Spark on a real kubelet, a real kernel with cgroup v2 and swap, with and without this webhook.
//!
//! `make node-test` and `make experiment` run it; `cargo test --test node -- --help` tells of the rest.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test"
)]

mod account;
mod arm;
mod arm_table;
mod boot;
mod driver_log;
mod exactness;
mod expectation;
mod experiment;
mod kernel_log;
mod measure;
mod memory;
mod page;
mod parts;
mod plot;
mod record;
mod report;
mod results;
mod run;
mod summary;
mod tenths;
mod watch_log;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};

use arm::{Arm, Arms};
use boot::{Planned, repository};
use measure::Measure;
use parts::Parts;
use report::Recorded;

/// Boot nodes on a user-mode Linux kernel, run Spark jobs on them with and without spark-swap, and report.
///
/// tests/node/arms.yaml has the arms: what runs with which parameters, and what was expected before it ran. Each run leaves
/// a record, a directory. tests/node/README.md says what a node needs and what a record has.
#[derive(Parser)]
#[command(bin_name = "cargo test --test node --", after_long_help = manual())]
struct Node {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the pair that shows most in the least time and compare cgroups with plans to the byte; fail where it does not
    /// come out as expected [default]
    Test,
    /// Run these arms in this order; records go to target/node/ARM-REPEAT
    Run(RunArgs),
    /// Run every arm in random order; records go to target/experiment/ARM-REPEAT
    Experiment(ExperimentArgs),
    /// Read records into docs/experiment, and draw the plots and tables of docs/experiment.md
    Report(ReportArgs),
}

#[derive(Args)]
struct RunArgs {
    /// Arms of arms.yaml
    #[arg(required = true)]
    arms: Vec<String>,
    /// How many times each runs
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    #[command(flatten)]
    nodes: Nodes,
}

#[derive(Args)]
struct ExperimentArgs {
    /// How many times each arm runs
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// Makes the order; the same seed and arms make the same order [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Keep records that are complete and were made with the parameters of now
    #[arg(long)]
    resume: bool,
    /// Only arms whose name fits, such as 'dense-*'; repeatable
    #[arg(long, value_name = "GLOB")]
    only: Vec<glob::Pattern>,
    #[command(flatten)]
    nodes: Nodes,
}

#[derive(Args)]
struct ReportArgs {
    /// Records, or directories of records, in place of all that are known [default: draw anew from the CSVs that are there]
    records: Vec<PathBuf>,
    /// Only say what the runs came to
    #[arg(long, requires = "records")]
    dry_run: bool,
}

#[derive(Args)]
struct Nodes {
    /// How many nodes run at a time, each on a CPU of its own. Two take less time and disturb each other
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    at_once: u8,
}

/// What came out.
enum Answer {
    Yes,
    No,
}

impl Answer {
    const fn of(is_well: bool) -> Self {
        if is_well { Self::Yes } else { Self::No }
    }
}

fn main() -> ExitCode {
    match run(Node::parse()) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("error: {problem:#}");
            ExitCode::from(2)
        }
    }
}

fn run(node: Node) -> anyhow::Result<Answer> {
    let arms = Arms::read(&repository("tests/node/arms.yaml"))?;
    match node.command {
        None | Some(Command::Test) => test(&arms),
        Some(Command::Run(args)) => run_named(&arms, &args),
        Some(Command::Experiment(args)) => experiment(&arms, &args),
        Some(Command::Report(args)) => report(&arms, &args),
    }
}

/// The webhook as users get it; and one that takes less time to build.
const PROFILE: &str = "release";
const TESTED_PROFILE: &str = "fast";

/// The pair that shows most in the least time.
const TESTED: [&str; 2] = ["overshoot-stock", "overshoot-net"];

fn test(arms: &Arms) -> anyhow::Result<Answer> {
    let dir = repository("target/node-test");
    let tested = arms.named(&TESTED.map(str::to_owned))?;
    let runs = experiment::in_order(&tested, 1);
    let matrix = exactness::arm(&arms.defaults);
    let matrix = Planned { arm: &matrix, repeat: 1 };
    let all = runs.iter().copied().chain([matrix]).collect::<Vec<_>>();
    let failed = run_all(&all, &dir, 1, TESTED_PROFILE)?;
    let recorded = told(&records(&runs, &dir), arms)?;
    let is_met = |arm: &&Arm| recorded.results.not_met(arm).is_some_and(|not_met| not_met.is_empty());
    let is_exact = exactness::told(&matrix.record(&dir))?;
    Ok(Answer::of(failed.is_empty() && tested.iter().all(is_met) && is_exact))
}

fn run_named(arms: &Arms, args: &RunArgs) -> anyhow::Result<Answer> {
    let dir = repository("target/node");
    let runs = experiment::in_order(&arms.named(&args.arms)?, args.repeats);
    let failed = run_all(&runs, &dir, args.nodes.at_once, PROFILE)?;
    told(&records(&runs, &dir), arms)?;
    Ok(Answer::of(failed.is_empty()))
}

fn experiment(arms: &Arms, args: &ExperimentArgs) -> anyhow::Result<Answer> {
    let dir = repository("target/experiment");
    let every = [glob::Pattern::new("*")?];
    let only = arms.matching(if args.only.is_empty() { &every } else { &args.only })?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..10_000));
    let runs = experiment::shuffled(&only, args.repeats, seed);
    eprintln!("{} runs of {} arms, seed {seed}", runs.len(), only.len());
    let mut missing = runs.clone();
    if args.resume {
        missing.retain(|planned| !planned.is_recorded(&dir));
        eprintln!("{} of them are not recorded yet", missing.len());
    } else if let Some(planned) = runs.iter().find(|planned| planned.record(&dir).exists()) {
        bail!(
            "{} has records already, {} for one: --resume keeps them, removing the directory starts anew",
            dir.display(),
            planned.name(),
        );
    }
    let failed = run_all(&missing, &dir, args.nodes.at_once, PROFILE)?;
    told(&records(&runs, &dir), arms)?;
    Ok(Answer::of(failed.is_empty()))
}

fn report(arms: &Arms, args: &ReportArgs) -> anyhow::Result<Answer> {
    let root = repository("");
    let recorded = if args.records.is_empty() {
        Recorded::of_csv(&root, arms)?
    } else {
        told(&record::find(&args.records)?, arms)?
    };
    if args.dry_run {
        return Ok(Answer::Yes);
    }
    let page = std::fs::read_to_string(root.join(report::PAGE)).context(report::PAGE)?;
    let files = recorded.files(arms, &page)?;
    report::write(&root, &files)?;
    for file in files.keys() {
        println!("{file} written");
    }
    Ok(Answer::Yes)
}

/// Runs them with a webhook of this profile of Cargo; returns the names of those that came to no end.
fn run_all(runs: &[Planned<'_>], dir: &Path, at_once: u8, profile: &str) -> anyhow::Result<Vec<String>> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let has_webhook = runs.iter().any(|planned| planned.arm.has_webhook());
    let parts = Parts::make(has_webhook.then_some(profile))?;
    Ok(experiment::run_all(runs, &parts, dir, usize::from(at_once)))
}

fn records(runs: &[Planned<'_>], dir: &Path) -> Vec<PathBuf> {
    runs.iter().map(|planned| planned.record(dir)).collect()
}

/// Tells what the records came to.
fn told(records: &[PathBuf], arms: &Arms) -> anyhow::Result<Recorded> {
    let (recorded, unread) = Recorded::of_records(records, arms)?;
    for problem in unread {
        eprintln!("left out: {problem}");
    }
    println!("{}", account::account(&recorded.results, arms));
    Ok(recorded)
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

  # What became of it, and then the page of it
  cargo test --test node -- report target/experiment --dry-run
  cargo test --test node -- report target/experiment

Exit codes:
  0  all is well
  1  a node came to no end, or an expectation of the test was not met
  2  bad input",
        measures.concat(),
    )
}
