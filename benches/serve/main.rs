//! The server under load, beside a constant-answer server on the same stack in the same run: CPU per review, requests
//! per second, latencies, memory, start-up. Prints a Markdown table.
//!
//! `cargo bench --bench serve` runs it; `quick` as an argument makes it short. Ratios carry over to other machines,
//! absolute numbers do not.
#![allow(
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
    reason = "a benchmark may fail, and reports ratios"
)]

mod floor;
#[allow(dead_code)] // the scale benchmark uses more of it
mod load;
#[allow(dead_code)] // as well
mod server;

use std::time::Duration;

use load::Client;
use server::Server;

/// What one server did in one round.
#[derive(Clone, Default)]
struct Round {
    cpu_us: [f64; 3],
    per_second: f64,
    p50_us: [f64; 3],
    p99_us: [f64; 3],
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "floor") {
        return floor::serve();
    }
    let quick = arguments.iter().any(|argument| argument == "quick");
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(compare(quick));
}

async fn compare(quick: bool) {
    let (rounds, requests, steady) = if quick { (1, 4_000, 200) } else { (3, 30_000, 1_000) };
    let floor = Server::floor();
    let ours = Server::spark_swap(&["--state", "examples/classes", "--state", "examples/state"]);
    let idle = (floor.memory().0, ours.memory().0);
    let mut results = [Vec::new(), Vec::new()];
    for round in 1..=rounds {
        for (server, results) in [&floor, &ours].into_iter().zip(&mut results) {
            eprintln!("round {round} of {rounds}: {}", server.name);
            results.push(measure(server, requests, steady).await);
        }
    }
    let fresh = [fresh_connections(&floor, quick).await, fresh_connections(&ours, quick).await];
    let loaded = (floor.memory(), ours.memory());
    let starts = [start_times(Server::floor), start_times(|| Server::spark_swap(&[]))];
    let [floor_rounds, our_rounds] = results;
    let (floor_median, our_median) = (median_round(&floor_rounds), median_round(&our_rounds));
    println!("| | constant answer | spark-swap | ratio |");
    println!("| --- | --- | --- | --- |");
    let row = |what: &str, floor: f64, ours: f64| {
        println!("| {what} | {floor:.1} | {ours:.1} | {:.2} |", ours / floor);
    };
    for (place, load) in ["1 connection", "32 connections", "a steady 200/s"].iter().enumerate() {
        row(&format!("CPU per review, {load}, us"), floor_median.cpu_us[place], our_median.cpu_us[place]);
    }
    row("reviews per second, 32 connections", floor_median.per_second, our_median.per_second);
    for (place, load) in ["1 connection", "32 connections", "a steady 200/s"].iter().enumerate() {
        row(&format!("p50, {load}, us"), floor_median.p50_us[place], our_median.p50_us[place]);
        row(&format!("p99, {load}, us"), floor_median.p99_us[place], our_median.p99_us[place]);
    }
    row("first answer on a fresh connection, p50, us", fresh[0].0, fresh[1].0);
    row("first answer on a fresh connection, p99, us", fresh[0].1, fresh[1].1);
    row("memory idle, MiB", idle.0, idle.1);
    row("memory after load, MiB", loaded.0.0, loaded.1.0);
    row("memory at most, MiB", loaded.0.1, loaded.1.1);
    row("start to ready, median of 20, ms", starts[0], starts[1]);
}

async fn measure(server: &Server, requests: u64, steady: u64) -> Round {
    let mut round = Round::default();
    let client = Client::new(server);
    client.saturate(4, 500).await;
    for (place, connections) in [1_u64, 32].into_iter().enumerate() {
        let before = server.cpu();
        let amount = if connections == 1 { requests / 4 } else { requests };
        let load = client.saturate(connections, amount).await;
        round.cpu_us[place] = (server.cpu().saturating_sub(before)).as_secs_f64() * 1e6 / amount as f64;
        round.p50_us[place] = load.quantile(0.5);
        round.p99_us[place] = load.quantile(0.99);
        round.per_second = load.per_second();
    }
    let before = server.cpu();
    let load = client.steady(steady, Duration::from_millis(5)).await;
    round.cpu_us[2] = (server.cpu().saturating_sub(before)).as_secs_f64() * 1e6 / steady as f64;
    round.p50_us[2] = load.quantile(0.5);
    round.p99_us[2] = load.quantile(0.99);
    round
}

async fn fresh_connections(server: &Server, quick: bool) -> (f64, f64) {
    let load = Client::new(server).fresh(if quick { 50 } else { 400 }).await;
    (load.quantile(0.5), load.quantile(0.99))
}

fn start_times(start: impl Fn() -> Server) -> f64 {
    let times = (0..20).map(|_| start().ready_after.as_secs_f64() * 1e3).collect();
    median(times)
}

fn median_round(rounds: &[Round]) -> Round {
    let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value).collect());
    let three = |value: &dyn Fn(&Round) -> [f64; 3]| {
        [of(&|round| value(round)[0]), of(&|round| value(round)[1]), of(&|round| value(round)[2])]
    };
    Round {
        cpu_us: three(&|round| round.cpu_us),
        per_second: of(&|round| round.per_second),
        p50_us: three(&|round| round.p50_us),
        p99_us: three(&|round| round.p99_us),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
