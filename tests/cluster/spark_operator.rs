//! kubeflow's spark-operator beside us: whichever of the two webhooks comes first, executors are admitted,
//! and what both wrote holds together.

use std::process::Command;

use serde_json::{Value, json};

use crate::classes::{CLASS_LABEL, batch, swap_node};
use crate::control_plane::ControlPlane;
use crate::operator::{Operator, Turn, executor_labels};
use crate::pods::{self, MIB};
use crate::process;
use crate::spark::{Application, SPARK_3, SPARK_4};
use crate::wait;
use crate::webhook::{self, Webhook};

/// What Spark asks for 8g of heap and 819m of overhead: the executor of the design's example.
const ASKED: u64 = 9011 * MIB;
const DENSE_REQUEST: u64 = 6008 * MIB;
const DENSE_LIMIT: u64 = 6129 * MIB;

/// The memoryLimit of the SparkApplications that have one.
const MEMORY_LIMIT: u64 = 10240 * MIB;
/// The same arithmetic with the memory limit as the declared total: two thirds of it and the slack, and 1.02 of that.
const DENSE_REQUEST_OF_LIMIT: u64 = 6827 * MIB;
const DENSE_LIMIT_OF_LIMIT: u64 = 6964 * MIB;

#[test]
fn an_executor_without_memory_limit_is_planned_alike_before_and_after_the_operator() {
    for turn in [Turn::BeforeOurs, Turn::AfterOurs] {
        let cluster = ControlPlane::shared();
        let namespace = cluster.namespace("operator-plain", json!({}));
        let scene = Scene::new(cluster, &namespace, turn, &json!({}));

        let safe = scene.post("safe", &json!({}));
        assert_eq!((pods::request(&safe), pods::limit(&safe)), (ASKED - MIB, ASKED));
        assert_planned(&safe, "SafetyNet", "AlreadyPlanned");

        let dense = scene.post("dense", &json!({CLASS_LABEL: "batch"}));
        assert_eq!((pods::request(&dense), pods::limit(&dense)), (DENSE_REQUEST, DENSE_LIMIT));
        assert_planned(&dense, "Density", "AlreadyPlanned");
    }
}

/// The order of the two charts' default names.
#[test]
fn an_executor_that_the_operator_gave_a_memory_limit_is_left_alone_or_made_denser_from_that_limit() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("operator-first", json!({}));
    let scene = Scene::new(cluster, &namespace, Turn::BeforeOurs, &json!({"memoryLimit": "10g"}));

    let safe = scene.post("safe", &json!({}));
    assert_eq!((pods::request(&safe), pods::limit(&safe)), (ASKED, MEMORY_LIMIT));
    assert_eq!(pods::plan(&safe), None);
    let verdict = scene.webhook.verdict_on(&namespace, "safe").expect("a call");
    assert_eq!((verdict.mutated, &*verdict.reason), (false, "AlreadyBelowLimit"));

    let dense = scene.post("dense", &json!({CLASS_LABEL: "batch"}));
    assert_eq!((pods::request(&dense), pods::limit(&dense)), (DENSE_REQUEST_OF_LIMIT, DENSE_LIMIT_OF_LIMIT));
    let plan = assert_planned(&dense, "Density", "AlreadyPlanned");
    assert_eq!((&plan["request"]["from"], &plan["limit"]["from"]), (&json!(ASKED), &json!(MEMORY_LIMIT)));
}

#[test]
fn a_memory_limit_that_the_operator_sets_after_the_plan_raises_the_limit_and_leaves_the_rest() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("operator-last", json!({}));
    let scene = Scene::new(cluster, &namespace, Turn::AfterOurs, &json!({"memoryLimit": "10g"}));

    for (name, labels, strategy, request, planned_limit) in [
        ("safe", json!({}), "SafetyNet", ASKED - MIB, ASKED),
        ("dense", json!({CLASS_LABEL: "batch"}), "Density", DENSE_REQUEST, DENSE_LIMIT),
    ] {
        let pod = scene.post(name, &labels);
        assert_eq!((pods::request(&pod), pods::limit(&pod)), (request, MEMORY_LIMIT));
        let plan = assert_planned(&pod, strategy, "ChangedSince");
        assert_eq!((&plan["request"]["to"], &plan["limit"]["to"]), (&json!(request), &json!(planned_limit)));
        let verdict = scene.webhook.verdict_on(&namespace, name).expect("a call");
        assert_eq!((verdict.mutated, &*verdict.reason), (true, "Planned"));
    }
}

/// Why ours has to come last: the operator's webhook does not add to an affinity, it replaces it.
#[test]
fn the_affinity_that_carries_the_proof_survives_the_operators_own_only_when_ours_comes_last() {
    let zone = json!({"key": "zone", "operator": "In", "values": ["a"]});
    let terms = |expressions: Value| json!({"nodeSelectorTerms": [{"matchExpressions": expressions}]});
    let required =
        |terms: Value| json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}});
    let own = required(terms(json!([zone])));
    let proof = json!({"key": "spark-swap.io/limited-swap-permille", "operator": "Gt", "values": ["499"]});
    for (turn, expected) in
        [(Turn::BeforeOurs, required(terms(json!([zone, proof])))), (Turn::AfterOurs, own.clone())]
    {
        let cluster = ControlPlane::shared();
        let namespace = cluster.namespace("operator-affinity", json!({}));
        let scene = Scene::new(cluster, &namespace, turn, &json!({"affinity": own}));
        let pod = scene.post("dense", &json!({CLASS_LABEL: "batch"}));
        assert_eq!((pods::request(&pod), pods::limit(&pod)), (DENSE_REQUEST, DENSE_LIMIT));
        assert_eq!(pod["spec"]["affinity"], expected);
    }
}

