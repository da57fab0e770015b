//! The command line: a module per command, and what they share. The `--help` texts are the manual.

pub mod as_received;
pub mod certs;
pub mod check;
pub mod duration;
pub mod executor_memory;
pub mod executor_pod;
pub mod explain;
pub mod files;
pub mod java_properties;
pub mod live_pod;
pub mod manifests;
pub mod names;
pub mod node_flag;
pub mod nodes;
pub mod plan;
pub mod pod_flags;
pub mod pod_input;
pub mod pod_shape;
pub mod progress;
pub mod selector;
pub mod sentences;
pub mod serve;
pub mod spark_conf;
pub mod state_source;
pub mod table;

use std::env;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use serde::Serialize;

/// Turns Kubernetes node swap into memory for Spark executors.
///
/// spark-swap is a mutating admission webhook: it right-sizes the memory request, the limit and the QoS class of Spark
/// executor pods so that the kubelet grants them swap, and proves before scheduling that the result fits. The same
/// decisions can be looked at with a cluster or without one.
#[derive(Debug, Parser)]
#[command(name = "spark-swap", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  fine
  1  the answer is no, or the server ended before every request was answered
  2  bad input; the message says what and where";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::Serve>),
    Explain(Box<explain::ExplainArgs>),
    Nodes(nodes::NodesArgs),
    Plan(Box<plan::PlanArgs>),
    Check(check::CheckArgs),
    Manifests(manifests::Manifests),
    Certs(certs::Certs),
}

/// The file name by which kubectl finds the command `kubectl spark-swap`.
const KUBECTL_PLUGIN: &str = "kubectl-spark_swap";

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let result = match parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Explain(args) => explain::run(&args, io::stdin(), &mut io::stdout())
            .map_err(|error| Failure::BadInput(format!("{error:#}"))),
        Command::Nodes(args) => args.run(),
        Command::Plan(args) => plan::run(&args, io::stdin(), &mut io::stdout())
            .map_err(|error| Failure::BadInput(format!("{error:#}"))),
        Command::Check(args) => args.run(),
        Command::Manifests(manifests) => manifests.run(),
        Command::Certs(certs) => certs.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// The command line, which ends the process where it is not understood. Usage lines say what the user typed.
fn parse() -> Cli {
    let program = env::args_os().next().map(PathBuf::from);
    let is_plugin = program.as_deref().and_then(Path::file_stem).is_some_and(|name| name == KUBECTL_PLUGIN);
    let command = if is_plugin { Cli::command().bin_name("kubectl spark-swap") } else { Cli::command() };
    Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

/// Why a command did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The answer is no: exit code 1. An empty message: everything was said already.
    No(String),
    /// Bad input: exit code 2. The message says what and where, a problem a line.
    BadInput(String),
}

impl Failure {
    /// Bad input: `what` is a flag or file, `problem` what is wrong with it.
    pub fn bad_input(what: impl Display, problem: impl Display) -> Self {
        Self::BadInput(format!("{what}: {problem}"))
    }

    fn report(self) -> ExitCode {
        let (code, message) = match self {
            Self::No(message) => (1, message),
            Self::BadInput(message) => (2, message),
        };
        for line in message.lines() {
            // Nobody is left to tell if this fails.
            drop(writeln!(io::stderr(), "error: {line}"));
        }
        ExitCode::from(code)
    }
}

/// Runs what a command does with a cluster.
///
/// # Errors
/// Those of the future.
pub fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

/// An object for programs, as `-o json` shows it.
///
/// # Errors
/// The object cannot be written as JSON.
pub fn json(object: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(object)? + "\n")
}

/// The same as `-o yaml` shows it.
///
/// # Errors
/// The object cannot be written as YAML.
pub fn yaml(object: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_saphyr::to_string(object)?)
}

/// Writes to stdout. A reader that has seen enough (`| head`) is not an error.
pub fn print(text: &str) -> Result<(), Failure> {
    write_all(&mut io::stdout().lock(), text).map_err(|error| Failure::BadInput(format!("{error:#}")))
}

/// Writes what a command answers. A reader that has seen enough (`| head`) is not an error.
pub fn write_all(out: &mut impl Write, text: &str) -> anyhow::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("stdout"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
