//! Runs the command in-process.

use clap::{Parser, Subcommand};
use serde_json::Value;
use spark_swap::cli::plan::{self, PlanArgs};
use tempfile::TempDir;

#[derive(Debug, Parser)]
#[command(name = "spark-swap")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Plan(Box<PlanArgs>),
}

/// The 8g executor of the design's example, and its node.
pub(crate) const EXAMPLE: [&str; 6] =
    ["--executor-memory", "8g", "--node-memory", "64Gi", "--node-swap", "32Gi"];

/// The command line is understood.
pub(crate) fn is_valid(args: &[&str]) -> bool {
    Cli::try_parse_from(["spark-swap", "plan"].iter().chain(args)).is_ok()
}

/// What the command prints, or why it exits with 2.
pub(crate) fn plan(args: &[&str], stdin: &str) -> Result<String, String> {
    // Tests must not ask the cluster of whoever runs them.
    let args = ["spark-swap", "plan", "--offline"].iter().chain(args);
    let cli = Cli::try_parse_from(args).map_err(|error| error.render().to_string())?;
    let Command::Plan(args) = cli.command;
    let mut out = Vec::new();
    match plan::run(&args, stdin.as_bytes(), &mut out) {
        Ok(()) => Ok(String::from_utf8(out).unwrap()),
        Err(error) => Err(format!("{error:#}")),
    }
}

/// Plans under a state.
pub(crate) fn plan_under(state: &TempDir, args: &[&str]) -> String {
    plan(&[&["--state", state.path().to_str().unwrap()], args].concat(), "").unwrap()
}

/// Plans for pods under a state.
pub(crate) fn plan_pods(pods: &Value, state: &TempDir, args: &[&str]) -> String {
    let all = [&["-f", "-", "--state", state.path().to_str().unwrap()], args].concat();
    plan(&all, &pods.to_string()).unwrap()
}

/// The same for programs.
pub(crate) fn plan_object(pods: &Value, state: &TempDir, args: &[&str]) -> Value {
    serde_json::from_str(&plan_pods(pods, state, &[args, &["-o", "json"]].concat())).unwrap()
}

/// A list of pods.
pub(crate) fn list(pods: &[Value]) -> Value {
    serde_json::json!({"apiVersion": "v1", "kind": "List", "items": pods})
}
