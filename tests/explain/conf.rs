//! The executor pod of a Spark conf beside the pods that real Spark posted with that conf.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::decision::decide;
use spark_swap::admission::review;
use spark_swap::cli::executor_pod::{ExecutorPod, executor_pod};
use spark_swap::cli::spark_conf::SparkConf;
use spark_swap::sizing::executor::Executor;
use spark_swap::sizing::state::State;

use crate::command::explain;

fn pod_of(conf: &[&str]) -> ExecutorPod {
    let mut all = SparkConf::default();
    for pair in conf {
        let (key, value) = pair.split_once('=').unwrap();
        all.set_flag("--conf", key, value);
    }
    executor_pod(&all).unwrap()
}

fn captured(name: &str) -> Value {
    let path = format!("tests/fixtures/executors/exec-{name}.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Everything that decisions read.
fn read(pod: &Value) -> Executor {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "1", "object": pod}
    });
    let review = review.to_string();
    decide(&review::read(review.as_bytes()).unwrap(), &State::default()).executor.unwrap()
}

const FULL: [&str; 14] = [
    "spark.executor.memory=2g",
    "spark.executor.cores=2",
    "spark.executor.memoryOverheadFactor=.25",
    "spark.memory.offHeap.enabled=true",
    "spark.memory.offHeap.size=1g",
    "spark.kubernetes.executor.request.cores=500m",
    "spark.kubernetes.executor.limit.cores=2",
    "spark.executor.extraJavaOptions=-XX:+UseG1GC '-Dx=a b' -XX:+AlwaysPreTouch",
    "spark.kubernetes.local.dirs.tmpfs=true",
    "spark.kubernetes.executor.node.selector.swap=yes",
    "spark.kubernetes.executor.scheduler.name=mysched",
    "spark.kubernetes.executor.label.swap.example.com/policy=batch-1",
    "spark.kubernetes.executor.annotation.swap.example.com/heap=app={{APP_ID}} exec={{EXECUTOR_ID}}",
    "spark.executorEnv.FOO=bar",
];

#[rstest]
#[case("3.5.9-default", &[])]
#[case("4.1.4-default", &[])]
#[case("4.3.0-default", &["spark.executor.memory=1g"])]
#[case("3.5.9-full", &FULL)]
#[case("4.3.0-full", &[&FULL[..], &["spark.executor.minMemoryOverhead=600m"]].concat())]
#[case("4.3.0-volumes-gpu", &[
    "spark.kubernetes.executor.volumes.emptyDir.scratch.mount.path=/scratch",
    "spark.kubernetes.executor.volumes.emptyDir.scratch.options.medium=Memory",
    "spark.kubernetes.executor.volumes.emptyDir.scratch.options.sizeLimit=2Gi",
    "spark.kubernetes.executor.volumes.persistentVolumeClaim.spark-local-dir-1.mount.path=/data1",
    "spark.kubernetes.executor.volumes.persistentVolumeClaim.spark-local-dir-1.options.claimName=OnDemand",
    "spark.kubernetes.local.dirs.tmpfs=true",
    "spark.executor.resource.gpu.amount=1",
])]
#[case("3.5.9-cluster-python-ownerref", &[
    "spark.executor.memory=2g",
    "spark.executor.pyspark.memory=512m",
    "spark.kubernetes.resource.type=python",
    "spark.executorEnv.SPARK_EXECUTOR_MEMORY=3g",
])]
fn decisions_read_the_same_as_from_the_pod_that_spark_posted(#[case] name: &str, #[case] conf: &[&str]) {
    assert_eq!(read(&pod_of(conf).pod), read(&captured(name)));
}

#[test]
fn placement_and_metadata_are_those_that_spark_posted() {
    let id = "spark.app.id=spark-8d026ff55705403fac1e08925e1770db";
    let conf = [&FULL[..], &[id, "spark.app.name=Swap Test"]].concat();
    let (pod, captured) = (pod_of(&conf).pod, captured("4.3.0-full"));
    for pointer in
        ["/metadata/annotations", "/spec/nodeSelector", "/spec/schedulerName", "/spec/restartPolicy"]
    {
        assert_eq!(pod.pointer(pointer), captured.pointer(pointer), "{pointer}");
    }
    let mut labels = captured["metadata"]["labels"].clone();
    labels.as_object_mut().unwrap().remove("spark-version");
    assert_eq!(pod["metadata"]["labels"], labels);
    assert_eq!(pod["metadata"]["name"], "swap-test-exec-1");
}

#[test]
fn a_properties_file_and_its_notes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("spark-defaults.conf");
    std::fs::write(&file, "spark.executor.memory 4g\nspark.kubernetes.namespace etl\nother x\n").unwrap();
    let args = [
        "--properties-file",
        file.to_str().unwrap(),
        "--conf",
        "spark.executor.memory=8g",
        "--conf",
        "spark.executor.pyspark.memory=1g",
        "--conf",
        "spark.kubernetes.executor.podTemplateFile=x.yaml",
        "-o",
        "json",
    ];
    let explained: Value = serde_json::from_str(&explain(&args, "").unwrap()).unwrap();
    assert_eq!(explained["pod"]["namespace"], "etl");
    assert_eq!(explained["pod"]["from"], format!("{} and --conf", file.display()));
    assert_eq!(explained["plan"]["limit"]["from"], 9011_u64 << 20);
    assert_eq!(
        explained["notes"],
        json!([
            "spark.executor.pyspark.memory does not count: Spark adds it only for Python in cluster mode, where spark-submit sets spark.kubernetes.resource.type=python",
            format!("{}: line 3: other is ignored: Spark conf keys start with spark.", file.display()),
            "spark.kubernetes.executor.podTemplateFile is not read; a pod with everything in it can be given with -f",
        ])
    );
}

#[rstest]
#[case(&["spark.executor.memory=400m"], "--conf spark.executor.memory=400m: Spark refuses a heap below 450m")]
#[case(
    &["spark.kubernetes.executor.label.spark-role=driver"],
    "--conf spark.kubernetes.executor.label.spark-role=driver: Spark sets the label spark-role itself and does not start"
)]
#[case(
    &["spark.kubernetes.executor.label.a=50%"],
    "--conf spark.kubernetes.executor.label.a=50%: the label value is not letters, digits, - _ . with a letter or digit at both ends, so the API server would refuse every executor"
)]
#[case(
    &["spark.executor.extraJavaOptions=-Xmx1g"],
    "--conf spark.executor.extraJavaOptions=-Xmx1g: Spark refuses the largest heap here; set spark.executor.memory instead"
)]
#[case(&["spark.executor.cores=0"], "--conf spark.executor.cores=0: is not a whole number from 1 up")]
#[case(
    &["spark.kubernetes.executor.limit.cores=two"],
    "--conf spark.kubernetes.executor.limit.cores=two: is not a quantity: write digits and one of n u m k M G T P E Ki Mi Gi Ti Pi Ei or an exponent, like 512Mi"
)]
fn what_spark_refuses_is_refused(#[case] conf: &[&str], #[case] problem: &str) {
    let args: Vec<&str> = conf.iter().flat_map(|pair| ["--conf", pair]).collect();
    assert_eq!(explain(&args, "").unwrap_err(), problem);
}
