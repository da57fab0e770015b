//! Executors exactly as real Spark posted them.

use std::path::PathBuf;

use rstest::rstest;
use serde_json::Value;
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::state::State;

use crate::cluster::admit;

fn read(path: &PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[rstest]
fn every_executor_that_spark_posts_is_recognised(#[files("tests/fixtures/executors/*.json")] path: PathBuf) {
    let (decision, _) = admit(&read(&path), &State::default());
    assert!(decision.executor.is_some(), "{}: {}", path.display(), decision.reason);
}

#[rstest]
fn pods_of_allocators_are_recognised(
    #[values("statefulset-4.3.0.json", "deployment-4.3.0.json")] name: &str,
) {
    let set = read(&PathBuf::from("tests/fixtures").join(name));
    let pod = &set["spec"]["template"];
    let (decision, _) = admit(pod, &State::default());
    assert_eq!(decision.reason, Reason::Planned);
}

#[test]
fn drivers_are_left_alone() {
    let driver = read(&PathBuf::from("tests/fixtures/driver-4.3.0-cluster-python.json"));
    let (decision, patched) = admit(&driver, &State::default());
    assert_eq!(decision.reason, Reason::NotExecutor);
    assert_eq!(patched, driver);
}
