//! Runs the command in-process.

use clap::{Parser, Subcommand};
use serde_json::Value;
use spark_swap::cli::explain::{self, ExplainArgs};
use tempfile::TempDir;

#[derive(Debug, Parser)]
#[command(name = "spark-swap")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Explain(Box<ExplainArgs>),
}

/// The command line is understood.
pub(crate) fn is_valid(args: &[&str]) -> bool {
    Cli::try_parse_from(["spark-swap", "explain"].iter().chain(args)).is_ok()
}

/// What the command prints, or why it exits with 2.
pub(crate) fn explain(args: &[&str], stdin: &str) -> Result<String, String> {
    // Tests must not ask the cluster of whoever runs them.
    let args = ["spark-swap", "explain", "--offline"].iter().chain(args);
    let cli = Cli::try_parse_from(args).map_err(|error| error.render().to_string())?;
    let Command::Explain(args) = cli.command;
    let mut out = Vec::new();
    match explain::run(&args, stdin.as_bytes(), &mut out) {
        Ok(()) => Ok(String::from_utf8(out).unwrap()),
        Err(error) => Err(format!("{error:#}")),
    }
}

/// Explains a pod under a state and with more flags.
pub(crate) fn explain_pod(pod: &Value, state: Option<&TempDir>, args: &[&str]) -> String {
    let mut all = vec!["-f", "-"];
    if let Some(state) = state {
        all.extend(["--state", state.path().to_str().unwrap()]);
    }
    all.extend(args);
    explain(&all, &pod.to_string()).unwrap()
}
