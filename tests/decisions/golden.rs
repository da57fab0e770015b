//! Golden files: what becomes of every captured executor under four policies.

use std::fmt::Write;
use std::path::PathBuf;

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::sizing::class::{Backend, QosMode, Strategy, SwapBackend, SwapClass};
use spark_swap::sizing::state::State;

use crate::cluster::{GIB, admit, class, node, plan_of, state};

fn policies() -> [(&'static str, SwapClass); 4] {
    let crio = SwapBackend { via: Backend::CrioAnnotation, max_per_executor: None };
    [
        ("built-in", SwapClass::built_in()),
        ("Density, tight", SwapClass { working_set_percent: 50, ..class(Strategy::Density) }),
        (
            "HeapGrowth",
            SwapClass {
                heap_growth_percent: 25,
                young_generation_percent: 10,
                ..class(Strategy::HeapGrowth)
            },
        ),
        (
            "CRI-O, Guaranteed, four cpus",
            SwapClass {
                swap: crio,
                qos_class: QosMode::Guaranteed,
                working_set_percent: 50,
                ..class(Strategy::Density)
            },
        ),
    ]
}

fn cluster(class: SwapClass) -> State {
    let labels = ["limited", "crio"].map(|backend| format!("spark-swap.io/{backend}-swap-permille"));
    let mut labels: Vec<(&str, &str)> = labels.iter().map(|key| (key.as_str(), "500")).collect();
    labels.push(("swap", "yes"));
    state(class, vec![node("swap-1", 64 * GIB, 32 * GIB, &labels)])
}

/// The plan stands above in full.
fn hide_plan(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("{\"v\":") => "the plan".clone_into(text),
        Value::Object(members) => members.values_mut().for_each(hide_plan),
        _ => {}
    }
}

fn told(pod: &Value, class: SwapClass) -> String {
    let (decision, patched) = admit(pod, &cluster(class));
    let bound = decision.plan.as_ref().map_or("none", |plan| plan.bound.as_str());
    let mut text = format!("reason {}, bound {bound}\n", decision.reason);
    for note in &decision.notes {
        writeln!(text, "notice {}", note.warning()).unwrap();
    }
    if decision.plan.is_some() {
        writeln!(text, "plan {:#}", plan_of(&patched)).unwrap();
    }
    for operation in &decision.operations {
        let mut value = serde_json::to_value(&operation.value).unwrap();
        hide_plan(&mut value);
        writeln!(text, "{} {} {value}", operation.op, operation.path).unwrap();
    }
    text
}

/// The captured executors ask for one cpu, which is never Guaranteed.
fn with_cpus(pod: &Value, cpus: Option<&str>) -> Value {
    let mut pod = pod.clone();
    let containers = pod["spec"]["containers"].as_array_mut().unwrap();
    let spark = containers.iter_mut().find(|container| container["args"][0] == "executor").unwrap();
    if let Some(cpus) = cpus {
        spark["resources"]["requests"]["cpu"] = json!(cpus);
    }
    pod
}

#[rstest]
fn captured_executors_come_out_as_before(#[files("tests/fixtures/executors/*.json")] path: PathBuf) {
    let pod: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let text = policies().map(|(policy, class)| {
        let cpus = (class.qos_class == QosMode::Guaranteed).then_some("4");
        format!("== {policy}\n{}", told(&with_cpus(&pod, cpus), class))
    });
    let text = text.join("\n");
    let name = path.file_stem().unwrap().to_str().unwrap();
    insta::with_settings!({snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, text);
    });
}
