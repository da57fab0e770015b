//! The files of `manifests/` agree with the code and with each other. `make docs` writes what can be made.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use spark_swap::cluster::documents::parse_documents;

use super::repository;

const WEBHOOK_HEADER: &str = "\
# Made by `spark-swap manifests --only webhook`: change src/cli/manifests/webhook.rs and run `make docs`.
#
# failurePolicy Ignore: while no replica answers, executors start as Spark wrote them. They get no swap, and nothing stops.
# Fail would stop every Spark application that asks for executors meanwhile; it is for clusters whose nodes bear an
# executor that was not planned worse than one that has to wait. (The component miss-detector tells of the former.)
#
# caBundle is left out, for its owner is whoever makes the certificates; what is applied again leaves it as it is.
";

/// What the chart reads as files, for they are made, or carry their reasons beside the rules.
const COPIES: [(&str, &str); 4] = [
    ("base", "crd.yaml"),
    ("base", "rbac.yaml"),
    ("base", "webhook.yaml"),
    ("components/miss-detector", "miss-detector.yaml"),
];

#[test]
fn the_webhook_configuration_is_what_the_command_prints() {
    assert_made(
        "manifests/base/webhook.yaml",
        &format!("{WEBHOOK_HEADER}{}", printed(&["--only", "webhook"])),
    );
}

#[test]
fn the_files_of_the_chart_are_those_of_the_kustomizations() {
    // The one that is made by code is made before it is copied.
    the_webhook_configuration_is_what_the_command_prints();
    for (directory, name) in COPIES {
        assert_made(
            &format!("manifests/chart/files/{name}"),
            &read(&format!("manifests/{directory}/{name}")),
        );
    }
}

#[test]
fn the_command_prints_the_objects_of_the_base() {
    let kustomization = parse_documents(&read("manifests/base/kustomization.yaml")).unwrap().remove(0);
    let files = kustomization["resources"].as_array().unwrap().iter();
    let base: Vec<Value> = files
        .flat_map(|file| {
            parse_documents(&read(&format!("manifests/base/{}", file.as_str().unwrap()))).unwrap()
        })
        .collect();
    assert_eq!(parse_documents(&printed(&[])).unwrap(), base);
}

#[test]
fn image_and_chart_have_the_version_of_the_program() {
    let version = json!(env!("CARGO_PKG_VERSION"));
    let chart = parse_documents(&read("manifests/chart/Chart.yaml")).unwrap().remove(0);
    assert_eq!((&chart["version"], &chart["appVersion"]), (&version, &version));
    let deployment = parse_documents(&read("manifests/base/deployment.yaml")).unwrap().remove(0);
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, json!(format!("spark-swap:{}", env!("CARGO_PKG_VERSION"))));
}

fn assert_made(path: &str, text: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(repository(path), text).unwrap();
    }
    let found = fs::read_to_string(repository(path)).unwrap_or_default();
    assert!(
        found == text,
        "{path} is not what it is made from; run: UPDATE_DOCS=1 cargo test --test state manifests"
    );
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn printed(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spark-swap"));
    let output = command.arg("manifests").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
