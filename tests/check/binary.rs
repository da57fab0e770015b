//! The command itself, where there is no cluster.

use std::net::TcpListener;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn check(kubeconfig: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spark-swap"));
    command.arg("check").args(arguments).env("KUBECONFIG", kubeconfig).output().unwrap()
}

#[test]
fn without_a_kubeconfig_it_says_how_to_name_one() {
    let output = check("/nowhere/kubeconfig", &[]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("no cluster") && stderr.contains("--kubeconfig"), "{stderr}");
}

#[test]
fn an_api_server_that_does_not_answer_fails() {
    // A port that is nobody's a moment later.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test", "users": [],
        "clusters": [{"name": "test", "cluster": {"server": format!("https://127.0.0.1:{port}")}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": ""}}],
    });
    std::fs::write(&path, config.to_string()).unwrap();
    let output = check(path.to_str().unwrap(), &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    let checks: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((checks[0]["id"].as_str(), checks[0]["status"].as_str()), (Some("api-server"), Some("fail")));
    assert_eq!(checks.as_array().unwrap().len(), 1);
}
