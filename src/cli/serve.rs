//! `spark-swap serve`: the webhook.

mod certificate;
mod certificate_flags;
mod process;
mod tls_policy;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use clap::{ArgAction, Args};
use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::Failure;
use super::duration;
use crate::admission::answer::answer;
use crate::cluster::connection::{self, ClusterFlags, ServersCluster};
use crate::cluster::events::Recorder;
use crate::server::Server;
use crate::server::drain::{DrainTimes, Ended};
use crate::server::events;
use crate::server::limits::Limits;
use crate::server::metrics::Metrics;
use crate::server::readiness::Readiness;
use crate::server::state_reload::{self, StateReload};
use crate::server::state_watch::{Outputs, StateWatch};
use crate::server::telemetry::{self, LogFormat, LogLevel, LogLevels};
use crate::server::watched;
use crate::sizing::nodes::TaintPattern;
use crate::sizing::state::Settings;
use certificate_flags::CertificateFlags;
use process::{address, allow_open_files, count_signals, listen, own_name, runtime};
use tls_policy::TlsFlags;

/// Run the webhook.
///
/// With no cluster and no flags it serves with a certificate of its own making, the built-in class safety-net and no
/// known nodes, so it runs anywhere. In a cluster its replicas share an authority and a certificate that they rotate
/// themselves, and keep the caBundle of the webhook configuration up to date. Every flag can be given as the environment variable named beside it; the flag wins.
/// Flags that may be repeated take values separated by commas, too. Durations are written as 10s, 2m, 500ms, 1m30s or 60d.
#[derive(Args, Debug)]
#[command(after_long_help = MANUAL)]
pub struct Serve {
    /// Address and port of the webhook (HTTPS, POST /mutate). Port 0 takes a free one; the log names it
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8443", env = "SPARK_SWAP_LISTEN")]
    listen: SocketAddr,
    /// Address and port of /livez, /readyz, /metrics and /log-level (plain HTTP)
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "0.0.0.0:8080",
        env = "SPARK_SWAP_ADMIN_LISTEN"
    )]
    admin_listen: SocketAddr,
    #[command(flatten)]
    certificate: CertificateFlags,
    #[command(flatten)]
    tls: TlsFlags,
    /// Watch the cluster of this kubeconfig file [default: $KUBECONFIG, else the pod's own cluster, else none]
    #[arg(long, value_name = "FILE", env = "SPARK_SWAP_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig to use [default: its current-context]
    #[arg(long, value_name = "NAME", env = "SPARK_SWAP_CONTEXT")]
    context: Option<String>,
    /// File or directory with SwapClasses, Nodes, Namespaces, LimitRanges and ResourceQuotas (YAML or JSON as kubectl
    /// prints them), instead of a cluster; repeatable. Read again within 10 s of a change; the last good set stays in
    /// force
    #[arg(
        long, value_name = "PATH", value_delimiter = ',', conflicts_with_all = ["kubeconfig", "context"],
        env = "SPARK_SWAP_STATE"
    )]
    state: Vec<PathBuf>,
    /// Tell the owners of executors (driver pods, StatefulSets) by Kubernetes Events what was done, once for each
    /// application and reason; only in a cluster
    #[arg(
        long, value_name = "true|false", default_value_t = true, action = ArgAction::Set, env = "SPARK_SWAP_EVENTS"
    )]
    events: bool,
    /// A RuntimeClass whose pods may be changed; repeatable. Without it pods with a RuntimeClass are left alone
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "SPARK_SWAP_ALLOW_RUNTIME_CLASS")]
    allow_runtime_class: Vec<String>,
    /// A taint key that never rules out a node (KEY, PREFIX* or *SUFFIX), besides the built-in ones; repeatable
    #[arg(long, value_name = "KEY", value_delimiter = ',', env = "SPARK_SWAP_TRANSIENT_TAINT")]
    transient_taint: Vec<TaintPattern>,
    /// How long to serve on after SIGTERM, so that endpoints and pooled connections move on
    #[arg(
        long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse,
        env = "SPARK_SWAP_DRAIN_DELAY"
    )]
    drain_delay: Duration,
    /// How long open requests have after that
    #[arg(
        long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse,
        env = "SPARK_SWAP_DRAIN_TIMEOUT"
    )]
    drain_timeout: Duration,
    /// Open connections; one more makes the longest idle one go, and is closed at once where none is idle
    #[arg(
        long, value_name = "NUMBER", default_value_t = 1024, value_parser = at_least_one,
        env = "SPARK_SWAP_MAX_CONNECTIONS"
    )]
    max_connections: usize,
    /// Reviews in flight; the pod of one more is admitted as it is, at once
    #[arg(
        long, value_name = "NUMBER", default_value_t = 256, value_parser = at_least_one,
        env = "SPARK_SWAP_MAX_REVIEWS"
    )]
    max_reviews: usize,
    /// Threads that serve [default: the processors there are, at most 4]
    #[arg(long, value_name = "NUMBER", value_parser = at_least_one, env = "SPARK_SWAP_THREADS")]
    threads: Option<usize>,
    /// How logs look
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "SPARK_SWAP_LOG_FORMAT")]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug or trace, also by module (info,spark_swap::server=debug)
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "SPARK_SWAP_LOG_LEVEL")]
    log_level: LogLevels,
}

