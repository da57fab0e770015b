//! The core is pure: a review is decided without a clock, I/O, threads or a runtime.

use std::path::{Path, PathBuf};

const FORBIDDEN: [&str; 5] = ["tokio", "kube", "axum", "hyper", "rustls"];
const FORBIDDEN_OF_STD: [&str; 6] = ["time", "env", "fs", "net", "thread", "process"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The words of a line of code, without its comment.
fn words(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or("");
    code.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
        .collect()
}

fn is_impure(line: &str) -> bool {
    let words = words(line);
    let crates = words.iter().any(|word| {
        FORBIDDEN
            .iter()
            .any(|name| word == name || word.strip_prefix(name).is_some_and(|rest| rest.starts_with('_')))
    });
    let std = words.iter().position(|word| *word == "std");
    crates || std.is_some_and(|at| words[at..].iter().any(|word| FORBIDDEN_OF_STD.contains(word)))
}

#[test]
fn sizing_and_admission_import_nothing_impure() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: Vec<PathBuf> =
        ["sizing", "admission"].iter().flat_map(|part| sources(&root.join(part))).collect();
    assert!(files.len() > 20, "the core is somewhere else now");
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| is_impure(line)) {
            found.push(format!("{}:{}: {line}", file.strip_prefix(&root).unwrap().display(), number + 1));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn impure_lines_are_seen() {
    for line in [
        "use std::time::Instant;",
        "    let now = std::time::Instant::now();",
        "use std::{collections::BTreeMap, fs};",
        "use tokio::sync::Mutex;",
        "use kube_core::Resource;",
        "std::thread::spawn(run);",
    ] {
        assert!(is_impure(line), "{line}");
    }
    for line in ["use std::fmt;", "let time = 1;", "// tokio is not used", "environment(std::mem::take(x))"] {
        assert!(!is_impure(line), "{line}");
    }
}
