//! The server processes, and what the kernel says about them.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

pub struct Server {
    pub name: &'static str,
    pub address: SocketAddr,
    /// Probes and metrics; of the floor the same as `address`.
    pub admin: SocketAddr,
    pub authority: CertificateDer<'static>,
    pub ready_after: Duration,
    child: Child,
    _directory: tempfile::TempDir,
}

impl Server {
    /// The constant-answer server: this very program.
    pub fn floor() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("floor");
        Self::start("constant answer", command)
    }

    /// The binary that users get.
    pub fn spark_swap(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spark-swap"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(["--log-format", "json", "--write-ca"])
            .args(arguments);
        Self::start("spark-swap", command)
    }

    /// The path of the authority's certificate comes after `--write-ca` or `floor`.
    fn start(name: &'static str, mut command: Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = directory.path().join("ca.crt");
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut complete = Command::new(command.get_program());
        for argument in arguments {
            let is_last = argument == "--write-ca" || argument == "floor";
            complete.arg(argument);
            if is_last {
                complete.arg(&authority);
            }
        }
        command = complete;
        let started = Instant::now();
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (address, admin) = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| {
                let entry: serde_json::Value = serde_json::from_str(&line).ok()?;
                let address = |name: &str| entry.get(name)?.as_str()?.parse::<SocketAddr>().ok();
                let listen = address("listen")?;
                Some((listen, address("admin_listen").unwrap_or(listen)))
            })
            .expect("the server says where it listens");
        let ready_after = started.elapsed();
        // The log goes on; somebody must read it.
        std::thread::spawn(move || lines.for_each(drop));
        let authority = CertificateDer::from_pem_file(&authority).unwrap();
        Self { name, address, admin, authority, ready_after, child, _directory: directory }
    }

    /// CPU time of all threads that still live.
    pub fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let nanos = tasks.map(|task| {
            let schedstat = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            schedstat.split_whitespace().next().unwrap().parse::<u64>().unwrap()
        });
        Duration::from_nanos(nanos.sum())
    }

    /// Resident memory now and at most, MiB.
    pub fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let mib = |field: &str| {
            let line = status.lines().find(|line| line.starts_with(field)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
        };
        (mib("VmRSS:"), mib("VmHWM:"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
