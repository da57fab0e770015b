//! Where the real parts are, and room to run them.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// The control plane's binary, built where `SPARK_SWAP_CONTROLPLANE` names none.
pub(crate) fn control_plane_binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY
        .get_or_init(|| match std::env::var_os("SPARK_SWAP_CONTROLPLANE") {
            Some(path) => path.into(),
            None => path_from_script("build-controlplane", &[]),
        })
        .clone()
}

/// kubeflow's spark-operator, built at its first use; beside it lies `crds/`.
pub(crate) fn spark_operator_binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| path_from_script("build-go", &["spark-operator"])).clone()
}

/// helm, built at its first use.
pub(crate) fn helm_binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| path_from_script("build-go", &["helm"])).clone()
}

/// cert-manager, built at its first use; beside it lies `crds/`.
pub(crate) fn cert_manager_binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| path_from_script("build-go", &["cert-manager"])).clone()
}

/// The virtual environment of a Spark version, installed at its first use.
pub(crate) fn spark_home(version: &str) -> PathBuf {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock();
    path_from_script("install-spark", &[version])
}

/// A directory named after this process. It stays for a look at the logs, until a
/// later run finds its process gone.
pub(crate) fn work_dir() -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster");
    fs::create_dir_all(&parent).unwrap();
    for entry in fs::read_dir(&parent).unwrap().flatten() {
        if !Path::new("/proc").join(entry.file_name()).exists() {
            // Another run may be at the same work.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
    let dir = parent.join(std::process::id().to_string());
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The last line that one of the scripts beside the tests prints: the path of what it made.
/// Its progress goes to our own error output, for it may take minutes.
fn path_from_script(script: &str, arguments: &[&str]) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster").join(script);
    let output = Command::new(&script)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    assert!(output.status.success(), "{} {arguments:?} failed, see above", script.display());
    PathBuf::from(String::from_utf8(output.stdout).unwrap().lines().last().unwrap())
}
