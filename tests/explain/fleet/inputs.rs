//! Command lines, good and bad.

use rstest::rstest;

use super::command::{is_valid, plan};

#[rstest]
#[case(&["--executor-memory", "8g"], "no nodes to plan for: describe one with --node-memory and --node-swap")]
#[case(&["--node-memory", "64Gi"], "no executors to plan for: describe one with --executor-memory or --conf")]
#[case(&["--node-memory", "0"], "error: invalid value '0' for '--node-memory <QUANTITY>': is 0")]
#[case(&["--node-memory", "64GB"], "error: invalid value '64GB' for '--node-memory <QUANTITY>': is not a quantity")]
#[case(&["--node-swap", "32Gi"], "error: the following required arguments were not provided:\n  --node-memory")]
#[case(
    &["--node-memory", "64Gi", "--node-count", "0"],
    "error: invalid value '0' for '--node-count <NUMBER>': is not a number from 1 to 100000"
)]
#[case(
    &["--node-memory", "64Gi", "--executor-memory", "8"],
    "--executor-memory spark.executor.memory=8: Spark refuses a heap below 450m"
)]
#[case(
    &["--node-memory", "64Gi", "--executor-memory", "8g", "--executor-cores", "1.5"],
    "--executor-cores spark.executor.cores=1.5: is not a whole number from 1 up"
)]
#[case(
    &["--node-memory", "64Gi", "--executor-memory", "8g", "--class", "batsch", "--state", "examples/classes"],
    "--class batsch: there is no such SwapClass; known are batch, canary, notebooks, safety-net, streaming"
)]
#[case(
    &["--node-memory", "64Gi", "--executor-memory", "8g", "--svg", "/no/such/directory/x.svg"],
    "--svg /no/such/directory/x.svg: "
)]
#[case(&["-f", "-", "--executor-memory", "8g"], "error: the argument '--file <FILE>' cannot be used with '--executor-memory <SIZE>'")]
#[case(&["--all-classes", "--class", "a"], "error: the argument '--all-classes' cannot be used with '--class <NAME>'")]
fn bad_input_is_told(#[case] args: &[&str], #[case] problem: &str) {
    let error = plan(args, "").unwrap_err();
    assert!(error.starts_with(problem), "{error}");
}

#[test]
fn conf_and_flags_describe_one_executor() {
    let args =
        ["--executor-memory", "8g", "--conf", "spark.executor.memoryOverhead=2g", "--node-memory", "64Gi"];
    let text = plan(&args, "").unwrap();
    assert!(text.contains(" 10240Mi "), "{text}");
}

#[test]
fn the_examples_of_the_manual_are_commands() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_spark-swap")).args(["plan", "--help"]).output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    let longest = help.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(100), "{longest:?}");
    let help = help.replace("\\\n", "");
    let commands = help.lines().filter_map(|line| {
        let command = line.split("spark-swap plan").nth(1).filter(|_| line.starts_with("  "))?;
        command.split(['|', '>']).next()
    });
    let commands: Vec<&str> = commands.collect();
    assert_eq!(commands.len(), 7, "{help}");
    for command in commands {
        assert!(is_valid(&command.split_whitespace().collect::<Vec<_>>()), "{command}");
    }
}

#[test]
fn the_readme_shows_what_the_command_prints() {
    let readme = include_str!("../../../README.md");
    let (_, example) = readme.split_once("$ target/release/spark-swap plan ").unwrap();
    let (example, _) = example.split_once("...\n```").unwrap();
    let (command, shown) = example
        .replace("\\\n", " ")
        .split_once('\n')
        .map(|(command, shown)| (command.to_owned(), shown.to_owned()))
        .unwrap();
    let text = plan(&command.split_whitespace().collect::<Vec<_>>(), "").unwrap();
    assert!(text.starts_with(&shown), "{text}");
}
