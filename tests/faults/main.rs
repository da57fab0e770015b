//! What faults cost: executors are created at a steady rate through a real API server, and reviews are sent to the webhook
//! directly, while replicas restart, certificates change and processes are killed.
//!
//! `make faults` runs it; `cargo test --test faults -- --help` tells of the flags.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::needless_pass_by_value,
    reason = "a test, which uses parts of what other tests use"
)]

mod account;
mod api;
mod api_server_log;
mod balancer;
mod certificates;
mod creates;
mod fault;
mod install;
mod load;
mod pool;
mod replica;
mod reviews;

// The control plane of the cluster tests.
#[path = "../cluster/audit.rs"]
mod audit;
#[path = "../cluster/cert_manager.rs"]
mod cert_manager;
#[path = "../cluster/classes.rs"]
mod classes;
#[path = "../cluster/control_plane.rs"]
mod control_plane;
#[path = "../cluster/http.rs"]
mod http;
#[path = "../cluster/kubectl.rs"]
mod kubectl;
#[path = "../cluster/nodes.rs"]
mod nodes;
#[path = "../cluster/parts.rs"]
mod parts;
#[path = "../cluster/pods.rs"]
mod pods;
#[path = "../cluster/process.rs"]
mod process;
#[path = "../cluster/service_account.rs"]
mod service_account;
#[path = "../cluster/wait.rs"]
mod wait;
#[path = "../cluster/webhook.rs"]
mod webhook;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use spark_swap::cli::duration;

use account::Account;
use api::Api;
use api_server_log::ApiServerLog;
use balancer::Balancer;
use certificates::{CertificateMode, modes};
use control_plane::ControlPlane;
use creates::Creates;
use fault::{Fault, Stage};
use load::Load;
use replica::Deployment;
use reviews::Reviews;

/// Make faults, and count what they cost: failed creates and unmutated executors, which have to be none.
///
/// Each fault happens twice: while executors are created through the API server, and while reviews are sent to the webhook
/// directly. Exit code 1: a number that has to be zero is not.
#[derive(Parser)]
struct Faults {
    /// Fewer and shorter faults at lower rates, as a test
    #[arg(long)]
    short: bool,
    /// Executors created a second [default: 100; 50 with --short]
    #[arg(long, value_name = "NUMBER")]
    creates: Option<u32>,
    /// Reviews a second [default: 500; 200 with --short]
    #[arg(long, value_name = "NUMBER")]
    reviews: Option<u32>,
    /// How long a replica serves on after SIGTERM [default: 10s, as installed; 3s with --short]. Too short a time shows
    /// what it is for
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    drain_delay: Option<Duration>,
    /// Only faults whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Only this way to have certificates
    #[arg(long, value_name = "NAME")]
    certificates: Option<String>,
}

/// How the faults are made.
struct Scale {
    creates: u32,
    reviews: u32,
    rotations: usize,
    blanks: usize,
    drain_delay: Duration,
    /// From a replica's readiness to its effect on the Service.
    endpoint_lag: Duration,
    /// Before and after each fault, as long as its calls take.
    calm: Duration,
}

/// Calls a second that every machine holds.
const LOWEST_RATE: u32 = 10;

/// Who is asked.
#[derive(Clone, Copy)]
enum Asked {
    ApiServer,
    Webhook,
}

fn main() -> ExitCode {
    let flags = Faults::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let accounts = run(&flags, runtime.handle());
    println!("{}", account::table(&accounts));
    println!("{NOTES}");
    if accounts.iter().all(Account::is_clean) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const NOTES: &str = "\
FAILED, UNMUTATED: outside the fault itself; have to be 0. IN THE FAULT: creates while no API server runs, which do not
count as calls; executors that came out unmutated, and reviews that failed, from a SIGKILL until no connection leads to
the dead replica, or while the caBundle is blank. SLOWEST: a whole create, or a review. LATE: how long after it was due a
call began, at most: the machine's doing; where that is too much ('again:'), the next line counts, at a lower rate.";

fn run(flags: &Faults, runtime: &tokio::runtime::Handle) -> Vec<Account> {
    let scale = flags.scale();
    let cluster = ControlPlane::shared();
    let service = install::install(cluster);
    let kubeconfig = service_account::least_rights(cluster);
    let api = Api::new(cluster, runtime);
    let balancer = Balancer::start(runtime, service, scale.endpoint_lag);
    let replica_flags = vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--drain-delay={}ms", scale.drain_delay.as_millis()),
    ];
    let mut accounts = Vec::new();
    for (index, mut certificates) in modes(cluster.dir()).into_iter().enumerate() {
        if flags.certificates.as_deref().is_some_and(|name| name != certificates.name()) {
            continue;
        }
        let faults = flags.faults(&scale, certificates.as_ref(), index == 0);
        if faults.is_empty() {
            continue;
        }
        eprintln!("{} replicas with certificates of mode {}", replica::REPLICAS, certificates.name());
        certificates.install(cluster);
        install::register(cluster, certificates.installed_ca());
        certificates.registered(cluster);
        let deployment = Deployment::start(&balancer, certificates, replica_flags.clone(), cluster.dir());
        let mut stage = Stage { cluster, api: &api, deployment };
        for fault in faults {
            for asked in [Asked::ApiServer, Asked::Webhook] {
                accounts.extend(at_a_rate_that_holds(fault, asked, &mut stage, &scale, service));
            }
        }
        install::unregister(cluster);
    }
    accounts
}