#[test]
fn a_spark_application_of_spark_3_gets_planned_executors() {
    assert_application_gets_planned_executors(SPARK_3);
}

#[test]
fn a_spark_application_of_spark_4_gets_planned_executors() {
    assert_application_gets_planned_executors(SPARK_4);
}

/// The whole way: SparkApplication, operator, spark-submit, driver pod, driver, executors.
fn assert_application_gets_planned_executors(version: &str) {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("spark-application", json!({}));
    let webhook = Webhook::start(cluster, &[&namespace], &[batch(), swap_node("swap-1")]);
    let mut operator = Operator::start_webhook(cluster, &namespace, Turn::BeforeOurs);
    operator.start_controller(version);
    let executor = executor(&json!({"memoryLimit": "10g", "labels": {CLASS_LABEL: "batch"}}));
    let application = operator.create_application("etl", version, &executor);

    let driver_pod = operator.driver_pod("etl");
    assert_eq!(pods::plan(&driver_pod), None);
    assert_eq!(webhook.verdict_on(&namespace, "etl-driver"), None);
    let driver = Application::of_driver_pod(cluster, version, &driver_pod).executors(2).submit();
    for pod in driver.executors() {
        assert_is_the_operators(&pod, "etl");
        let owners = pod["metadata"]["ownerReferences"].as_array().unwrap();
        for owner in [&driver_pod, &application] {
            assert!(owners.iter().any(|each| each["uid"] == owner["metadata"]["uid"]), "{owners:?}");
        }
        assert_eq!(pods::env(&pod, "SPARK_EXECUTOR_MEMORY"), Some("8192m"));
        assert_eq!((pods::request(&pod), pods::limit(&pod)), (DENSE_REQUEST_OF_LIMIT, DENSE_LIMIT_OF_LIMIT));
        let plan = pods::plan(&pod).expect("a plan annotation");
        assert_eq!((&plan["request"]["from"], &plan["limit"]["from"]), (&json!(ASKED), &json!(MEMORY_LIMIT)));
    }

    // The operator follows what it did not ask for in this shape.
    wait::until("state of the executors", wait::LIMIT, || {
        let status = operator.application("etl")["status"].take();
        let known = status["executorState"].as_object().map_or(0, serde_json::Map::len);
        if status["applicationState"]["state"] == "RUNNING" && known == 2 {
            Ok(())
        } else {
            Err(format!("{status}\n{}", operator.tails()))
        }
    });
    driver.stop();
}

/// Both webhooks for one namespace, where a SparkApplication is called `etl`.
struct Scene<'a> {
    cluster: &'a ControlPlane,
    namespace: &'a str,
    webhook: Webhook<'a>,
    _operator: Operator<'a>,
}

impl<'a> Scene<'a> {
    fn new(cluster: &'a ControlPlane, namespace: &'a str, turn: Turn, settings: &Value) -> Self {
        let operator = Operator::start_webhook(cluster, namespace, turn);
        operator.create_application("etl", SPARK_4, &executor(settings));
        let mut node = swap_node("swap-1");
        node["metadata"]["labels"]["zone"] = json!("a");
        let webhook = Webhook::start(cluster, &[namespace], &[batch(), node]);
        Self { cluster, namespace, webhook, _operator: operator }
    }

    /// Creates an executor as the application's driver does, and sees that the operator had its part in it.
    fn post(&self, name: &str, labels: &Value) -> Value {
        let mut pod = pods::executor(name, 8192, 819);
        let all = pod["metadata"]["labels"].as_object_mut().unwrap();
        all.extend(executor_labels("etl").as_object().unwrap().clone());
        all.extend(labels.as_object().unwrap().clone());
        let stored = self.cluster.try_create(&pod, &["-n", self.namespace]).unwrap();
        assert_is_the_operators(&stored, "etl");
        stored
    }
}

/// `spec.executor` of a SparkApplication, with `settings` of its own.
fn executor(settings: &Value) -> Value {
    let mut executor = json!({
        "instances": 2, "cores": 1, "memory": "8g", "memoryOverhead": "819m",
        "env": [{"name": "FROM_OPERATOR", "value": "yes"}],
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    });
    executor.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    executor
}

/// Returns the plan. `reason` is what a second look at the stored pod says.
fn assert_planned(pod: &Value, strategy: &str, reason: &str) -> Value {
    let plan = pods::plan(pod).expect("a plan annotation");
    assert_eq!(plan["strategy"], strategy);
    let mut command = Command::new(webhook::program());
    command.args(["explain", "--offline", "-f", "-", "-o", "json"]);
    let explained = process::run(&mut command, &pod.to_string()).unwrap();
    let explained: Value = serde_json::from_str(&explained).unwrap();
    assert_eq!(explained["reason"], reason, "{explained}");
    plan
}

/// What the operator has Spark write and what its webhook adds is there.
fn assert_is_the_operators(pod: &Value, application: &str) {
    let labels = &pod["metadata"]["labels"];
    assert_eq!(labels["sparkoperator.k8s.io/app-name"], application);
    assert_eq!(labels["sparkoperator.k8s.io/launched-by-spark-operator"], "true");
    assert!(labels["sparkoperator.k8s.io/submission-id"].is_string());
    assert_eq!(pods::env(pod, "FROM_OPERATOR"), Some("yes"));
    let has_scratch = |list: &Value| list.as_array().unwrap().iter().any(|each| each["name"] == "scratch");
    assert!(has_scratch(&pod["spec"]["volumes"]), "{pod}");
    assert!(has_scratch(&pods::spark_container(pod)["volumeMounts"]), "{pod}");
}
