//! Plots of density against swap.

use serde_json::{Value, json};

use super::command::{EXAMPLE, list, plan, plan_object, plan_under};
use crate::pods::{class, executor};

const DENSITY: &str = "{strategy: Density, workingSetPercent: 50, peakMarginPercent: 0}";
const NODE: [&str; 2] = ["--node", "memory=64Gi,swap=32Gi"];

fn steps(spec: &str) -> Value {
    plan_object(&list(&[executor()]), &class(spec), &NODE)["executors"][0]["density"].clone()
}

#[test]
fn executors_grow_with_swap_until_the_working_set_binds() {
    let density = steps(DENSITY);
    assert_eq!(density["ownPermille"], json!(500));
    let after: Vec<(u64, u64)> = density["after"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["swapPermille"].as_u64().unwrap(), step["executors"].as_u64().unwrap()))
        .collect();
    assert_eq!(after, [(0, 7), (100, 8), (240, 9), (380, 10), (520, 11), (660, 12)]);
}

#[test]
fn there_is_no_plot_where_swap_changes_nothing() {
    assert_eq!(steps("{strategy: SafetyNet}"), Value::Null);
    assert_eq!(steps("{strategy: Density, workingSetPercent: 90}"), Value::Null);
}

#[test]
fn without_any_class_an_example_of_density_stands_beside_the_built_in_one() {
    insta::assert_snapshot!(plan(&EXAMPLE, "").unwrap());
    let named =
        [&EXAMPLE[..], &["--conf", "spark.kubernetes.executor.label.spark-swap.io/class=batch"]].concat();
    assert!(!plan(&named, "").unwrap().contains("is an example"), "a class that is named is not passed over");
}

#[test]
fn of_many_groups_only_the_largest_is_plotted() {
    let pods: Vec<Value> = (1..=5)
        .flat_map(|cores| {
            let mut pod = executor();
            pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!(cores.to_string());
            vec![pod; cores]
        })
        .collect();
    let report = plan_object(&list(&pods), &class(DENSITY), &NODE);
    let plotted: Vec<bool> =
        report["executors"].as_array().unwrap().iter().map(|group| group["density"].is_object()).collect();
    assert_eq!(plotted, [true, false, false, false, false]);
}

#[test]
fn an_image_takes_the_place_of_the_plot() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("density.svg");
    let text = plan_under(&class(DENSITY), &[&EXAMPLE[..], &["--svg", path.to_str().unwrap()]].concat());
    assert!(!text.contains("Executors per node against swap"), "{text}");
    let image = std::fs::read_to_string(path).unwrap();
    assert!(image.starts_with("<svg ") && image.trim_end().ends_with("</svg>"));
    for label in ["executors per node", "node swap, % of its memory", "before", "after", "this node: 50 %"] {
        assert!(image.contains(label), "{label}");
    }
}
