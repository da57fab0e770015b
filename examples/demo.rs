//! The demo: starts `spark-swap serve` with the example classes and nodes, posts an executor that real Spark created,
//! over HTTPS and as the API server would, and prints what came back and why.
//!
//! `make demo` runs it. The argument is the path of the binary.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::bound::Bound;
use spark_swap::sizing::quantity::Quantity;

type Outcome<T> = Result<T, Box<dyn Error>>;

const EXECUTOR: &str = "tests/fixtures/executors/exec-4.3.0-default.json";

fn main() -> Outcome<()> {
    let binary = std::env::args().nth(1).unwrap_or_else(|| "target/debug/spark-swap".to_owned());
    let directory = tempfile::tempdir()?;
    let authority = directory.path().join("ca.crt");
    let mut command = Command::new(&binary);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"])
        .args(["--state", "examples/classes", "--state", "examples/state", "--write-ca"])
        .arg(&authority)
        .stderr(Stdio::piped());
    println!("$ {binary} serve --state examples/classes --state examples/state --write-ca ca.crt\n");
    let mut server = Stop(command.spawn()?);
    let address = ready_address(&mut server.0)?;
    let client = trusting(&std::fs::read(&authority)?)?;

    let executor: Value = serde_json::from_slice(&std::fs::read(EXECUTOR)?)?;
    println!("An executor exactly as Spark 4.3.0 posted it ({EXECUTOR}):");
    println!("the default class, which every executor gets that names none:\n");
    show(&executor, &post(&client, &address, &executor)?)?;

    println!("\nThe same with --conf spark.kubernetes.executor.label.spark-swap.io/class=batch:\n");
    let mut batch = executor;
    if let Some(labels) = batch.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.insert("spark-swap.io/class".to_owned(), json!("batch"));
    }
    show(&batch, &post(&client, &address, &batch)?)?;
    println!(
        "\nThe full arithmetic: {binary} explain -f {EXECUTOR} --state examples/classes --state examples/state"
    );
    Ok(())
}

/// Ends the server with the demo.
struct Stop(Child);

impl Drop for Stop {
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.wait());
        if let Err(error) = ended {
            eprintln!("the server did not end: {error}");
        }
    }
}

/// The address in the log line `ready`.
fn ready_address(server: &mut Child) -> Outcome<String> {
    let log = BufReader::new(server.stderr.take().ok_or("no log")?);
    let mut seen = String::new();
    let mut lines = log.lines();
    while let Some(line) = lines.next().transpose()? {
        let entry: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(address) = entry.get("listen").and_then(Value::as_str) {
            let address = address.to_owned();
            // The log goes on; somebody must read it.
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(address);
        }
        seen.push_str(&line);
    }
    Err(format!("the server did not start: {seen}").into())
}

fn trusting(authority: &[u8]) -> Outcome<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Posts an AdmissionReview and returns the response.
fn post(client: &Arc<ClientConfig>, address: &str, pod: &Value) -> Outcome<Value> {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "0f5d1c9a-7d8b-4c3e-9a53-64f6f2f7c0de",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "default",
            "operation": "CREATE",
            "object": pod
        }
    });
    let body = serde_json::to_vec(&review)?;
    let name = ServerName::try_from("localhost")?;
    let connection = ClientConnection::new(Arc::clone(client), name)?;
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
    write!(
        stream,
        "POST /mutate?timeout=2s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(answer.into());
    }
    Ok(serde_json::from_str::<Value>(body)?.pointer("/response").cloned().unwrap_or_default())
}

/// Prints before, after and why.
fn show(pod: &Value, response: &Value) -> Outcome<()> {
    let text = |value: &Value, pointer: &str| {
        value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let reason = text(response, "/auditAnnotations/reason");
    let mut patched = pod.clone();
    let patch = STANDARD.decode(text(response, "/patch"))?;
    if !patch.is_empty() {
        json_patch::patch(&mut patched, &serde_json::from_slice::<json_patch::Patch>(&patch)?)?;
    }
    let plan: Value = serde_json::from_str(&text(&patched, "/metadata/annotations/spark-swap.io~1plan"))
        .unwrap_or_default();
    let size = |pointer: &str| {
        let bytes = plan.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
        Quantity::from_bytes(bytes).to_string()
    };
    let resource =
        |pod: &Value, part: &str| text(pod, &format!("/spec/containers/0/resources/{part}/memory"));
    let row = |what: &str, before: &str, after: &str| println!("  {what:<16}{before:>12}{after:>12}");
    row("", "before", "after");
    row("memory request", &resource(pod, "requests"), &resource(&patched, "requests"));
    row("memory limit", &resource(pod, "limits"), &resource(&patched, "limits"));
    row("QoS class", "Burstable", &text(&plan, "/qosClass"));
    row("swap, proven", "0", &size("/expectedSwap"));
    row("swap, possible", "0", &size("/possibleSwap"));
    let bound = text(response, "/auditAnnotations/bound");
    println!(
        "\n  class {}, strategy {}",
        text(response, "/auditAnnotations/class"),
        text(&plan, "/strategy")
    );
    for (word, sentence) in Reason::ALL
        .iter()
        .filter(|known| known.as_str() == reason)
        .map(|known| (known.as_str(), known.text()))
        .chain(
            Bound::ALL
                .iter()
                .filter(|known| known.as_str() == bound)
                .map(|known| (known.as_str(), known.text())),
        )
    {
        println!("  {word}: {sentence}");
    }
    if let Some(affinity) = patched.pointer("/spec/affinity") {
        println!("  and the proof travels with the pod: {affinity}");
    }
    Ok(())
}
