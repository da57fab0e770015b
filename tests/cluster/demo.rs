//! The demo on real parts: what `kubectl get pod -o yaml` shows of an executor of real Spark, before and after.
//! `make demo-cluster` prints it.

use serde_json::json;

use crate::classes::{CLASS_CONF, batch, swap_node};
use crate::control_plane::ControlPlane;
use crate::pods;
use crate::spark::{Application, SPARK_4};
use crate::webhook::Webhook;

#[test]
fn kubectl_shows_an_executor_of_real_spark_before_and_after() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("demo", json!({}));
    let before = executor_yaml(cluster, &namespace);
    let _webhook = Webhook::start(cluster, &[&namespace], &[batch(), swap_node("swap-1")]);
    let after = executor_yaml(cluster, &namespace);

    println!("\nspark-submit --conf spark.executor.memory=8g --conf {CLASS_CONF}=batch ...\n");
    println!("kubectl get pod -o yaml, without spark-swap:\n\n{}", excerpt(&before));
    println!("kubectl get pod -o yaml, with spark-swap:\n\n{}", excerpt(&after));
    assert!(excerpt(&before).contains("memory: 9011Mi"));
    for shown in ["memory: 6008Mi", "memory: 6129Mi", r#""expectedSwap":3149922304"#, "qosClass: Burstable"] {
        assert!(excerpt(&after).contains(shown), "{shown} is not in\n{after}");
    }
}

fn executor_yaml(cluster: &ControlPlane, namespace: &str) -> String {
    let application = Application::new(cluster, SPARK_4, namespace).conf("spark.executor.memory", "8g");
    let driver = application.conf(CLASS_CONF, "batch").submit();
    let executors = driver.executors();
    let yaml = cluster.kubectl(&["get", "pod", "-n", namespace, pods::name(&executors[0]), "-o", "yaml"]);
    driver.stop();
    yaml
}

/// The lines about memory, placement and the plan.
fn excerpt(yaml: &str) -> String {
    let mut shown = String::new();
    let mut section = None;
    for line in yaml.lines() {
        let indent = line.len() - line.trim_start().len();
        let word = line.trim_start().trim_start_matches("- ");
        if section.is_some_and(|start| indent <= start) {
            section = None;
        }
        let opens = ["spark-swap.io/plan:", "affinity:", "resources:", "qosClass:"];
        if section.is_none() && opens.iter().any(|start| word.starts_with(start)) {
            section = Some(indent);
        }
        if section.is_some() {
            shown.push_str(line);
            shown.push('\n');
        }
    }
    shown
}
