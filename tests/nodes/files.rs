//! Nodes from files: no kubelet and no executor is known.

use insta::assert_snapshot;

use crate::command::nodes;

const FLEET: &str = "tests/nodes/fleet.yaml";

fn shown(args: &[&str]) -> String {
    let report = nodes(&[&["--state", FLEET], args].concat()).unwrap();
    let failure = report.failure.map(|failure| format!("error: {failure}"));
    let told: Vec<String> = report.notes.into_iter().chain(failure).collect();
    format!("{}--- stderr\n{}\n", report.out, told.join("\n"))
}

#[test]
fn a_mixed_fleet() {
    assert_snapshot!(shown(&["-o", "wide"]));
}

#[test]
fn nodes_by_name_and_one_that_is_not_there() {
    assert_snapshot!(shown(&["stale", "swap-1", "gone", "swap-1"]));
}

#[test]
fn nodes_by_label() {
    let report = nodes(&["--state", FLEET, "-l", "pool in (spark),!gpu"]).unwrap();
    let names = report.out.lines().skip(1).map(|line| line.split(' ').next().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["swap-1", "swap-2"]);
    let none = shown(&["-l", "pool=other"]);
    assert_eq!(none, "--- stderr\nNo nodes found\n");
}

#[test]
fn objects_for_programs() {
    let json = nodes(&["--state", FLEET, "-o", "json", "swap-1", "runtime"]).unwrap();
    assert_snapshot!(json.out);
    assert!(json.notes.is_empty(), "{:?}", json.notes);
    let yaml = nodes(&["--state", FLEET, "-o", "yaml", "swap-1", "runtime"]).unwrap();
    let [json, yaml]: [serde_json::Value; 2] =
        [serde_json::from_str(&json.out).unwrap(), serde_saphyr::from_str(&yaml.out).unwrap()];
    assert_eq!(json, yaml);
    assert_eq!(nodes(&["--state", FLEET, "-o", "json", "-l", "pool=other"]).unwrap().out, "[]\n");
}

#[test]
fn a_file_that_is_not_there_is_bad_input() {
    let problem = nodes(&["--state", "nowhere.yaml"]).unwrap_err();
    assert!(problem.starts_with("nowhere.yaml: cannot be read: "), "{problem}");
}
