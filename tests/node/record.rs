//! A record: the directory that one run leaves.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::arm::{Parameters, from_shell};
use crate::driver_log::DriverLog;
use crate::kernel_log::KernelLog;
use crate::memory::{Memory, Reading};
use crate::summary::Summary;
use crate::watch_log::WatchLog;

/// What was read of one record.
pub(crate) struct Record {
    pub(crate) arm: String,
    pub(crate) repeat: u32,
    pub(crate) parameters: Parameters,
    pub(crate) summary: Summary,
    pub(crate) driver: DriverLog,
    pub(crate) watch: WatchLog,
    /// None: the record has no log of the kernel.
    pub(crate) kernel: Option<KernelLog>,
    /// Pods whose log has a `java.lang.OutOfMemoryError`.
    pub(crate) pods_out_of_heap: Vec<String>,
    pub(crate) memory: Memory,
}

impl Record {
    /// Reads the record in `dir`.
    ///
    /// # Errors
    /// It is not complete, or not understood.
    pub(crate) fn read(dir: &Path) -> anyhow::Result<Self> {
        Self::parts(dir).with_context(|| dir.display().to_string())
    }

    fn parts(dir: &Path) -> anyhow::Result<Self> {
        let parameters = from_shell(&text(&dir.join("arm.env"))?).context("arm.env")?;
        let value = |name: &str| parameters.get(name).with_context(|| format!("arm.env has no {name}"));
        let summary: Summary =
            serde_json::from_str(&text(&dir.join("summary.json"))?).context("summary.json")?;
        let watch = WatchLog::parse(&text(&dir.join("watch.log"))?, |pod| summary.is_executor(pod));
        let readings = Reading::read_all(&text(&dir.join("node.csv"))?).context("node.csv")?;
        Ok(Self {
            arm: value("ARM")?.clone(),
            repeat: value("REPEAT")?.parse().context("arm.env: REPEAT")?,
            driver: DriverLog::parse(&text(&dir.join("driver.log"))?),
            kernel: text(&dir.join("kernel.log")).ok().map(|log| KernelLog::parse(&log)),
            pods_out_of_heap: pods_out_of_heap(&dir.join("pods"))?,
            memory: Memory::new(&readings, &watch.happenings),
            parameters,
            summary,
            watch,
        })
    }
}

/// The records among `dirs` and the directories in them, by name.
///
/// # Errors
/// There is none in one of them.
pub(crate) fn find(dirs: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let is_record = |dir: &PathBuf| dir.join("arm.env").is_file();
    let mut found = Vec::new();
    for dir in dirs {
        let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
        let inner = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
        let mut records: Vec<PathBuf> = inner.into_iter().chain([dir.clone()]).filter(is_record).collect();
        if records.is_empty() {
            bail!("{}: no record, nor one in it: a record has an arm.env", dir.display());
        }
        records.sort();
        found.extend(records);
    }
    Ok(found)
}

/// Logs lie in `pods/<namespace>_<pod>_<uid>/<container>/<n>.log`; of pods that were deleted there is none.
fn pods_out_of_heap(dir: &Path) -> anyhow::Result<Vec<String>> {
    let mut pods = Vec::new();
    if !dir.is_dir() {
        return Ok(pods);
    }
    for pod in fs::read_dir(dir)? {
        let pod = pod?.path();
        let name = pod.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(name) = name.split('_').nth(1) else { continue };
        let pattern = format!("{}/*/*.log", glob::Pattern::escape(&pod.to_string_lossy()));
        for log in glob::glob(&pattern)? {
            if text(&log?)?.contains("java.lang.OutOfMemoryError") {
                pods.push(name.to_owned());
            }
        }
    }
    Ok(pods)
}

/// The text of a file that programs wrote, whatever bytes are in it.
fn text(path: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
