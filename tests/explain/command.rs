//! Runs the command in-process.

use clap::Parser;
use spark_swap::cli::explain::{self, ExplainArgs};

#[derive(Debug, Parser)]
#[command(name = "spark-swap")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Explain(Box<ExplainArgs>),
}

/// What the command prints, or why it exits with 2.
pub(crate) fn explain<'a>(args: impl IntoIterator<Item = &'a str>, stdin: &str) -> Result<String, String> {
    let args = ["spark-swap", "explain"].into_iter().chain(args);
    let cli = Cli::try_parse_from(args).map_err(|error| error.render().to_string())?;
    let Command::Explain(args) = cli.command;
    let mut out = Vec::new();
    match explain::run(&args, stdin.as_bytes(), &mut out) {
        Ok(()) => Ok(String::from_utf8(out).unwrap()),
        Err(error) => Err(format!("{error:#}")),
    }
}
