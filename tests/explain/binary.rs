//! The process: exit codes, streams and help.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::command::is_valid;
use crate::pods::executor;

/// Tests must not ask the cluster of whoever runs them.
const NO_KUBECONFIG: &str = "no-kubeconfig";

fn run(args: &[&str], stdin: &str) -> Output {
    run_with(args, stdin, NO_KUBECONFIG)
}

fn run_with(args: &[&str], stdin: &str, kubeconfig: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_spark-swap"))
        .arg("explain")
        .args(args)
        .env("KUBECONFIG", kubeconfig)
        .env_remove("KUBERNETES_SERVICE_HOST")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command line that is not understood ends before anything is read.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    child.wait_with_output().unwrap()
}

#[test]
fn an_unchanged_pod_is_fine() {
    let output = run(&["-f", "-"], "kind: Pod");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("NotExecutor: "));
}

#[test]
fn bad_input_is_2_with_a_line_for_each_problem() {
    let output = run(&["-f", "-"], "a: 1\n---\nb: 1\n");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &[][..]));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: stdin, document 1: kind: is missing: every object needs a kind and an apiVersion\n\
         error: stdin, document 2: kind: is missing: every object needs a kind and an apiVersion\n"
    );
    assert_eq!(run(&["--conf", "spark.executor.memory=1"], "").status.code(), Some(2));
    assert_eq!(run(&[], "").status.code(), Some(2));
}

#[test]
fn a_pod_by_name_without_a_cluster_is_bad_input() {
    let output = run(&["job-exec-1"], "");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: no cluster: there is no kubeconfig; name one with --kubeconfig or $KUBECONFIG\n"
    );
}

#[test]
fn a_cluster_that_cannot_be_asked_is_named_with_the_way_without_it() {
    let directory = tempfile::tempdir().unwrap();
    // A port that nobody listens on: it is taken, and let go.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let kubeconfig = directory.path().join("config");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "away",
        "clusters": [{"name": "away", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "away", "context": {"cluster": "away", "user": "me"}}],
    });
    fs::write(&kubeconfig, config.to_string()).unwrap();
    let kubeconfig = kubeconfig.to_str().unwrap();
    let asked = run_with(&["-f", "-"], "kind: Pod", kubeconfig);
    assert_eq!(asked.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(asked.stderr).unwrap(),
        format!(
            "error: http://127.0.0.1:{port} (context away): listing swapclasses: Connection refused (os error 111); \
             with --offline no cluster is asked\n"
        )
    );
    for (args, code) in [
        (&["--offline"][..], 0),
        (&["--node", "memory=64Gi"], 0),
        (&["--state", "examples/state"], 0),
        (&["--node", "memory=64Gi", "--kubeconfig", kubeconfig], 2),
        (&["--context", "away"], 2),
        (&["--context", "none"], 2),
        (&["--offline", "--context", "away"], 2),
    ] {
        let output = run_with(&[&["-f", "-"], args].concat(), "kind: Pod", kubeconfig);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_fine() {
    let list = serde_json::json!({"kind": "List", "items": vec![executor(); 500]});
    let mut child = Command::new(env!("CARGO_BIN_EXE_spark-swap"))
        .args(["explain", "-f", "-"])
        .env("KUBECONFIG", NO_KUBECONFIG)
        .env_remove("KUBERNETES_SERVICE_HOST")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(list.to_string().as_bytes()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_examples_of_the_manual_are_commands() {
    let help = String::from_utf8(run(&["--help"], "").stdout).unwrap();
    let help = help.replace("\\\n", "");
    let commands = help.lines().filter_map(|line| {
        let command = line.split("spark-swap explain ").nth(1).filter(|_| line.starts_with("  "))?;
        command.split(['|', '>']).next()
    });
    let commands: Vec<&str> = commands.collect();
    assert_eq!(commands.len(), 7, "{help}");
    for command in commands {
        assert!(is_valid(&command.split_whitespace().collect::<Vec<_>>()), "{command}");
    }
}

#[test]
fn as_a_kubectl_plugin_it_is_called_what_the_user_typed() {
    let directory = tempfile::tempdir().unwrap();
    let usage = |name: &str| {
        let link = directory.path().join(name);
        symlink(env!("CARGO_BIN_EXE_spark-swap"), &link).unwrap();
        let help = Command::new(link).args(["explain", "-h"]).output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let usage = help.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap();
        usage.split(" [").next().unwrap().to_owned()
    };
    assert_eq!(usage("kubectl-spark_swap"), "kubectl spark-swap explain");
    assert_eq!(usage("spark-swap"), "spark-swap explain");
}
