//! The binary as a user runs it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rstest::rstest;
use serde_json::{Value, json};

use crate::client::{Plain, Tls, head};
use crate::log_level;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_spark-swap");
pub(crate) const FREE_PORTS: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];

/// `spark-swap serve`, running.
pub(crate) struct Serve {
    child: Child,
    log: BufReader<ChildStderr>,
    seen: String,
    pub(crate) https: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Serve {
    /// Starts it on free ports and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(Command::new(PROGRAM).arg("serve").args(FREE_PORTS).args(arguments))
    }

    pub(crate) fn start_with(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut serve = Self { child, log, seen: String::new(), https: nowhere, admin: nowhere };
        let ready = serve.log_line("ready");
        let words = ready.replace(['=', '"'], " ");
        let address = |name: &str| {
            let mut after = words.split_whitespace().skip_while(|word| *word != name);
            after.find_map(|word| word.parse().ok()).unwrap()
        };
        (serve.https, serve.admin) = (address("listen"), address("admin_listen"));
        serve
    }

    /// The next line of the log with this word.
    pub(crate) fn log_line(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "no {word:?} in {}", self.seen);
            self.seen.push_str(&line);
            if line.contains(word) {
                return line;
            }
        }
    }

    /// Whether the log had this so far.
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        self.seen.contains(text)
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The authority that it prints on stdout; it prints nothing else.
    pub(crate) fn printed_ca(&mut self) -> String {
        let mut stdout = BufReader::new(self.child.stdout.take().unwrap());
        let mut ca = String::new();
        while !ca.contains("END CERTIFICATE") {
            assert_ne!(stdout.read_line(&mut ca).unwrap(), 0, "{ca}");
        }
        ca
    }

    /// Its exit code and whole log.
    fn end(mut self) -> (Option<i32>, String) {
        self.log.read_to_string(&mut self.seen).unwrap();
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An executor as Spark posts it, with a secret in its environment.
pub(crate) fn executor_review() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/executors/exec-4.3.0-default.json");
    let mut pod: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let secret = json!({"name": "PASSWORD", "value": "correct-horse"});
    pod["spec"]["containers"][0]["env"].as_array_mut().unwrap().push(secret);
    let request = json!({
        "uid": "705ab4f5", "operation": "CREATE", "namespace": "analytics", "object": pod,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
    });
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    serde_json::to_vec(&review).unwrap()
}

#[tokio::test]
async fn without_flags_it_makes_a_certificate_and_changes_an_executor() {
    let mut serve = Serve::start(&["--log-level", "debug"]);
    let ca = serve.printed_ca();
    let mut connection = Tls::open(serve.https, &ca).await;
    let answer = connection.post(&executor_review()).await.json();
    assert_eq!(answer["response"]["uid"], "705ab4f5");
    assert_eq!(answer["response"]["allowed"], true);
    let patch = STANDARD.decode(answer["response"]["patch"].as_str().unwrap()).unwrap();
    let operations: Vec<Value> = serde_json::from_slice(&patch).unwrap();
    assert!(!operations.is_empty());
    let planned = serve.log_line("planned");
    for word in
        [r#"reason="Planned""#, r#"class="safety-net""#, r#"bound="SafetyNet""#, r#"namespace="analytics""#]
    {
        assert!(planned.contains(word), "{planned}");
    }
    let metrics = Plain::open_plain(serve.admin).await.get("/metrics").await.text();
    let series = r#"spark_swap_reviews_total{outcome="patched",reason="Planned",class="safety-net"} 1"#;
    assert!(metrics.contains(series), "{metrics}");
}

#[tokio::test]
async fn sigterm_ends_it_with_0_after_the_open_request_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.crt");
    let mut serve = Serve::start(&["--write-ca", ca.to_str().unwrap(), "--drain-delay", "0s"]);
    let ca = fs::read_to_string(ca).unwrap();
    let body = executor_review();
    let mut connection = Tls::open(serve.https, &ca).await;
    connection.send(head(body.len()).as_bytes()).await;
    connection.send(&body[..100]).await;
    let in_flight = "spark_swap_reviews_in_flight 1";
    while !Plain::open_plain(serve.admin).await.get("/metrics").await.text().contains(in_flight) {}
    serve.signal("TERM");
    serve.log_line("finishing open requests");
    connection.send(&body[100..]).await;
    let response = connection.response().await.unwrap();
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    let (code, log) = serve.end();
    assert_eq!(code, Some(0), "{log}");
}

