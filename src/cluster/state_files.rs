//! State from files (`--state PATH`): YAML or JSON as kubectl prints it, read anew when its content changes.
//!
//! Nothing here looks at a clock: the caller says when to [`Watched::poll`].

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::fmt;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::documents::for_each_document;
use super::objects::{Found, Identity, read_document};
use crate::sizing::fields::{OneLine, Problem};
use crate::sizing::state::StateParts;

/// The largest file that is read, bytes. A Node as kubectl prints it takes about 10 kB.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// How often a mounted ConfigMap is read again because the kubelet swapped it in between.
const READS_PER_SWAP: usize = 3;

/// Reads state files once. A path is a file, a pipe or a directory; of a directory, the files `*.yaml`, `*.yml` and
/// `*.json` are read that are not hidden, and no directories in it. A directory may be empty.
///
/// # Errors
/// Every problem of every file.
pub fn load(paths: &[PathBuf]) -> Result<StateParts, StateProblems> {
    load_and_show(paths, &mut |_| {})
}

/// The same, and shows every document as it was read, for those who want more of an object than decisions do.
///
/// # Errors
/// Every problem of every file.
pub fn load_and_show(paths: &[PathBuf], show: &mut dyn FnMut(&Value)) -> Result<StateParts, StateProblems> {
    parse(&read_all(paths, Wanted::AnyFile), show)
}

/// State files that are polled for changes of their content, however they come about: edits, renames, or the `..data`
/// link of a mounted ConfigMap.
#[derive(Debug)]
pub struct Watched {
    paths: Vec<PathBuf>,
    /// Of the content that the last poll saw.
    fingerprint: Option<u64>,
}

/// Everything wrong with the state files, one problem a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct StateProblems(pub Vec<StateProblem>);

/// One problem, shown as `FILE: NAME: spec.path: problem`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateProblem {
    /// The file: the path as it was given, joined with the name of the file when it is a directory.
    pub file: String,
    /// The object's name (`namespace/name` where it has a namespace), or where in the file it is; `None` when the
    /// problem is with the file.
    pub object: Option<String>,
    /// What is wrong, with its path in the object.
    pub problem: Problem,
}

impl Watched {
    /// Watches these paths; see [`load`] for what they may be. Pipes cannot be read again and are a problem.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        Self { paths, fingerprint: None }
    }

    /// Reads the files, blocking. `None` when their content is what it was at the last poll; so the first poll is never
    /// `None`. What cannot be read counts as content: it is reported once, and so is its return.
    pub fn poll(&mut self) -> Option<Result<StateParts, StateProblems>> {
        let sources = read_all(&self.paths, Wanted::RegularFile);
        let mut hasher = DefaultHasher::new();
        sources.hash(&mut hasher);
        let fingerprint = Some(hasher.finish());
        if self.fingerprint == fingerprint {
            return None;
        }
        self.fingerprint = fingerprint;
        Some(parse(&sources, &mut |_| {}))
    }
}

/// A file and its bytes, or why it cannot be read.
#[derive(Debug, Hash)]
struct Source {
    file: String,
    content: Result<Vec<u8>, String>,
}

/// What a path may name besides a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Anything that can be read: `<(kubectl get nodes -o json)` is a pipe.
    AnyFile,
    /// Only what can be read again.
    RegularFile,
}

fn read_all(paths: &[PathBuf], wanted: Wanted) -> Vec<Source> {
    let mut sources = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => sources.extend(read_directory(path)),
            Ok(metadata) if wanted == Wanted::RegularFile && !metadata.is_file() => sources.push(Source {
                file: path.display().to_string(),
                content: Err(
                    "is not a file or directory; what cannot be read again cannot be watched".to_owned()
                ),
            }),
            Ok(_) => sources.push(read_source(path)),
            Err(error) => sources.push(unreadable(path, &error)),
        }
    }
    sources
}

/// The kubelet replaces a mounted ConfigMap by pointing the link `..data` elsewhere: files read before and after that
/// do not belong together.
fn read_directory(directory: &Path) -> Vec<Source> {
    let data = directory.join("..data");
    let mut before = fs::read_link(&data).ok();
    let mut sources = read_directory_once(directory);
    for _ in 1..READS_PER_SWAP {
        let after = fs::read_link(&data).ok();
        if before == after {
            break;
        }
        before = after;
        sources = read_directory_once(directory);
    }
    sources
}

