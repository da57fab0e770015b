//! Whatever the executor, the class and the node: what is said to fit does fit, and no more would.

use proptest::prelude::*;
use serde_json::Value;

use super::command::{list, plan_object};
use crate::pods::{class, executor_with};

const GIB: u64 = 1 << 30;

#[derive(Clone, Debug)]
struct Case {
    /// Of the node, Mi.
    memory: u64,
    swap: u64,
    allocatable: u64,
    cpu: u64,
    /// Of the executor, Mi.
    heap: u64,
    overhead: u64,
    sidecar: u64,
    cpu_millis: u64,
    spec: String,
}

fn case() -> impl Strategy<Value = Case> {
    let node = (8_u64 << 10..512 << 10, 0_u64..200, 80_u64..=100, 1_u64..128);
    let executor = (512_u64..64 << 10, 384_u64..8192, 0_u64..2048, 100_u64..8000);
    let class = (
        prop_oneof![Just("SafetyNet"), Just("Density"), Just("HeapGrowth")],
        30_u64..=90,
        prop_oneof![Just("Tight"), Just("Loose")],
        0_u64..=20,
        any::<bool>(),
    );
    (node, executor, class).prop_map(|(node, executor, class)| {
        let (memory, swap_percent, allocatable_percent, cpu) = node;
        let (heap, overhead, sidecar, cpu_millis) = executor;
        let (strategy, working_set, limit, margin, only_with_swap) = class;
        Case {
            memory,
            swap: memory * swap_percent / 100,
            allocatable: memory * allocatable_percent / 100,
            cpu,
            heap,
            overhead,
            sidecar,
            cpu_millis,
            spec: format!(
                "{{strategy: {strategy}, workingSetPercent: {working_set}, limit: {limit}, peakMarginPercent: {margin}, \
                 heap: {{growthPercent: 25}}, nodes: {{onlyWithSwap: {only_with_swap}}}}}"
            ),
        }
    })
}

fn report(case: &Case) -> Value {
    let Case { memory, swap, allocatable, cpu, heap, overhead, sidecar, cpu_millis, spec } = case;
    let total = format!("{}Mi", heap + overhead);
    let sidecar = format!("{sidecar}Mi");
    let pod = executor_with(&[
        ("/spec/containers/0/env/0/value", format!("{heap}m").into()),
        ("/spec/containers/0/resources/requests/memory", total.clone().into()),
        ("/spec/containers/0/resources/limits/memory", total.into()),
        ("/spec/containers/0/resources/requests/cpu", format!("{cpu_millis}m").into()),
        (
            "/spec/containers/-",
            serde_json::json!({"name": "sidecar", "resources": {"requests": {"memory": sidecar}}}),
        ),
    ]);
    let node = format!("memory={memory}Mi,swap={swap}Mi,allocatable={allocatable}Mi,cpu={cpu}");
    plan_object(&list(&[pod]), &class(spec), &["--node", &node])
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is not a number"))
}

/// So many fit, and one more does not.
fn fits(fit: &Value, request: u64, group: &Value, node: &Value) -> bool {
    let (executors, cpu) = (number(&fit["executors"]), number(&group["podCpuMillis"]));
    let holds = |executors: u64| {
        executors * request <= number(&node["allocatableMemory"])
            && executors * cpu <= number(&node["allocatableCpuMillis"])
    };
    (executors == 0 || holds(executors)) && !holds(executors + 1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_said_to_fit_fits(case in case()) {
        let report = report(&case);
        let group = &report["executors"][0];
        let node = &group["nodes"][0];
        let request = &group["podRequest"];
        prop_assert!(fits(&node["before"], number(&request["from"]), group, node));
        prop_assert!(number(&request["to"]) <= number(&request["from"]));
        if node["after"].is_null() {
            return Ok(());
        }
        prop_assert!(fits(&node["after"], number(&request["to"]), group, node));
        prop_assert!(number(&node["before"]["executors"]) <= number(&node["after"]["executors"]));
        prop_assert!(number(&node["reserved"]) <= number(&node["allocatableMemory"]));
        prop_assert!(number(&node["allocatableMemory"]) <= 512 * GIB);
        if let Some(granted) = node["grantedSwap"].as_u64() {
            prop_assert!(granted <= number(&node["swap"]));
            let peak = number(&node["peakSwap"]);
            prop_assert_eq!(number(&node["writeRate"]), peak.div_ceil(60));
            let is_backed = group["plan"]["strategy"] != "SafetyNet";
            prop_assert!(!is_backed || peak <= granted, "{} > {}", peak, granted);
        }
    }
}
