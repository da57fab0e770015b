//! Replicas of spark-swap, and the Deployment that keeps three of them.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use http_body_util::Full;
use hyper::Request;
use serde_json::Value;
use tokio::runtime::Handle;

use crate::api::Api;
use crate::balancer::Balancer;
use crate::certificates::CertificateMode;
use crate::http;
use crate::install::HOST;
use crate::pool::Pool;
use crate::wait;
use crate::webhook::program;

pub(crate) const REPLICAS: usize = 3;

/// A process of spark-swap: what is a pod in a cluster.
pub(crate) struct Replica {
    pub(crate) name: String,
    pub(crate) https: SocketAddr,
    pub(crate) admin: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Replica {
    /// Starts a replica, which may not be ready yet.
    fn start(name: &str, flags: &[String], dir: &Path) -> Self {
        let log = dir.join(format!("{name}.log"));
        let output = File::create(&log).unwrap();
        let mut command = Command::new(program());
        command
            .args(["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--log-format=json"])
            .args(flags)
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let (https, admin) = wait::until("listening replica", wait::LIMIT, || {
            let text = fs::read_to_string(&log).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "{name} has ended:\n{text}");
            addresses(&text).ok_or(text)
        });
        Self { name: name.to_owned(), https, admin, child, log }
    }

    /// Readiness as the kubelet sees it.
    pub(crate) fn wait_until_ready(&self) {
        wait::until("ready replica", wait::LIMIT, || match http::get(self.admin.port(), "/readyz") {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(answer.body),
            Err(refusal) => Err(refusal),
        });
    }

    /// Waits until it serves a certificate by this authority (PEM).
    pub(crate) fn wait_until_trusted_by(&self, ca: &str, runtime: &Handle) {
        wait::until("new certificate", wait::LIMIT, || {
            let pool = Pool::new(self.https, HOST, ca.as_bytes(), 0);
            // Any answer: the handshake is what is asked for.
            let request = Request::get("/").header("host", HOST).body(Full::default()).unwrap();
            runtime.block_on(pool.call(request)).map(drop)
        });
    }

    fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn wait_for_end(&mut self) -> ExitStatus {
        wait::until("end of a replica", wait::LIMIT, || {
            self.child.try_wait().unwrap().ok_or_else(|| format!("{} still runs", self.name))
        })
    }

    /// The end of what it logged.
    fn tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        format!("{}:\n{}\n", self.log.display(), lines[lines.len().saturating_sub(20)..].join("\n"))
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        }
        // It may have ended by itself.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// Where it listens, once it says so.
fn addresses(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    log.lines().find_map(|line| {
        let entry: Value = serde_json::from_str(line).ok()?;
        let address = |name: &str| entry[name].as_str()?.parse().ok();
        Some((address("listen")?, address("admin_listen")?))
    })
}

/// Three replicas behind the Service.
pub(crate) struct Deployment<'a> {
    pub(crate) certificates: Box<dyn CertificateMode>,
    balancer: &'a Balancer,
    /// The flags that all replicas have.
    flags: Vec<String>,
    dir: PathBuf,
    replicas: Vec<Replica>,
    started: usize,
}

impl<'a> Deployment<'a> {
    /// Starts the replicas, and waits until all are behind the Service. Logs go to `dir`.
    pub(crate) fn start(
        balancer: &'a Balancer,
        certificates: Box<dyn CertificateMode>,
        flags: Vec<String>,
        dir: &Path,
    ) -> Self {
        let dir = dir.to_owned();
        let mut this = Self { certificates, balancer, flags, dir, replicas: Vec::new(), started: 0 };
        this.complete();
        this
    }

    /// Starts the replicas that are missing, and waits until all are behind the Service.
    pub(crate) fn complete(&mut self) {
        while self.replicas.len() < REPLICAS {
            let replica = self.start_replica();
            self.replicas.push(replica);
        }
        for replica in &self.replicas {
            self.balancer.wait_until_in_rotation(&replica.name);
        }
    }

    /// A new version, with maxUnavailable 0 and maxSurge 1: a new replica is started; when it is ready an old one is told
    /// to end; and while that drains, the next one is started.
    pub(crate) fn roll(&mut self) {
        let mut ending = Vec::new();
        for _ in 0..REPLICAS {
            let replica = self.start_replica();
            replica.wait_until_ready();
            self.replicas.push(replica);
            let old = self.replicas.remove(0);
            old.terminate();
            ending.push(old);
        }
        for mut old in ending {
            let status = old.wait_for_end();
            assert!(status.success(), "{} ended with {status}\n{}", old.name, old.tail());
            self.balancer.remove(&old.name);
        }
        self.complete();
    }

    /// Kills the replica that most connections lead to, and returns when no new ones lead there.
    pub(crate) fn kill_busiest(&mut self) {
        let name = self.balancer.busiest();
        let place = self.replicas.iter().position(|replica| replica.name == name).unwrap();
        self.replicas.remove(place).kill();
        self.balancer.remove(&name);
        self.balancer.wait_until_out_of_rotation(&name);
    }

    /// Replaces authority and certificate once.
    pub(crate) fn rotate(&mut self, api: &Api) {
        self.certificates.rotate(api, &self.replicas);
    }

    fn start_replica(&mut self) -> Replica {
        self.started += 1;
        let name = format!("{}-{}", self.certificates.name(), self.started);
        let flags = [self.flags.clone(), self.certificates.flags(&name)].concat();
        let replica = Replica::start(&name, &flags, &self.dir);
        self.balancer.add(&name, replica.https, replica.admin);
        replica
    }
}

impl Drop for Deployment<'_> {
    fn drop(&mut self) {
        for replica in &self.replicas {
            self.balancer.remove(&replica.name);
        }
    }
}
