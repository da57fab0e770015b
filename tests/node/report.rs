//! Everything under `docs` that is made from records: numbers as CSV, and what is drawn and written from the CSV alone.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::arm::{Arms, Pair, own};
use crate::memory::Memory;
use crate::page;
use crate::plot::{Drawn, draw};
use crate::record::Record;
use crate::results::Results;
use crate::run::Run;

/// Where the page is, and the directory of the rest.
pub(crate) const PAGE: &str = "docs/experiment.md";
const DIR: &str = "docs/experiment";
const RUNS: &str = "docs/experiment/runs.csv";

/// Files by their path in the repository.
pub(crate) type Files = BTreeMap<String, String>;

/// What is kept of all records.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) results: Results,
    /// By the run's name.
    pub(crate) memory: BTreeMap<String, Memory>,
}

impl Recorded {
    /// Reads records. Those that are not complete, or not of the arms as they are now, are named and left out.
    ///
    /// # Errors
    /// They do not go together.
    pub(crate) fn of_records(dirs: &[PathBuf], arms: &Arms) -> anyhow::Result<(Self, Vec<String>)> {
        let (mut runs, mut memory, mut unread) = (Vec::new(), BTreeMap::new(), Vec::new());
        for dir in dirs {
            match Record::read(dir) {
                Ok(record) => {
                    let run = Run::of(&record, &arms.defaults);
                    match as_now(&run, arms) {
                        Ok(()) => {
                            memory.insert(run.name(), record.memory);
                            runs.push(run);
                        }
                        Err(problem) => unread.push(format!("{}: {problem}", dir.display())),
                    }
                }
                Err(problem) => unread.push(format!("{problem:#}")),
            }
        }
        let results = Results::new(runs, arms)?;
        Ok((Self { results, memory }, unread))
    }

    /// Beside `others`; where both have a run, this one's.
    ///
    /// # Errors
    /// They do not go together.
    pub(crate) fn beside(self, others: Self, arms: &Arms) -> anyhow::Result<Self> {
        let is_new = |run: &&Run| !self.results.has(&run.arm, run.repeat);
        let kept: Vec<Run> = others.results.iter().filter(is_new).cloned().collect();
        let results = Results::new(self.results.iter().cloned().chain(kept).collect(), arms)?;
        let memory = others.memory.into_iter().chain(self.memory).collect();
        Ok(Self { results, memory })
    }

    /// Reads the CSVs that were kept in `root`; nothing where there are none yet.
    ///
    /// # Errors
    /// They are not what was written.
    pub(crate) fn of_csv(root: &Path, arms: &Arms) -> anyhow::Result<Self> {
        let mut recorded = Self::default();
        for file in kept(root)? {
            let text = || fs::read_to_string(root.join(&file)).context(file.clone());
            if let Some(run) = run_of(&file) {
                let memory = Memory::from_csv(&text()?).with_context(|| file.clone())?;
                recorded.memory.insert(run.to_owned(), memory);
            } else if file == RUNS {
                recorded.results = Results::from_csv(&text()?, arms).context(RUNS)?;
                for run in recorded.results.iter() {
                    as_now(run, arms).with_context(|| {
                        format!("{RUNS}: {}: run it again, or remove its row", run.name())
                    })?;
                }
            }
        }
        Ok(recorded)
    }

    /// Everything: the CSVs, the plots, and the page with its tables.
    pub(crate) fn files(&self, arms: &Arms, page: &str) -> anyhow::Result<Files> {
        let mut files = self.csv(arms)?;
        files.insert(PAGE.to_owned(), page::renew(page, arms, &self.results)?);
        for pair in &arms.plots {
            if let Some(image) = self.plot(pair)? {
                files.insert(plot_of(&pair.name), image);
            }
        }
        Ok(files)
    }

    /// Every run, and the memory of the nodes that are drawn.
    fn csv(&self, arms: &Arms) -> anyhow::Result<Files> {
        let mut files = Files::new();
        if self.results.iter().next().is_none() {
            return Ok(files);
        }
        files.insert(RUNS.to_owned(), self.results.to_csv()?);
        for arm in arms.plots.iter().flat_map(|pair| [&pair.without, &pair.with]) {
            for run in self.results.of(arm) {
                let Some(memory) = self.memory.get(&run.name()) else { continue };
                files.insert(memory_of(&run.name()), memory.to_csv()?);
            }
        }
        Ok(files)
    }

    /// None: not both of them ran.
    fn plot(&self, pair: &Pair) -> anyhow::Result<Option<String>> {
        let drawn = |which: &str, arm: &String| {
            let run = self.results.typical(arm)?;
            Some(Drawn {
                title: format!("{which}: {}", run.name()),
                subtitle: subtitle(run),
                memory: self.memory.get(&run.name())?,
                node_memory: run.node_memory_mib,
            })
        };
        let (Some(without), Some(with)) = (drawn("without", &pair.without), drawn("with", &pair.with)) else {
            return Ok(None);
        };
        draw(&[without, with]).map(Some)
    }
}

/// Whether the arm still is what this run was of.
fn as_now(run: &Run, arms: &Arms) -> anyhow::Result<()> {
    let Some(arm) = arms.get(&run.arm) else { return Ok(()) };
    let now = own(&arm.parameters, &arms.defaults);
    ensure!(run.parameters == now, "it ran with {:?}, the arm now has {now:?}", run.parameters);
    Ok(())
}

fn subtitle(run: &Run) -> String {
    let seconds = run.seconds.map_or_else(|| "in time".to_owned(), |seconds| format!("after {seconds} s"));
    let outcome = if run.outcome == "unfinished" { "not done" } else { &run.outcome };
    format!("{outcome} {seconds}, {} executors, {} of them lost", run.executors, run.lost)
}

/// Puts the files into `root`, in place of those that were made before.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn write(root: &Path, files: &Files) -> anyhow::Result<()> {
    fs::create_dir_all(root.join(DIR))?;
    for file in kept(root)?.iter().filter(|file| !files.contains_key(*file)) {
        fs::remove_file(root.join(file))?;
    }
    for (path, text) in files {
        fs::write(root.join(path), text).with_context(|| format!("cannot write {path}"))?;
    }
    Ok(())
}

/// The files of ours that are there, by their path in the repository.
fn kept(root: &Path) -> anyhow::Result<Vec<String>> {
    let dir = root.join(DIR);
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let path = |entry: io::Result<DirEntry>| Ok(format!("{DIR}/{}", entry?.file_name().to_string_lossy()));
    let mut files = entries.map(path).collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file == RUNS || run_of(file).is_some() || is_plot(file));
    files.sort();
    Ok(files)
}

/// Where the memory of a run is kept.
fn memory_of(run: &str) -> String {
    format!("{DIR}/memory-{run}.csv")
}

/// Where it is drawn.
fn plot_of(pair: &str) -> String {
    format!("{DIR}/memory-{pair}.svg")
}

fn is_plot(file: &str) -> bool {
    file.strip_prefix(DIR)
        .is_some_and(|name| name.starts_with("/memory-") && name.strip_suffix(".svg").is_some())
}

/// The run whose memory is in this file.
fn run_of(file: &str) -> Option<&str> {
    file.strip_prefix(DIR)?.strip_prefix("/memory-")?.strip_suffix(".csv")
}