#[rstest]
#[case("TERM", "TERM")]
#[case("INT", "INT")]
#[case("TERM", "INT")]
fn a_second_signal_ends_it_at_once_with_1(#[case] first: &str, #[case] second: &str) {
    let mut serve = Serve::start(&["--drain-delay", "1h"]);
    serve.signal(first);
    serve.log_line("draining");
    serve.signal(second);
    let (code, log) = serve.end();
    assert_eq!(code, Some(1), "{log}");
}

#[test]
fn flags_can_be_environment_variables() {
    let mut serve = Serve::start_with(
        Command::new(PROGRAM)
            .arg("serve")
            .env("SPARK_SWAP_LISTEN", "127.0.0.1:0")
            .env("SPARK_SWAP_ADMIN_LISTEN", "[::1]:0")
            .env("SPARK_SWAP_DRAIN_DELAY", "0s")
            .env("SPARK_SWAP_THREADS", "1")
            .env("SPARK_SWAP_TLS_SAN", "a.example,10.0.0.1")
            .env("SPARK_SWAP_LOG_FORMAT", "json"),
    );
    assert!(serve.admin.is_ipv6());
    assert_eq!(fs::read_dir(format!("/proc/{}/task", serve.child.id())).unwrap().count(), 1);
    serve.signal("TERM");
    serve.log_line("ended");
    let (code, log) = serve.end();
    assert_eq!(code, Some(0));
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["message"].is_string() && line["level"].is_string() && line["timestamp"].is_string());
    }
}

#[tokio::test]
async fn logs_never_hold_what_is_in_a_pod() {
    let mut serve = Serve::start(&["--log-level", "trace", "--drain-delay", "0s"]);
    let ca = serve.printed_ca();
    let mut connection = Tls::open(serve.https, &ca).await;
    assert_eq!(connection.post(&executor_review()).await.status, 200);
    let wrong_kind = br#"{"apiVersion":"correct-horse","kind":"correct-horse","request":{"uid":"1"}}"#;
    assert_eq!(connection.post(wrong_kind).await.status, 400);
    let wrong_type =
        br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":"correct-horse"}"#;
    assert_eq!(connection.post(wrong_type).await.status, 400);
    serve.signal("TERM");
    let (code, log) = serve.end();
    assert_eq!(code, Some(0));
    assert!(log.contains("planned") && log.contains("malformed"), "{log}");
    assert!(!log.contains("correct-horse"), "{log}");
}

#[tokio::test]
async fn a_running_server_logs_every_review_after_a_word_to_its_admin_port() {
    let mut serve = Serve::start(&["--drain-delay", "0s"]);
    let ca = serve.printed_ca();
    let mut connection = Tls::open(serve.https, &ca).await;
    connection.post(&executor_review()).await;
    assert_eq!(log_level::put(serve.admin, "debug").await.status, 200);
    connection.post(&executor_review()).await;
    serve.log_line("Planned");
    assert_eq!(log_level::put(serve.admin, "info").await.status, 200);
    connection.post(&executor_review()).await;
    drop(connection);
    serve.signal("TERM");
    let (_, log) = serve.end();
    assert_eq!(log.matches("Planned").count(), 1, "{log}");
}

#[tokio::test]
async fn certificate_files_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let made = Command::new(PROGRAM).args(["certs", "--out", &path("")]).output().unwrap();
    assert!(made.status.success());
    let serve = Serve::start(&["--tls-cert", &path("tls.crt"), "--tls-key", &path("tls.key")]);
    let ca = fs::read_to_string(path("ca.crt")).unwrap();
    assert_eq!(Tls::open(serve.https, &ca).await.post(&executor_review()).await.status, 200);
}

#[tokio::test]
async fn a_state_decides() {
    let state = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/state");
    let classes = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/classes");
    let both = format!("{},{}", state.display(), classes.display());
    let mut serve = Serve::start(&["--state", &both]);
    let ca = serve.printed_ca();
    let metrics = Plain::open_plain(serve.admin).await.get("/metrics").await.text();
    assert!(metrics.contains("spark_swap_state_problems 0"), "{metrics}");
    let mut review: Value = serde_json::from_slice(&executor_review()).unwrap();
    review["request"]["object"]["metadata"]["labels"]["spark-swap.io/class"] = json!("batch");
    let answer = Tls::open(serve.https, &ca).await.post(review.to_string().as_bytes()).await.json();
    assert_eq!(answer["response"]["auditAnnotations"]["class"], "batch");
}