const MANUAL: &str = "\
Logs go to stderr, with a line for every review at debug; never a pod, never an environment value. The authority of a certificate in memory goes to stdout. Metrics are OpenMetrics text.

Ready is who gets through to itself: /readyz makes a TLS handshake with the webhook's port and judges the certificate as
the API server will, by the caBundle of the webhook configuration. In the source self 'kubectl annotate secret
spark-swap-tls spark-swap.io/rotate=ca' (or =leaf) asks for a rotation now.

GET /log-level on the admin port shows what is logged; PUT changes it until the next start, from the machine or pod
itself only: kubectl port-forward -n spark-swap POD 8080, then curl -X PUT -d debug localhost:8080/log-level

SIGTERM or SIGINT: /readyz answers 503 at once; serving goes on with 'Connection: close' for --drain-delay; then open
requests are finished, for at most --drain-timeout. A second signal aborts.

Examples:
  spark-swap serve --write-ca ca.crt
  curl --cacert ca.crt --data-binary @review.json https://localhost:8443/mutate
  spark-swap serve --tls-source secret --tls-secret tools/swap-tls --webhook-configuration spark-swap
  spark-swap serve --tls-cert certs/tls.crt --tls-key certs/tls.key --state state/ --log-format json
  SPARK_SWAP_LISTEN=127.0.0.1:0 spark-swap serve --state nodes.yaml --state classes.yaml

Exit codes:
  0  every request was answered
  1  aborted, or requests were cut off
  2  bad input; the message says what and where";

impl Serve {
    /// Runs the command.
    pub fn run(self) -> Result<(), Failure> {
        let log_level = telemetry::init(self.log_format, self.log_level.clone())
            .map_err(|error| Failure::bad_input("logging", error))?;
        let runtime = runtime(self.threads).map_err(|error| Failure::bad_input("--threads", error))?;
        let result = runtime.block_on(self.serve(log_level));
        // Whatever still runs in the background has nothing to finish.
        runtime.shutdown_background();
        result
    }