fn read_directory_once(directory: &Path) -> Vec<Source> {
    let entries = match fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(error) => return vec![unreadable(directory, &error)],
    };
    let mut names: Vec<_> = entries.iter().map(fs::DirEntry::file_name).collect();
    names.sort();
    let is_state = |path: &PathBuf| {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_text = ["yaml", "yml", "json"]
            .iter()
            .any(|wanted| path.extension().is_some_and(|found| found == *wanted));
        is_text && !is_hidden
    };
    let files = names.iter().map(|name| directory.join(name)).filter(is_state);
    files
        .filter_map(|path| match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => Some(read_source(&path)),
            Ok(_) => None,
            Err(error) => Some(unreadable(&path, &error)),
        })
        .collect()
}

fn read_source(path: &Path) -> Source {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_FILE_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_FILE_BYTES) => {
            Source { file: path.display().to_string(), content: Ok(bytes) }
        }
        Ok(_) => Source {
            file: path.display().to_string(),
            content: Err(format!(
                "is larger than {} MiB; split it, or leave out what is not read, such as status.images of nodes",
                MAX_FILE_BYTES >> 20
            )),
        },
        Err(error) => unreadable(path, &error),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Source {
    Source { file: path.display().to_string(), content: Err(format!("cannot be read: {error}")) }
}

fn parse(sources: &[Source], show: &mut dyn FnMut(&Value)) -> Result<StateParts, StateProblems> {
    let mut reading = Reading::default();
    for source in sources {
        match source.content.as_deref().map(std::str::from_utf8) {
            Ok(Ok(text)) => reading.add_text(&source.file, text, show),
            Ok(Err(error)) => {
                let place = error.valid_up_to();
                reading.refuse(&source.file, format!("is not UTF-8 text (byte {place}); save it as UTF-8"));
            }
            Err(problem) => reading.refuse(&source.file, problem.clone()),
        }
    }
    if reading.problems.is_empty() { Ok(reading.parts) } else { Err(StateProblems(reading.problems)) }
}

/// What was read so far.
#[derive(Default)]
struct Reading<'a> {
    parts: StateParts,
    problems: Vec<StateProblem>,
    /// The file each object was found in first.
    files: HashMap<Identity, &'a str>,
}

impl<'a> Reading<'a> {
    fn add_text(&mut self, file: &'a str, text: &str, show: &mut dyn FnMut(&Value)) {
        let mut number: usize = 0;
        for_each_document(text, |document| match document {
            Ok(document) => {
                number = number.saturating_add(1);
                show(&document);
                for found in read_document(&document, &format!("document {number}")) {
                    self.add(file, found);
                }
            }
            Err(error) => {
                number = number.saturating_add(1);
                self.refuse(file, error.to_string());
            }
        });
    }

    fn add(&mut self, file: &'a str, found: Found) {
        let Found { identity, name, object } = found;
        let mut problems = match object {
            Ok(object) => {
                object.add_to(&mut self.parts);
                Vec::new()
            }
            Err(problems) => problems,
        };
        if let Some(identity) = identity {
            let kind = identity.kind;
            match self.files.entry(identity) {
                Entry::Vacant(entry) => _ = entry.insert(file),
                Entry::Occupied(first) => {
                    let problem = if *first.get() == file {
                        format!("the same {kind} is in this file already; remove one of them")
                    } else {
                        format!("the same {kind} is in {} already; remove one of them", first.get())
                    };
                    problems.push(Problem { path: "metadata.name".to_owned(), problem });
                }
            }
        }
        self.problems.extend(problems.into_iter().map(|problem| StateProblem {
            file: file.to_owned(),
            object: Some(name.clone()),
            problem,
        }));
    }

    /// A problem with a file as a whole.
    fn refuse(&mut self, file: &str, problem: String) {
        let problem = Problem { path: String::new(), problem };
        self.problems.push(StateProblem { file: file.to_owned(), object: None, problem });
    }
}

impl fmt::Display for StateProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", OneLine(&self.file))?;
        if let Some(object) = &self.object {
            write!(formatter, "{}: ", OneLine(object))?;
        }
        self.problem.fmt(formatter)
    }
}