#[rstest]
#[case::certificate_without_key(&["--tls-cert", "x"], "--tls-key")]
#[case::key_without_certificate(&["--tls-key", "x"], "--tls-cert")]
#[case::ca_of_given_certificate(&["--tls-cert", "x", "--tls-key", "x", "--write-ca", "x"], "--write-ca")]
#[case::self_without_cluster(&["--tls-source", "self"], "--tls-source: self and secret need a cluster")]
#[case::secret_without_cluster(&["--tls-source", "secret"], "--tls-source: self and secret need a cluster")]
#[case::configuration_without_cluster(&["--webhook-configuration", "x"], "--webhook-configuration needs a cluster")]
#[case::no_files(&["--tls-source", "files"], "--tls-source files: needs --tls-cert and --tls-key")]
#[case::files_for_memory(&["--tls-source", "memory", "--tls-cert", "x", "--tls-key", "x"], "--tls-cert is for --tls-source files")]
#[case::ca_of_a_secret(&["--tls-source", "secret", "--write-ca", "x"], "--write-ca is for --tls-source memory")]
#[case::names_of_a_secret(&["--tls-source", "secret", "--tls-san", "x"], "--tls-san is for --tls-source self or memory")]
#[case::secret(&["--tls-secret", "a/b/c"], "--tls-secret")]
#[case::lifetime(&["--ca-lifetime", "soon"], "expected a number with a unit")]
#[case::missing_files(&["--tls-cert", "/nowhere/tls.crt", "--tls-key", "/nowhere/tls.key"], "/nowhere/tls.crt: No such file")]
#[case::tls_version(&["--tls-min-version", "1.1"], "[possible values: 1.3, 1.2]")]
#[case::missing_client_ca(&["--client-ca", "/nowhere/ca.crt"], "--client-ca: /nowhere/ca.crt: No such file")]
#[case::client_name_without_ca(&["--client-name", "kube-apiserver"], "--client-ca <FILE>")]
#[case::unwritable_ca(&["--write-ca", "/nowhere/ca.crt"], "--write-ca /nowhere/ca.crt: No such file")]
#[case::address(&["--listen", "somewhere"], "--listen <ADDRESS:PORT>")]
#[case::duration(&["--drain-delay", "10"], "expected a number with a unit")]
#[case::level(&["--log-level", "inof"], "expected off, error, warn")]
#[case::format(&["--log-format", "xml"], "[possible values: text, json]")]
#[case::zero_threads(&["--threads", "0"], "expected a number from 1")]
#[case::taint(&["--transient-taint", "a*b"], "write a taint key, PREFIX* or *SUFFIX")]
#[case::name(&["--tls-san", "https://x"], "expected a DNS name")]
#[case::state(&["--state", "/nowhere/state"], "/nowhere/state: cannot be read")]
#[case::unknown_flag(&["--nonsense"], "--nonsense")]
fn bad_input_is_exit_2_with_what_and_where(#[case] arguments: &[&str], #[case] message: &str) {
    let output = Command::new(PROGRAM).arg("serve").args(FREE_PORTS).args(arguments).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains(message), "{errors}");
}

#[test]
fn bad_input_in_the_environment_is_exit_2_too() {
    let output = Command::new(PROGRAM).arg("serve").env("SPARK_SWAP_DRAIN_DELAY", "soon").output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("soon") && errors.contains("--drain-delay"), "{errors}");
}

#[test]
fn a_port_in_use_is_exit_2_with_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(PROGRAM).args(["serve", "--listen", &address]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains(&format!("error: --listen {address}: Address already in use")), "{errors}");
}

#[test]
fn every_problem_of_the_state_is_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("class.yaml");
    let spec = "spec: {strategy: Magic, workingSetPercent: 200}";
    let class =
        format!("apiVersion: spark-swap.io/v1alpha1\nkind: SwapClass\nmetadata: {{name: batch}}\n{spec}\n");
    fs::write(&path, class).unwrap();
    let output = Command::new(PROGRAM).arg("serve").arg("--state").arg(&path).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    for field in ["spec.strategy", "spec.workingSetPercent"] {
        assert!(errors.contains(&format!("error: {}: batch: {field}: ", path.display())), "{errors}");
    }
}

#[test]
fn the_manual_names_every_variable_and_the_exit_codes() {
    let help = |arguments: &[&str]| {
        let output = Command::new(PROGRAM).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    let manual = help(&["serve", "--help"]);
    let flags = manual.lines().filter_map(|line| line.trim_start().strip_prefix("--")?.split_once(" <"));
    for (flag, _) in flags {
        let name = flag.to_uppercase().replace('-', "_");
        assert!(manual.contains(&format!("[env: SPARK_SWAP_{name}=")), "{name}");
    }
    for command in [&["--help"][..], &["serve", "--help"]] {
        assert!(help(command).contains("Exit codes:"));
    }
}
