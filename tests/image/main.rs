//! The container image, built without a container engine, and its binary running confined as a kubelet would run it.
//!
//! `SPARK_SWAP_IMAGE` names a tar of `image/build` to test; else the tests build one from the profile `fast`, for fat
//! LTO takes minutes. The sizes that users get are held by `make image`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

#[path = "../server/client.rs"]
#[allow(dead_code, reason = "the server's tests use the rest of it")]
mod client;
mod confined;
mod image;

use std::io::Write;
use std::process::Command;

use confined::Confined;
use image::{Image, repository};
use serde_json::{Value, json};

use crate::client::{Plain, Tls};

/// A test that cannot run says so, also where `cargo test` keeps what passing tests print to itself.
fn skipped(why: &str) {
    let line = format!("\nSKIPPED, the image is not tested: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

#[test]
fn the_image_is_one_file_that_nobody_may_write() {
    let Some(image) = Image::get() else { return };
    assert_eq!(image.files, ["-r-xr-xr-x 0/0 spark-swap"]);
}

#[test]
fn it_serves_as_a_user_without_rights_when_nothing_else_is_said() {
    let Some(image) = Image::get() else { return };
    let config = &image.config["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], json!(["/spark-swap"]));
    assert_eq!(config["Cmd"], json!(["serve"]));
    assert_eq!(config["WorkingDir"], "/");
    assert_eq!(config["Env"], Value::Null);
}

#[test]
fn the_containerfile_describes_the_same_image() {
    let Some(image) = Image::get() else { return };
    let text = std::fs::read_to_string(repository().join("image/Containerfile")).unwrap();
    let (_, last_stage) = text.rsplit_once("FROM scratch\n").unwrap();
    let joined = last_stage.replace("\\\n", " ");
    let instruction = |name: &str| {
        joined.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap_or_default()
    };
    let config = &image.config["config"];
    assert_eq!(config["User"], instruction("USER"));
    assert_eq!(config["WorkingDir"], instruction("WORKDIR"));
    assert_eq!(config["Entrypoint"].to_string(), instruction("ENTRYPOINT"));
    assert_eq!(config["Cmd"].to_string(), instruction("CMD"));
    for port in config["ExposedPorts"].as_object().unwrap().keys() {
        assert!(instruction("EXPOSE").split(' ').any(|exposed| format!("{exposed}/tcp") == *port), "{port}");
    }
    for (name, value) in config["Labels"].as_object().unwrap() {
        let value = value.as_str().unwrap();
        let version = format!(r#"{name}="${{VERSION}}""#);
        let revision = format!(r#"{name}="${{REVISION}}""#);
        let same = [format!(r#"{name}="{value}""#), version, revision];
        assert!(same.iter().any(|label| instruction("LABEL").contains(label)), "{name}");
    }
    let version = format!("ARG VERSION={}\n", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{version}");
}

#[test]
fn the_same_binary_gives_the_same_image() {
    let Some(image) = Image::get() else { return };
    let again = image.build_again();
    assert!(std::fs::read(&image.archive).unwrap() == std::fs::read(again).unwrap());
}

#[tokio::test]
async fn confined_to_its_image_it_decides_a_review() {
    let Some(image) = Image::get() else { return };
    let Some(mut serve) = Confined::serve(&image.root) else { return };
    let ready = Plain::open_plain(serve.admin).await.get("/readyz").await;
    assert_eq!(ready.status, 200, "{}", ready.text());

    let ca = serve.printed_ca();
    let answer = Tls::open(serve.https, &ca).await.post(&executor_review()).await.json();
    assert_eq!(answer["response"]["uid"], "705ab4f5");
    assert_eq!(answer["response"]["auditAnnotations"]["reason"], "Planned");
    assert!(answer["response"]["patch"].is_string());

    serve.holds_no_rights();
    assert_eq!(serve.end(), Some(0));
}

#[test]
fn confined_to_its_image_it_can_write_nowhere() {
    let Some(image) = Image::get() else { return };
    let Some(mut command) = confined::command(&image.root) else { return };
    let output = command.args(["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]);
    let output = output.arg("--write-ca=/ca.crt").output().unwrap();
    let problem = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{problem}");
    assert!(problem.contains("--write-ca /ca.crt") && problem.contains("Read-only file system"), "{problem}");
}

/// An executor as Spark posts it.
fn executor_review() -> Vec<u8> {
    let path = repository().join("tests/fixtures/executors/exec-4.3.0-default.json");
    let pod: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let request = json!({
        "uid": "705ab4f5", "operation": "CREATE", "namespace": "analytics", "object": pod,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
    });
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    serde_json::to_vec(&review).unwrap()
}

/// What a program that has to succeed prints.
fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
