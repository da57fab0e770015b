//! Which pods are Spark executors, and which container is Spark's.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::state::State;

use crate::cluster::{admit, example, with, with_container, with_label};

fn beside(container: Value, first: bool) -> Value {
    let mut pod = example();
    let containers = pod["spec"]["containers"].as_array_mut().unwrap();
    containers.insert(usize::from(!first), container);
    pod
}

fn executor_container() -> Value {
    example()["spec"]["containers"][0].clone()
}

#[rstest]
#[case::spark_writes_it(example())]
#[case::a_template_names_the_container(with_container(example(), "/name", json!("sidecar")))]
#[case::more_args(with_container(example(), "/args", json!(["executor", "--verbose"])))]
#[case::a_command_of_its_own(with_container(example(), "/command", json!(["/opt/entrypoint.sh"])))]
#[case::a_sidecar_before_it(beside(json!({"name": "spark-kubernetes-executor", "args": ["proxy"]}), true))]
#[case::a_sidecar_behind_it(beside(json!({"name": "proxy"}), false))]
#[case::only_its_args_look_like_spark(beside(json!({"name": "other", "args": ["executor"]}), true))]
#[case::only_its_env_looks_like_spark(beside(json!({"name": "other", "env": [{"name": "SPARK_EXECUTOR_ID", "value": "1"}]}), true))]
#[case::an_init_container_that_looks_like_spark(with(example(), "/spec/initContainers", json!([executor_container()])))]
#[case::the_id_comes_from_a_field(with_container(example(), "/env/1", json!({"name": "SPARK_EXECUTOR_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})))]
fn an_executor_is_known_by_label_args_and_env(#[case] pod: Value) {
    let (decision, patched) = admit(&pod, &State::default());
    assert_eq!(decision.reason, Reason::Planned);
    let containers = patched["spec"]["containers"].as_array().unwrap();
    let spark = containers.iter().find(|container| container["resources"]["limits"]["memory"] == "9011Mi");
    assert_eq!(spark.unwrap()["resources"]["requests"]["memory"], "9010Mi");
}

#[rstest]
#[case::no_role(with(example(), "/metadata/labels/spark-role", Value::Null))]
#[case::a_driver(with_label(example(), "spark-role", "driver"))]
#[case::no_labels(with(example(), "/metadata/labels", Value::Null))]
#[case::no_args(with_container(example(), "/args", Value::Null))]
#[case::empty_args(with_container(example(), "/args", json!([])))]
#[case::executor_is_not_the_first_argument(with_container(example(), "/args", json!(["run", "executor"])))]
#[case::no_executor_id(with_container(example(), "/env/1/name", json!("OTHER")))]
#[case::no_env(with_container(example(), "/env", Value::Null))]
#[case::only_an_init_container_looks_like_spark(with(
    with(example(), "/spec/initContainers", json!([executor_container()])), "/spec/containers", json!([{"name": "main"}])
))]
#[case::no_containers(with(example(), "/spec/containers", json!([])))]
#[case::no_spec(with(example(), "/spec", Value::Null))]
fn what_is_not_an_executor_is_left_alone(#[case] pod: Value) {
    let (decision, patched) = admit(&pod, &State::default());
    assert_eq!((decision.reason, &patched), (Reason::NotExecutor, &pod));
}

#[test]
fn two_spark_containers_are_ambiguous() {
    let pod = beside(executor_container(), false);
    let (decision, patched) = admit(&pod, &State::default());
    assert_eq!((decision.reason, &patched), (Reason::AmbiguousContainer, &pod));
}
