//! Why the API server admitted executors without us: it says so in its log.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FAILING_OPEN: &str = "Failed calling webhook, failing open ";

/// The logs of the API server and of those that are started in its place, from a moment on.
pub(crate) struct ApiServerLog {
    dir: PathBuf,
    /// How many failed calls they told of until then.
    before: usize,
}

impl ApiServerLog {
    pub(crate) fn from_now(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), before: failed_calls(dir).len() }
    }

    /// The failed calls since, those of the same reason on one line.
    pub(crate) fn failed_calls(&self) -> Vec<String> {
        let mut times = BTreeMap::<_, usize>::new();
        for reason in failed_calls(&self.dir).into_iter().skip(self.before) {
            *times.entry(reason).or_default() += 1;
        }
        times.into_iter().map(|(reason, times)| format!("{times} x failed open: {reason}")).collect()
    }
}

/// Over all logs in the order of their beginnings.
fn failed_calls(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().flatten();
    let mut logs: Vec<_> =
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("kube-apiserver")).collect();
    logs.sort_by_key(|entry| entry.metadata().unwrap().created().unwrap());
    let text: String =
        logs.iter().map(|log| String::from_utf8_lossy(&fs::read(log.path()).unwrap()).into_owned()).collect();
    text.lines().filter_map(reason).collect()
}

/// Without the addresses of the connection, which are others each time.
fn reason(line: &str) -> Option<String> {
    let (_, failure) = line.split_once(FAILING_OPEN)?;
    let reason = failure.rsplit_once("\": ").map_or(failure, |(_, reason)| reason);
    Some(reason.rsplit_once("->").map_or(reason, |(_, reason)| reason).to_owned())
}
