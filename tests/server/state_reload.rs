//! The state follows the files; the last good one stays in force.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use spark_swap::server::metrics::Metrics;
use spark_swap::server::state_reload::{StateReload, in_force};
use spark_swap::sizing::state::Settings;
use tokio::task::yield_now;

fn write_class(directory: &Path, name: &str, spec: &str) {
    let text = format!(
        "apiVersion: spark-swap.io/v1alpha1\nkind: SwapClass\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
    );
    fs::write(directory.join("class.yaml"), text).unwrap();
}

#[tokio::test]
async fn a_change_comes_into_force_and_a_bad_one_does_not() {
    let directory = tempfile::tempdir().unwrap();
    write_class(directory.path(), "first", "");
    let (files, state) = StateReload::load(vec![directory.path().to_owned()], Settings::default()).unwrap();
    let metrics = Arc::new(Metrics::new());
    in_force(&state, &metrics);
    let state = Arc::new(ArcSwap::from_pointee(state));
    let watch = files.watch(Duration::from_millis(1), Arc::clone(&state), Arc::clone(&metrics));
    let watch = tokio::spawn(watch);

    write_class(directory.path(), "second", "");
    while state.load().class("second").is_none() {
        yield_now().await;
    }
    assert!(state.load().class("first").is_none());

    write_class(directory.path(), "third", "workingSetPercent: 0, strategy: Magic");
    while metrics.state_problems.get() != 2 {
        yield_now().await;
    }
    assert!(state.load().class("second").is_some() && state.load().class("third").is_none());

    write_class(directory.path(), "fourth", "workingSetPercent: 50");
    while state.load().class("fourth").is_none() {
        yield_now().await;
    }
    assert_eq!(metrics.state_problems.get(), 0);
    watch.abort();
}

#[test]
fn without_paths_there_is_the_built_in_class_and_nothing_to_reload() {
    let (mut files, state) = StateReload::load(Vec::new(), Settings::default()).unwrap();
    assert_eq!(state.default_class().name, "safety-net");
    assert!(files.poll().is_none());
}
