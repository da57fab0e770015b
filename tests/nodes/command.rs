//! The command line, in-process.

use clap::{Parser, Subcommand};
use spark_swap::cli::nodes::{NodesArgs, Report};

#[derive(Debug, Parser)]
#[command(name = "spark-swap")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Nodes(Box<NodesArgs>),
}

/// What the command says, or why it exits with 2.
pub(crate) fn nodes(args: &[&str]) -> Result<Report, String> {
    let Command::Nodes(args) = parse(args)?.command;
    args.report().map_err(|error| format!("{error:#}"))
}

fn parse(args: &[&str]) -> Result<Cli, String> {
    let args = ["spark-swap", "nodes"].iter().chain(args);
    Cli::try_parse_from(args).map_err(|error| error.render().to_string())
}

#[test]
fn what_does_not_go_together_is_refused() {
    for args in [
        "--label --state x",
        "--label --no-kubelets",
        "--label -o json",
        "--dry-run",
        "a -l pool=x",
        "--state x --kubeconfig y",
        "--state x --context y",
        "-l pool>5",
        "-o table",
    ] {
        assert!(parse(&args.split(' ').collect::<Vec<_>>()).is_err(), "{args}");
    }
}

#[test]
fn the_examples_of_the_manual_are_commands() {
    let help = parse(&["--help"]).unwrap_err();
    let commands = help.lines().filter_map(|line| {
        let command = line.strip_prefix("  spark-swap nodes")?;
        command.split('|').next()
    });
    let commands: Vec<&str> = commands.collect();
    assert_eq!(commands.len(), 5, "{help}");
    for command in commands {
        let args: Vec<&str> = command.split_whitespace().collect();
        assert!(parse(&args).is_ok(), "{command}");
    }
}
