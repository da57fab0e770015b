//! The swap that running executors were granted.

use serde_json::{Value, json};
use spark_swap::cli::nodes::executors::RunningExecutor;
use spark_swap::sizing::nodes::Node;

const MIB: u64 = 1 << 20;

/// Captured executors with a sidecar that asks for 32Mi of 64Mi, and the swap that gives it here.
const SIDECARS: [(&str, u64); 2] =
    [("exec-4.3.0-rp1", 16 * MIB), ("exec-3.5.9-podtemplate-sidecar", 16 * MIB)];

/// The node of the design's example: 64Gi with 32Gi of swap.
pub(crate) fn node(labels: &[(&str, &str)]) -> Node {
    Node {
        name: "swap-1".to_owned(),
        memory: 64 << 30,
        swap: 32 << 30,
        labels: labels.iter().copied().collect(),
        taints: Vec::new(),
    }
}

/// The executor of the design's example on its node, with changes.
pub(crate) fn executor(changes: &[(&str, Value)]) -> Value {
    let mut pod = json!({
        "metadata": {"name": "exec-1", "labels": {"spark-role": "executor"}, "annotations": {}},
        "spec": {
            "nodeName": "swap-1",
            "initContainers": [],
            "containers": [{
                "name": "spark", "args": ["executor"], "env": [{"name": "SPARK_EXECUTOR_ID", "value": "1"}],
                "resources": {"requests": {"cpu": "1", "memory": "6008Mi"}, "limits": {"memory": "6129Mi"}},
            }],
        },
        "status": {"phase": "Running", "qosClass": "Burstable"},
    });
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match pod.pointer_mut(parent).unwrap() {
            Value::Array(list) => list.push(value.clone()),
            object => object[key.replace("~1", "/")] = value.clone(),
        }
    }
    pod
}

fn granted(changes: &[(&str, Value)], labels: &[(&str, &str)], kubelet: bool) -> u64 {
    let executor = RunningExecutor::read(&executor(changes)).expect("an executor");
    executor.granted(&node(labels), Some(kubelet)).expect("a known grant")
}

#[test]
fn the_kubelet_grants_by_the_request_and_only_where_it_hands_out_swap() {
    assert_eq!(granted(&[], &[], true), 3_149_922_304);
    assert_eq!(granted(&[], &[], false), 0);
}

#[test]
fn a_grant_that_depends_on_a_kubelet_nobody_asked_is_not_known() {
    let plain = RunningExecutor::read(&executor(&[])).unwrap();
    assert_eq!(plain.granted(&node(&[]), None), None);
    assert_eq!(plain.granted(&Node { swap: 0, ..node(&[]) }, None), Some(0));
    let key = "/metadata/annotations/memory.swap.max.memory-qos.nri.io~1spark";
    let written = RunningExecutor::read(&executor(&[(key, json!("4096"))])).unwrap();
    assert_eq!(written.granted(&node(&[("spark-swap.io/nri-swap-permille", "500")]), None), Some(4096));
}

#[test]
fn what_gets_no_swap_from_the_kubelet_counts_nothing() {
    for (pointer, value) in [
        ("/spec/containers/0/resources/limits", json!({"memory": "6008Mi"})),
        ("/status/qosClass", json!("Guaranteed")),
        ("/spec/priority", json!(2_000_000_000)),
    ] {
        assert_eq!(granted(&[(pointer, value.clone())], &[], true), 0, "{pointer} {value}");
    }
}

#[test]
fn containers_beside_spark_count_while_they_run() {
    let sidecar =
        json!({"name": "log", "resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}});
    let mut init = sidecar.clone();
    assert_eq!(granted(&[("/spec/containers/-", sidecar)], &[], true), 3_149_922_304 + 512 * MIB);
    assert_eq!(granted(&[("/spec/initContainers/-", init.clone())], &[], true), 3_149_922_304);
    init["restartPolicy"] = json!("Always");
    assert_eq!(granted(&[("/spec/initContainers/-", init)], &[], true), 3_149_922_304 + 512 * MIB);
}

#[test]
fn an_explicit_backend_has_the_last_word_where_it_is() {
    let crio =
        [("/metadata/annotations/unified-cgroup.crio.io~1spark", json!("memory.swap.max=MTA3Mzc0MTgyNA=="))];
    let nri = [("/metadata/annotations/memory.swap.max.memory-qos.nri.io~1spark", json!("1073741825"))];
    assert_eq!(granted(&crio, &[("spark-swap.io/crio-swap-permille", "500")], false), 1 << 30);
    assert_eq!(granted(&nri, &[("spark-swap.io/nri-swap-permille", "500")], true), 1 << 30);
    assert_eq!(granted(&crio, &[], true), 3_149_922_304, "nothing says that the runtime reads it");
}

#[test]
fn only_executors_on_a_node_that_have_not_ended_count() {
    for (pointer, value) in [
        ("/status/phase", json!("Succeeded")),
        ("/status/phase", json!("Failed")),
        ("/spec/nodeName", json!("")),
        ("/metadata/labels/spark-role", json!("driver")),
        ("/spec/containers/0/args", json!(["driver"])),
    ] {
        assert_eq!(RunningExecutor::read(&executor(&[(pointer, value.clone())])), None, "{pointer} {value}");
    }
    assert!(RunningExecutor::read(&executor(&[("/status/phase", json!("Pending"))])).is_some());
}

#[test]
fn executors_of_real_spark_get_no_swap_but_for_a_sidecar() {
    for entry in std::fs::read_dir("tests/fixtures/executors").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let mut pod: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        pod["spec"]["nodeName"] = json!("swap-1");
        let executor = RunningExecutor::read(&pod).unwrap_or_else(|| panic!("{name}"));
        let sidecar = SIDECARS.iter().find(|(with, _)| *with == name).map_or(0, |(_, swap)| *swap);
        assert_eq!(executor.granted(&node(&[]), Some(true)), Some(sidecar), "{name}");
    }
}
