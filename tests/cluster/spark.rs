//! Real Spark applications: a PySpark driver in client mode, whose executors the API server stores.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::control_plane::ControlPlane;
use crate::nodes::toleration;
use crate::parts::spark_home;
use crate::process::Process;
use crate::wait;

/// The newest releases of both lines that the project promises to work with.
pub(crate) const SPARK_3: &str = "3.5.9";
pub(crate) const SPARK_4: &str = "4.1.4";

const EXECUTORS: &str = "spark-role=executor";

/// What to submit: unchanged Spark with the configuration of its user.
pub(crate) struct Application<'a> {
    cluster: &'a ControlPlane,
    version: &'a str,
    namespace: &'a str,
    executors: usize,
    conf: Map<String, Value>,
    /// Conf that somebody else submitted; ours wins over it.
    properties: Option<PathBuf>,
}

impl<'a> Application<'a> {
    pub(crate) fn new(cluster: &'a ControlPlane, version: &'a str, namespace: &'a str) -> Self {
        Self::on_loopback(cluster, version, namespace)
            .conf("spark.app.name", "test")
            .conf("spark.master", &format!("k8s://{}", cluster.server()))
            .conf("spark.kubernetes.namespace", namespace)
            .conf("spark.kubernetes.authenticate.caCertFile", cluster.ca().to_str().unwrap())
            .conf("spark.kubernetes.authenticate.oauthToken", cluster.token())
            .conf("spark.kubernetes.container.image", "spark:test")
            .executors(1)
    }

    /// The application of a driver pod that was submitted in cluster mode, in a process of ours where a
    /// kubelet would start a container: with the files that the pod mounts, and on loopback. The pod is said to run.
    pub(crate) fn of_driver_pod(cluster: &'a ControlPlane, version: &'a str, pod: &'a Value) -> Self {
        let mounted = |volume, file| mounted_file(cluster, pod, volume, file);
        let template = mounted("pod-template-volume", "pod-spec-template.yml");
        let namespace = pod["metadata"]["namespace"].as_str().unwrap();
        let token = cluster.dir().join(format!("{namespace}-token"));
        fs::write(&token, cluster.token()).unwrap();
        let service_account = "spark.kubernetes.authenticate.driver.mounted";
        let mut this = Self::on_loopback(cluster, version, namespace)
            .conf("spark.driver.bindAddress", "127.0.0.1")
            .conf("spark.driver.port", "0")
            .conf("spark.driver.blockManager.port", "0")
            .conf("spark.kubernetes.executor.podTemplateFile", template.to_str().unwrap())
            .conf(&format!("{service_account}.oauthTokenFile"), token.to_str().unwrap())
            .conf(&format!("{service_account}.caCertFile"), cluster.ca().to_str().unwrap());
        report_running(cluster, pod);
        this.properties = Some(mounted("spark-conf-volume-driver", "spark.properties"));
        this
    }

    fn on_loopback(cluster: &'a ControlPlane, version: &'a str, namespace: &'a str) -> Self {
        let this = Self { cluster, version, namespace, executors: 1, conf: Map::new(), properties: None };
        this.conf("spark.driver.host", "127.0.0.1")
            .conf("spark.ui.enabled", "false")
            .conf("spark.kubernetes.allocation.batch.size", "50")
            // The executors never come up: do not wait for them.
            .conf("spark.scheduler.minRegisteredResourcesRatio", "0")
    }

    pub(crate) fn executors(mut self, count: usize) -> Self {
        self.executors = count;
        self.conf("spark.executor.instances", &count.to_string())
    }

    pub(crate) fn conf(mut self, key: &str, value: &str) -> Self {
        self.conf.insert(key.to_owned(), json!(value));
        self
    }

    /// Lets the executors run on the nodes that joined for this namespace.
    pub(crate) fn on_reserved_nodes(self) -> Self {
        let template = self.cluster.dir().join(format!("template-{}.json", self.namespace));
        let pod =
            json!({"apiVersion": "v1", "kind": "Pod", "spec": {"tolerations": [toleration(self.namespace)]}});
        fs::write(&template, pod.to_string()).unwrap();
        self.conf("spark.kubernetes.executor.podTemplateFile", template.to_str().unwrap())
    }

