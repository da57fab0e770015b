//! Kubelets that are real but for their machine and their container runtime: nodes with an API to ask.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::control_plane::ControlPlane;
use crate::nodes::RESERVED_FOR;
use crate::parts::free_port;
use crate::process::Process;
use crate::wait;

/// What a kubelet finds and how it is configured.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) memory: u64,
    pub(crate) swap: u64,
    /// `memorySwap.swapBehavior`.
    pub(crate) swap_behavior: &'static str,
    pub(crate) fail_swap_on: bool,
}

/// A running one. Its node stays when it ends, as that of a machine that was switched off.
pub(crate) struct HollowKubelet {
    _process: Process,
}

impl HollowKubelet {
    /// Starts one and waits until the API server can ask it. Its node is for the pods of `namespace` only.
    pub(crate) fn start(cluster: &ControlPlane, name: &str, namespace: &str, setup: Setup) -> Self {
        let dir = cluster.dir().join(name);
        fs::create_dir(&dir).unwrap();
        let mut failure = String::new();
        for _ in 0..5 {
            let mut process = Process::start(name, &mut command(cluster, &dir, name, namespace, setup), &dir);
            let configz = format!("/api/v1/nodes/{name}/proxy/configz");
            let ready = wait::until("kubelet", wait::LIMIT, || match process.has_ended() {
                Some(status) => Ok(Err(format!("{name} ended with {status}\n{}", process.tail()))),
                None => cluster
                    .try_kubectl(&["get", "--raw", &configz])
                    .map(|_| Ok(()))
                    .map_err(|refusal| refusal + &process.tail()),
            });
            match ready {
                Ok(()) => return Self { _process: process },
                // Somebody else took the port meanwhile.
                Err(error) if error.contains("address already in use") => failure = error,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("no port for {name}: {failure}");
    }
}

fn command(cluster: &ControlPlane, dir: &Path, name: &str, namespace: &str, setup: Setup) -> Command {
    let mut command = Command::new(cluster.binary());
    command
        .arg("hollow-kubelet")
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig())
        .arg("--dir")
        .arg(dir)
        .arg(format!("--name={name}"))
        .arg(format!("--port={}", free_port()))
        .arg(format!("--memory={}", setup.memory))
        .arg(format!("--swap={}", setup.swap))
        .arg(format!("--swap-behavior={}", setup.swap_behavior))
        .arg(format!("--fail-swap-on={}", setup.fail_swap_on))
        .arg(format!("--taint={RESERVED_FOR}={namespace}"))
        .env("CONTROLPLANE_EXIT_WITH_STDIN", "1")
        .env("HOME", dir);
    command
}