    async fn serve(self, log_level: LogLevel) -> Result<(), Failure> {
        let metrics = Arc::new(Metrics::new());
        let mut tasks = JoinSet::new();

        let readiness = Arc::new(Readiness::default());
        let cluster = self.cluster().await?;
        let (client, own_namespace) = cluster.map_or((None, None), |(client, own)| (Some(client), own));
        let certificate = self.certificate.resolve(client.is_some(), own_namespace)?;
        let (state_files, state) = StateReload::load(self.state.clone(), self.settings())
            .map_err(|problems| Failure::BadInput(problems.to_string()))?;
        if client.is_none() {
            state_reload::in_force(&state, &metrics);
        }
        let state = Arc::new(ArcSwap::from_pointee(state));
        if !self.state.is_empty() {
            let every = state_reload::POLL_INTERVAL;
            tasks.spawn(state_files.watch(every, Arc::clone(&state), Arc::clone(&metrics)));
        }
        allow_open_files(self.max_connections);
        let https = listen("--listen", self.listen)?;
        let admin = listen("--admin-listen", self.admin_listen)?;
        let certificate = certificate::serve(certificate, client.clone(), &metrics, &mut tasks)?;
        let (tls, client_ca) = self.tls.policy()?;
        if let (Some(file), Some(clients)) = (client_ca, &tls.clients) {
            tasks.spawn(file.watch(watched::POLL_INTERVAL, Arc::clone(clients), Arc::clone(&metrics)));
        }
        let serving = if client.is_some() { "serving; ready after the first sync" } else { "ready" };
        let mut events = None;
        if let Some(client) = client {
            if self.events {
                let (queue, notes) = events::queue(Arc::clone(&metrics));
                let recorder = Recorder::new(client.clone(), &own_name());
                // None of `tasks`, the end of which ends the webhook.
                drop(tokio::spawn(events::write(notes, recorder, Arc::clone(&metrics))));
                events = Some(queue);
            }
            let outputs = Outputs {
                state: Arc::clone(&state),
                metrics: Arc::clone(&metrics),
                readiness: Arc::clone(&readiness),
            };
            tasks.spawn(StateWatch::new(self.settings(), outputs).run(client));
        }
        let (signals, mut first) = watch::channel(0_u8);
        let mut second = first.clone();
        tasks.spawn(count_signals(signals)?);

        info!(
            version = env!("CARGO_PKG_VERSION"),
            listen = %address(&https),
            admin_listen = %address(&admin),
            "{serving}"
        );
        let server = Server {
            https,
            admin,
            certificate,
            tls,
            state,
            answer,
            events,
            log_level,
            metrics,
            readiness,
            limits: Limits {
                max_connections: self.max_connections,
                max_reviews: self.max_reviews,
                ..Limits::default()
            },
            drain: DrainTimes { delay: self.drain_delay, timeout: self.drain_timeout },
        };
        let mut broken = false;
        let shutdown = async {
            tokio::select! {
                _ = first.wait_for(|signals| *signals >= 1) => {}
                _ = tasks.join_next() => broken = true,
            }
        };
        let abort = async {
            if second.wait_for(|signals| *signals >= 2).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        match server.run(shutdown, abort).await {
            Ok(Ended::Drained) if broken => Err(Failure::No("a background task ended".to_owned())),
            Ok(Ended::Drained) => {
                info!("ended; every request was answered");
                Ok(())
            }
            Ok(Ended::Cut) => Err(Failure::No(String::new())),
            Ok(Ended::Aborted) => {
                warn!("aborted");
                Err(Failure::No(String::new()))
            }
            Err(error) => Err(Failure::No(error.to_string())),
        }
    }

    /// The cluster to watch, and the namespace of the pod in it that we run in: none where the state is from files.
    async fn cluster(&self) -> Result<Option<(Client, Option<String>)>, Failure> {
        if !self.state.is_empty() {
            return Ok(None);
        }
        let bad_input = |error: anyhow::Error| Failure::BadInput(format!("{error:#}"));
        let flags = ClusterFlags { kubeconfig: self.kubeconfig.clone(), context: self.context.clone() };
        let Some(ServersCluster { config, own_namespace }) = flags.of_server().await.map_err(bad_input)?
        else {
            if let Some(paths) = std::env::var_os("KUBECONFIG").filter(|paths| !paths.is_empty()) {
                warn!(?paths, "watching no cluster: $KUBECONFIG names none");
            }
            return Ok(None);
        };
        info!(server = %config.cluster_url, "watching a cluster");
        Ok(Some((connection::client(config).map_err(bad_input)?, own_namespace)))
    }

    fn settings(&self) -> Settings {
        Settings {
            allowed_runtime_classes: self.allow_runtime_class.clone(),
            transient_taints: self.transient_taint.clone(),
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a number from 1".to_owned()),
        Ok(number) => Ok(number),
    }
}
