//! The server on a large cluster, beside the same server on an empty one: memory, start to ready, CPU per review, how
//! soon a change of a node is decided from, and what heartbeats cost. A real API server holds the objects; nodes have no
//! kubelets, this program sends their heartbeats. Prints a Markdown table.
//!
//! `cargo bench --bench scale` runs it; `quick` as an argument makes the cluster a tenth as large.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::needless_pass_by_value,
    clippy::unchecked_time_subtraction,
    reason = "a benchmark may fail, reports ratios, and uses parts of what tests use"
)]

mod fleet;
#[path = "../serve/load.rs"]
mod load;
#[path = "../serve/server.rs"]
mod server;

// The control plane of the cluster tests.
#[path = "../../tests/cluster/audit.rs"]
mod audit;
#[path = "../../tests/cluster/classes.rs"]
mod classes;
#[path = "../../tests/cluster/control_plane.rs"]
mod control_plane;
#[path = "../../tests/cluster/kubectl.rs"]
mod kubectl;
#[path = "../../tests/cluster/nodes.rs"]
mod nodes;
#[path = "../../tests/cluster/parts.rs"]
mod parts;
#[path = "../../tests/cluster/process.rs"]
mod process;
#[path = "../../tests/cluster/wait.rs"]
mod wait;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use control_plane::ControlPlane;
use fleet::Fleet;
use load::Client;
use server::Server;

/// A server on the cluster, as it was found.
struct Found {
    ready: Duration,
    memory: f64,
    cpu_us: f64,
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "quick");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(if quick { Fleet::SMALL } else { Fleet::LARGE }));
}

async fn run(fleet: Fleet) {
    let cluster = ControlPlane::shared();
    classes::swap_class_crd(cluster);
    let kubeconfig = cluster.kubeconfig();
    let start = || {
        let started = Instant::now();
        let server = Server::spark_swap(&["--kubeconfig", kubeconfig.to_str().unwrap()]);
        wait_until_ready(&server);
        (server, started.elapsed())
    };
    eprintln!("the empty cluster");
    let empty = measure(&start).await;
    let filling = Instant::now();
    let client = fleet::client(&kubeconfig).await;
    fleet.fill(&client).await;
    eprintln!("{fleet} made in {:.0?}", filling.elapsed());
    let full = measure(&start).await;

    let (server, _) = start();
    let latencies = changes(&server, &client).await;
    let idle = heartbeats(&server, &client, &fleet).await;

    println!("{fleet}.");
    println!();
    println!("| | empty cluster | this cluster | difference |");
    println!("| --- | --- | --- | --- |");
    let row = |what: &str, empty: f64, full: f64| {
        println!("| {what} | {empty:.1} | {full:.1} | {:.1} |", full - empty);
    };
    row("start to ready, median of 5, ms", empty.ready.as_secs_f64() * 1e3, full.ready.as_secs_f64() * 1e3);
    row("memory after load, MiB", empty.memory, full.memory);
    row("CPU per review, 1 connection, us", empty.cpu_us, full.cpu_us);
    println!();
    println!(
        "A node's label changed, until a review is decided from it: median {:.0} ms, at most {:.0} ms of {}.",
        quantile(&latencies, 0.5).as_secs_f64() * 1e3,
        quantile(&latencies, 1.0).as_secs_f64() * 1e3,
        latencies.len()
    );
    println!(
        "Heartbeats that change nothing relevant, {:.0} a second (as many as this machine's API server took): {:.1} us \
         of CPU each, so {:.3} of a core at 1,000 a second; {} new states.",
        idle.per_second,
        idle.cpu_us,
        idle.cpu_us * 1e3 / 1e6,
        idle.states
    );
}

/// Medians over some servers, each started anew.
async fn measure(start: &impl Fn() -> (Server, Duration)) -> Found {
    let (mut ready, mut memory, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        let (server, after) = start();
        ready.push(after);
        let client = Client::new(&server);
        client.saturate(4, 2_000).await;
        let before = server.cpu();
        client.saturate(1, 5_000).await;
        cpu.push((server.cpu() - before).as_secs_f64() * 1e6 / 5e3);
        memory.push(server.memory().0);
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    ready.sort();
    Found { ready: quantile(&ready, 0.5), memory: median(&mut memory), cpu_us: median(&mut cpu) }
}

/// How long it takes until a review is decided from a changed label: one node without evidence rules out the class.
async fn changes(server: &Server, client: &kube::Client) -> Vec<Duration> {
    let reviews = Client::new(server);
    let mut connection = reviews.connect().await;
    let mut latencies = Vec::new();
    for round in 0..20 {
        let has_evidence = round % 2 == 1;
        fleet::label_first_node(client, has_evidence).await;
        let changed = Instant::now();
        while connection.ask(&reviews).await.contains("\"patch\":") != has_evidence {
            assert!(changed.elapsed() < wait::LIMIT, "the change does not arrive");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        latencies.push(changed.elapsed());
    }
    latencies.sort();
    latencies
}

struct Heartbeats {
    per_second: f64,
    cpu_us: f64,
    states: u64,
}

async fn heartbeats(server: &Server, client: &kube::Client, fleet: &Fleet) -> Heartbeats {
    let states = |text: String| {
        let line = text
            .lines()
            .find(|line| line.starts_with("spark_swap_state_reloads_total{outcome=\"replaced\"}"));
        line.unwrap().rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let (cpu, before) = (server.cpu(), states(get(server, "/metrics")));
    let started = Instant::now();
    let sent = fleet.heartbeats(client, Duration::from_secs(15)).await;
    let elapsed = started.elapsed();
    Heartbeats {
        per_second: sent as f64 / elapsed.as_secs_f64(),
        cpu_us: (server.cpu() - cpu).as_secs_f64() * 1e6 / sent as f64,
        states: states(get(server, "/metrics")) - before,
    }
}

fn wait_until_ready(server: &Server) {
    let deadline = Instant::now() + wait::LIMIT;
    while !get(server, "/readyz").starts_with("HTTP/1.0 200") {
        assert!(Instant::now() < deadline, "the server does not get ready: {}", get(server, "/readyz"));
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn get(server: &Server, path: &str) -> String {
    let mut stream = TcpStream::connect(server.admin).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn quantile(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}
