//! Changes of state files are noticed by their content, once each.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use spark_swap::cluster::state_files::{StateProblems, Watched};
use spark_swap::sizing::state::StateParts;

use super::directory;

fn node(name: &str) -> String {
    format!("{{kind: Node, apiVersion: v1, metadata: {{name: {name}}}}}\n")
}

fn names(result: Option<Result<StateParts, StateProblems>>) -> Vec<String> {
    let parts = result.expect("a change").unwrap_or_else(|problems| panic!("{problems}"));
    parts.nodes.into_iter().map(|node| node.name).collect()
}

fn watch(path: &Path) -> Watched {
    Watched::new(vec![path.to_path_buf()])
}

#[test]
fn the_first_poll_reads_and_an_unchanged_directory_says_nothing() {
    let directory = directory(&[("a.yaml", &node("a"))]);
    let mut watched = watch(directory.path());
    assert_eq!(names(watched.poll()), ["a"]);
    assert!(watched.poll().is_none());
    fs::write(directory.path().join("a.yaml"), node("a")).unwrap();
    fs::write(directory.path().join("notes.txt"), "not state").unwrap();
    assert!(watched.poll().is_none(), "the content is the same");
}

#[test]
fn edits_additions_and_removals_are_noticed_once() {
    let directory = directory(&[("a.yaml", &node("a"))]);
    let mut watched = watch(directory.path());
    assert_eq!(names(watched.poll()), ["a"]);
    // The same length within the same tick of the file system's clock.
    fs::write(directory.path().join("a.yaml"), node("b")).unwrap();
    assert_eq!(names(watched.poll()), ["b"]);
    fs::write(directory.path().join("c.yaml"), node("c")).unwrap();
    assert_eq!(names(watched.poll()), ["b", "c"]);
    fs::remove_file(directory.path().join("a.yaml")).unwrap();
    assert_eq!(names(watched.poll()), ["c"]);
    assert!(watched.poll().is_none());
}

#[test]
fn the_data_link_of_a_mounted_config_map_is_followed() {
    let directory = directory(&[]);
    let volume = directory.path();
    let publish = |version: &str, text: &str| {
        fs::create_dir(volume.join(version)).unwrap();
        fs::write(volume.join(version).join("nodes.yaml"), text).unwrap();
        symlink(version, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    };
    publish("..2026_01_01_00_00_00.1", &node("a"));
    symlink("..data/nodes.yaml", volume.join("nodes.yaml")).unwrap();
    let mut watched = watch(volume);
    assert_eq!(names(watched.poll()), ["a"], "the hidden directory is not read twice");
    publish("..2026_01_01_00_01_00.2", &node("b"));
    assert_eq!(names(watched.poll()), ["b"]);
    publish("..2026_01_01_00_02_00.3", &node("b"));
    assert!(watched.poll().is_none(), "a new directory with the old content");
}

#[test]
fn problems_are_reported_once_and_their_repair_is_noticed() {
    let directory = directory(&[("a.yaml", "kind: [")]);
    let mut watched = watch(directory.path());
    assert!(watched.poll().expect("a change").is_err());
    assert!(watched.poll().is_none());
    fs::write(directory.path().join("a.yaml"), node("a")).unwrap();
    assert_eq!(names(watched.poll()), ["a"]);
}

#[test]
fn a_path_that_vanishes_is_a_problem_until_it_is_back() {
    let directory = directory(&[("a.yaml", &node("a"))]);
    let file = directory.path().join("a.yaml");
    let mut watched = watch(&file);
    assert_eq!(names(watched.poll()), ["a"]);
    fs::remove_file(&file).unwrap();
    assert!(watched.poll().expect("a change").is_err());
    fs::write(&file, node("a")).unwrap();
    assert_eq!(names(watched.poll()), ["a"]);
}

#[test]
fn what_can_be_read_only_once_is_not_watched() {
    let problems = watch(Path::new("/dev/null")).poll().expect("a change").unwrap_err();
    assert_eq!(
        problems.to_string(),
        "/dev/null: is not a file or directory; what cannot be read again cannot be watched"
    );
}
