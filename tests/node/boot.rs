//! One run: a node is booted, runs what its record's `arm.env` says, and leaves its record.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::arm::{Arm, Parameters, as_shell, from_shell, own};
use crate::parts::Parts;

/// The line of `arm.env` that says what the node was made of.
const MADE_OF: &str = "MADE_OF";

/// What a node needs besides its job on a busy machine, seconds.
const START_AND_END_S: u64 = 320;

/// One arm for the n-th time.
#[derive(Clone, Copy)]
pub(crate) struct Planned<'a> {
    pub(crate) arm: &'a Arm,
    /// From 1.
    pub(crate) repeat: u32,
}

impl Planned<'_> {
    /// The name of its record.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.arm.name, self.repeat)
    }

    /// Its record among those of `dir`.
    pub(crate) fn record(&self, dir: &Path) -> PathBuf {
        dir.join(self.name())
    }

    /// What the node gets, and what it was made of.
    fn environment(&self, parts: &Parts) -> Parameters {
        let mut environment = self.arm.parameters.clone();
        environment.insert("ARM".to_owned(), self.arm.name.clone());
        environment.insert("REPEAT".to_owned(), self.repeat.to_string());
        environment.insert(MADE_OF.to_owned(), parts.made_of.clone());
        environment
    }

    /// How long its node may take, with its start and its end.
    fn limit_seconds(&self) -> Option<u64> {
        let of_job: u64 = self.arm.parameters.get("JOB_LIMIT_S")?.parse().ok()?;
        Some(of_job + START_AND_END_S)
    }

    /// Whether `dir` has its whole record, made of the same parts with the parameters that the arm has now.
    pub(crate) fn is_recorded(&self, dir: &Path, defaults: &Parameters, parts: &Parts) -> bool {
        let record = self.record(dir);
        let then = fs::read_to_string(record.join("arm.env")).ok().and_then(|text| from_shell(&text).ok());
        let is_as_now = |then: Parameters| {
            own(&then, defaults) == own(&self.arm.parameters, defaults)
                && then.get(MADE_OF) == Some(&parts.made_of)
        };
        let is_complete = ["summary.json", "done"].into_iter().all(|file| record.join(file).is_file());
        is_complete && then.is_some_and(is_as_now)
    }
}

/// Boots a node for `planned` from `parts`; its record in `dir` is made anew. `cpu`: the host's CPU that it gets; none:
/// the script's choice.
///
/// # Errors
/// The node did not come to its end.
pub(crate) fn boot(
    planned: Planned<'_>,
    parts: &Parts,
    dir: &Path,
    cpu: Option<usize>,
) -> anyhow::Result<()> {
    let record = planned.record(dir);
    if record.exists() {
        fs::remove_dir_all(&record).with_context(|| format!("cannot remove {}", record.display()))?;
    }
    fs::create_dir_all(&record).with_context(|| format!("cannot make {}", record.display()))?;
    fs::write(record.join("arm.env"), as_shell(&planned.environment(parts)))?;
    let said = File::create(record.join("boot.log"))?;
    let mut command = Command::new(repository("tests/node/boot"));
    command.arg(&record).stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said);
    command.envs(parts.environment());
    if let Some(seconds) = planned.limit_seconds() {
        command.env("BOOT_LIMIT_S", seconds.to_string());
    }
    if let Some(cpu) = cpu {
        command.env("NODE_CPU", cpu.to_string());
    }
    let status = command.status().context("cannot run tests/node/boot")?;
    if !status.success() {
        bail!(
            "tests/node/boot failed ({status}): {}; see console.log and log/ in {}",
            last_words(&record),
            record.display()
        );
    }
    ensure!(
        record.join("summary.json").is_file(),
        "no summary.json: {}; see {}",
        last_words(&record),
        record.display()
    );
    Ok(())
}

/// The last lines of what was said, for a first guess.
fn last_words(record: &Path) -> String {
    let tail = |name: &str| {
        let text = fs::read(record.join(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join(" | ")
    };
    [tail("boot.log"), tail("console.log")]
        .into_iter()
        .find(|tail| !tail.is_empty())
        .unwrap_or_else(|| "it said nothing".to_owned())
}

/// A file of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