    /// Submits the application and waits until its executors are stored.
    pub(crate) fn submit(self) -> Driver<'a> {
        let name = format!("driver-{}", self.namespace);
        let home = spark_home(self.version);
        let mut command = Command::new(home.join("bin/python"));
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/driver.py"))
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("SPARK_LOCAL_DIRS", self.cluster.dir())
            .env("KUBECONFIG", "/dev/null")
            .env_remove("SPARK_HOME")
            .env_remove("SPARK_CONF_DIR");
        if let Some(properties) = &self.properties {
            // As the entrypoint of Spark's image starts a driver.
            let file = properties.display();
            let options = format!("--deploy-mode client --properties-file '{file}' pyspark-shell");
            command.env("PYSPARK_SUBMIT_ARGS", options);
        }
        let mut process = Process::start(&name, &mut command, self.cluster.dir());
        process.write_line(&Value::Object(self.conf).to_string());
        let mut driver =
            Driver { cluster: self.cluster, namespace: self.namespace, process, executors: Vec::new() };
        driver.wait_for_executors(self.executors);
        driver
    }

    /// Submits it, ends it when its executors are stored, and returns them in the order of their ids.
    pub(crate) fn executor_pods(self) -> Vec<Value> {
        self.submit().stop()
    }
}

/// A running driver.
pub(crate) struct Driver<'a> {
    cluster: &'a ControlPlane,
    namespace: &'a str,
    process: Process,
    executors: Vec<Value>,
}

impl Driver<'_> {
    /// The executors as they are stored now.
    pub(crate) fn executors(&self) -> Vec<Value> {
        self.cluster.list("pods", self.namespace, EXECUTORS)
    }

    /// Ends the application, waits until its executors are gone, and returns them as they were at first.
    pub(crate) fn stop(mut self) -> Vec<Value> {
        let status = self.process.finish();
        assert!(status.success(), "the driver ended with {status}\n{}", self.process.tail());
        wait::until("end of the executors", wait::LIMIT, || {
            // Those that are bound stay, for there is no kubelet to end them.
            let left =
                self.executors().iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).count();
            if left == 0 {
                Ok(())
            } else {
                Err(format!("{left} executors are left\n{}", self.process.tail()))
            }
        });
        std::mem::take(&mut self.executors)
    }

    fn wait_for_executors(&mut self, count: usize) {
        let mut pods = wait::until("stored executors", wait::LIMIT, || {
            assert!(self.process.has_ended().is_none(), "the driver ended early\n{}", self.process.tail());
            let pods = self.executors();
            if pods.len() == count {
                Ok(pods)
            } else {
                Err(format!("{} of {count} executors\n{}", pods.len(), self.process.tail()))
            }
        });
        pods.sort_by_key(|pod| {
            let id =
                pod["metadata"]["labels"]["spark-exec-id"].as_str().and_then(|id| id.parse::<u32>().ok());
            (id, pod["metadata"]["name"].to_string())
        });
        self.executors = pods;
    }
}

/// What a kubelet says of a pod whose containers run.
fn report_running(cluster: &ControlPlane, pod: &Value) {
    let [name, namespace] = ["name", "namespace"].map(|key| pod["metadata"][key].as_str().unwrap());
    let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    let patch = json!({"status": status}).to_string();
    cluster.kubectl(&["patch", "pod", name, "-n", namespace, "--subresource=status", "-p", &patch]);
}

/// A file of a ConfigMap that a pod mounts. Spark creates the pod first, and then what it mounts.
fn mounted_file(cluster: &ControlPlane, pod: &Value, volume: &str, file: &str) -> PathBuf {
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let found = volumes.iter().find(|each| each["name"] == volume);
    let found = found.unwrap_or_else(|| panic!("no volume {volume} in {pod}"));
    let items = found["configMap"]["items"].as_array();
    let item = items.into_iter().flatten().find(|item| item["path"] == file);
    let key = item.map_or(file, |item| item["key"].as_str().unwrap());
    let name = found["configMap"]["name"].as_str().unwrap();
    let namespace = pod["metadata"]["namespace"].as_str().unwrap();
    let content = wait::until("mounted ConfigMap", wait::LIMIT, || {
        let map = cluster.try_kubectl(&["get", "configmap", name, "-n", namespace, "-o", "json"])?;
        let map: Value = serde_json::from_str(&map).unwrap();
        map["data"][key].as_str().map(str::to_owned).ok_or_else(|| format!("no {key} in {map}"))
    });
    let path = cluster.dir().join(format!("{namespace}-{file}"));
    fs::write(&path, content).unwrap();
    path
}
