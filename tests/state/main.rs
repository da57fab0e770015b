//! From YAML and JSON to the state: classes, objects, files and their changes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

mod class_definition;
mod classes;
mod examples;
mod files;
mod manifests;
mod objects;
mod properties;
mod watched;

use std::path::{Path, PathBuf};

use spark_swap::cluster::state_files::{StateProblems, load};
use spark_swap::sizing::state::StateParts;

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

/// Loads one path.
fn load_path(path: &Path) -> Result<StateParts, StateProblems> {
    load(&[path.to_path_buf()])
}

/// Loads a directory with one file, `state.yaml`.
fn load_text(text: &str) -> Result<StateParts, String> {
    let directory = directory(&[("state.yaml", text)]);
    load_path(directory.path()).map_err(|problems| shown(&problems, directory.path()))
}

/// The problems without the name of the temporary directory.
fn shown(problems: &StateProblems, directory: &Path) -> String {
    problems.to_string().replace(&format!("{}/", directory.display()), "")
}

/// A path in the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
