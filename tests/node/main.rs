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
mod arguments;
mod arm;
mod arm_table;
mod boot;
mod comparison;
mod driver_log;
mod exactness;
mod expectation;
mod experiment;
mod kernel_log;
mod measure;
mod memory;
mod nri;
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

use anyhow::{Context, bail, ensure};
use clap::Parser;

use arguments::{Command, CompareArgs, ExperimentArgs, Node, ReportArgs, RunArgs};
use arm::{Arm, Arms};
use boot::{Planned, repository};
use comparison::Comparison;
use parts::Parts;
use report::Recorded;

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
        Some(Command::Compare(args)) => compare(&arms, &args),
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
    let nri = nri::arms(&arms.defaults);
    let nri = experiment::in_order(&nri.each_ref(), 1);
    let all = runs.iter().copied().chain([matrix]).chain(nri.iter().copied()).collect::<Vec<_>>();
    let failed = experiment::run_all(&all, &parts(&all, TESTED_PROFILE)?, &dir, 1);
    let Told { recorded, .. } = told(&records(&runs, &dir), arms)?;
    let is_met = |arm: &&Arm| recorded.results.not_met(arm).is_some_and(|not_met| not_met.is_empty());
    let is_exact = exactness::told(&matrix.record(&dir))?;
    let is_as_stated = nri_told(&nri, &dir)?;
    Ok(Answer::of(failed.is_empty() && tested.iter().all(is_met) && is_exact && is_as_stated))
}

fn run_named(arms: &Arms, args: &RunArgs) -> anyhow::Result<Answer> {
    let dir = repository("target/node");
    let runs = experiment::in_order(&arms.named(&args.arms)?, args.repeats);
    let failed = experiment::run_all(&runs, &parts(&runs, PROFILE)?, &dir, usize::from(args.nodes.at_once));
    let told = told(&records(&runs, &dir), arms)?;
    Ok(Answer::of(failed.is_empty() && told.left_out == 0))
}

fn experiment(arms: &Arms, args: &ExperimentArgs) -> anyhow::Result<Answer> {
    let dir = repository("target/experiment");
    let every = [glob::Pattern::new("*")?];
    let only = arms.matching(if args.only.is_empty() { &every } else { &args.only })?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..10_000));
    let mut runs = experiment::shuffled(&only, args.repeats, seed);
    eprintln!("{} runs of {} arms, seed {seed}", runs.len(), only.len());
    if args.unknown {
        let known = Recorded::of_csv(&repository(""), arms)?.results;
        runs.retain(|planned| !known.has(&planned.arm.name, planned.repeat));
        eprintln!("{} of them are not known yet", runs.len());
    }
    let parts = parts(&runs, PROFILE)?;
    let mut missing = runs.clone();
    if args.resume {
        missing.retain(|planned| !planned.is_recorded(&dir, &arms.defaults, &parts));
        eprintln!("{} of them are not recorded yet", missing.len());
    } else if let Some(planned) = runs.iter().find(|planned| planned.record(&dir).exists()) {
        bail!(
            "{} has records already, {} for one: --resume keeps them, removing the directory starts anew",
            dir.display(),
            planned.name(),
        );
    }
    let failed = experiment::run_all(&missing, &parts, &dir, usize::from(args.nodes.at_once));
    let told = told(&records(&runs, &dir), arms)?;
    Ok(Answer::of(failed.is_empty() && told.left_out == 0))
}

fn compare(arms: &Arms, args: &CompareArgs) -> anyhow::Result<Answer> {
    let Told { recorded, left_out } = told(&record::find(&args.records)?, arms)?;
    let known = Recorded::of_csv(&repository(""), arms)?.results;
    let Comparison { arms, differences } = comparison::compare(&recorded.results, &known, arms);
    for difference in &differences {
        println!("not as known: {difference}");
    }
    println!("{arms} arms compared with docs/experiment/runs.csv, {} differences", differences.len());
    Ok(Answer::of(differences.is_empty() && left_out == 0 && arms > 0))
}

fn report(arms: &Arms, args: &ReportArgs) -> anyhow::Result<Answer> {
    let root = repository("");
    let known = || Recorded::of_csv(&root, arms);
    let recorded = if args.records.is_empty() {
        known()?
    } else {
        let Told { recorded, left_out } = told(&record::find(&args.records)?, arms)?;
        if args.dry_run {
            return Ok(Answer::of(left_out == 0));
        }
        ensure!(
            left_out == 0,
            "{left_out} records are left out, see above: remove them, or name those to report"
        );
        if args.add { recorded.beside(known()?, arms)? } else { recorded }
    };
    let page = std::fs::read_to_string(root.join(report::PAGE)).context(report::PAGE)?;
    let files = recorded.files(arms, &page)?;
    report::write(&root, &files)?;
    for file in files.keys() {
        println!("{file} written");
    }
    Ok(Answer::Yes)
}

/// What their nodes boot from, with a webhook of this profile of Cargo.
fn parts(runs: &[Planned<'_>], profile: &str) -> anyhow::Result<Parts> {
    let has_webhook = runs.iter().any(|planned| planned.arm.has_webhook());
    Parts::make(has_webhook.then_some(profile))
}

fn records(runs: &[Planned<'_>], dir: &Path) -> Vec<PathBuf> {
    runs.iter().map(|planned| planned.record(dir)).collect()
}

/// Tells what the records of an NRI plugin came to, and whether all of it is as stated.
fn nri_told(runs: &[Planned<'_>], dir: &Path) -> anyhow::Result<bool> {
    let told =
        runs.iter().map(|planned| nri::told(&planned.record(dir))).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(told.iter().all(|is_as_stated| *is_as_stated))
}

struct Told {
    recorded: Recorded,
    /// So many records could not be used.
    left_out: usize,
}

/// Tells what the records came to.
fn told(records: &[PathBuf], arms: &Arms) -> anyhow::Result<Told> {
    let (recorded, unread) = Recorded::of_records(records, arms)?;
    for problem in &unread {
        eprintln!("left out: {problem}");
    }
    println!("{}", account::account(&recorded.results, arms));
    Ok(Told { recorded, left_out: unread.len() })
}