/// Lets a fault happen under load; again at half the rate where this machine does not keep to the schedule.
fn at_a_rate_that_holds(
    fault: Fault,
    asked: Asked,
    stage: &mut Stage<'_>,
    scale: &Scale,
    service: SocketAddr,
) -> Vec<Account> {
    let mut accounts = Vec::new();
    let mut per_second = match asked {
        Asked::ApiServer => scale.creates,
        Asked::Webhook => scale.reviews,
    };
    loop {
        let mut account = account_of(fault, asked, per_second, stage, scale, service);
        if account.is_in_time() || per_second <= LOWEST_RATE {
            accounts.push(account);
            return accounts;
        }
        account.supersede();
        accounts.push(account);
        per_second = (per_second / 2).max(LOWEST_RATE);
        eprintln!("    this machine did not keep to the schedule: again at a lower rate");
    }
}

/// Lets a fault happen under load.
fn account_of(
    fault: Fault,
    asked: Asked,
    per_second: u32,
    stage: &mut Stage<'_>,
    scale: &Scale,
    service: SocketAddr,
) -> Account {
    let (cluster, api) = (stage.cluster, stage.api);
    let namespace = cluster.namespace("faults", json!({}));
    install::wait_until_called(api, &namespace);
    let certificates = stage.deployment.certificates.name();
    let calls_of = match asked {
        Asked::ApiServer => "creates",
        Asked::Webhook => "reviews",
    };
    eprintln!("  {}, certificates: {certificates}, {per_second} {calls_of} a second", fault.name());
    let mut account = Account::new(fault.name(), certificates, calls_of, per_second);
    let during = |stage: &mut Stage<'_>, load: &Load| {
        load.wait_for_calls_of(scale.calm);
        let windows = fault.happen(stage, load);
        load.wait_for_calls_of(scale.calm);
        windows
    };
    match asked {
        Asked::ApiServer => {
            let log = ApiServerLog::from_now(cluster.dir());
            let creates = Arc::new(Creates::new(api, &namespace));
            let load = Load::start(api.runtime(), Arc::clone(&creates), per_second);
            let windows = during(stage, &load);
            account.count(&load.stop(), &windows, false);
            account.found_unmutated(&creates.stored_unmutated());
            log.failed_calls().into_iter().for_each(|call| account.note(call));
        }
        Asked::Webhook => {
            let reviews = Reviews::new(api, service, install::HOST);
            let load = Load::start(api.runtime(), Arc::clone(&reviews), per_second);
            let windows = during(stage, &load);
            account.count(&load.stop(), &windows, true);
            account.note(format!("{} sent again, as Go's client does", reviews.sent_again()));
        }
    }
    eprintln!("{}", account.summary());
    account
}

impl Faults {
    fn scale(&self) -> Scale {
        let (creates, reviews) = if self.short { (50, 200) } else { (100, 500) };
        let seconds = |long, short| Duration::from_secs(if self.short { short } else { long });
        Scale {
            creates: self.creates.unwrap_or(creates),
            reviews: self.reviews.unwrap_or(reviews),
            rotations: if self.short { 1 } else { 3 },
            blanks: if self.short { 2 } else { 5 },
            drain_delay: self.drain_delay.unwrap_or_else(|| seconds(10, 3)),
            endpoint_lag: seconds(2, 1),
            calm: seconds(2, 1),
        }
    }

    /// Every fault with the certificates of a usual installation, with others only their rotation.
    fn faults(&self, scale: &Scale, certificates: &dyn CertificateMode, is_usual: bool) -> Vec<Fault> {
        let mut faults = vec![Fault::Rotations(scale.rotations)];
        if certificates.keeps_ca_bundle() {
            faults.push(Fault::BlankedBundle(scale.blanks));
        }
        if is_usual {
            faults.splice(0..0, [Fault::RollingRestart]);
            faults.push(Fault::Kill);
            if !self.short {
                faults.insert(0, Fault::Nothing);
                faults.push(Fault::ApiServerRestart);
            }
        }
        faults.retain(|fault| fault.name().to_lowercase().contains(&self.only.to_lowercase()));
        faults
    }
}
