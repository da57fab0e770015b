//! The executor pod that Spark would post for a conf, as far as decisions read it.
//!
//! Mirrors `BasicExecutorFeatureStep`, `LocalDirsFeatureStep` and `MountVolumesFeatureStep` of Spark. What never matters
//! is left out: image, ports, owner, and the module options that Spark puts before the user's JVM options.

use serde_json::{Map, Value, json};

use super::executor_memory::ExecutorMemory;
use super::spark_conf::{ConfProblem, SparkConf};
use crate::sizing::label_syntax::{check_dns_subdomain, check_label_key, check_label_value};
use crate::sizing::quantity::Quantity;

/// An executor pod with what it was made from.
#[derive(Clone, Debug)]
pub struct ExecutorPod {
    /// The pod.
    pub pod: Value,
    /// `spark.kubernetes.namespace`.
    pub namespace: String,
    /// The parts of its memory.
    pub memory: ExecutorMemory,
    /// What somebody should know about the conf.
    pub notes: Vec<String>,
}

/// Labels that Spark sets itself: it refuses to start when the user sets one of them.
const RESERVED_LABELS: [&str; 6] = [
    "spark-role",
    "spark-app-selector",
    "spark-exec-id",
    "spark-app-name",
    "spark-version",
    "spark-exec-resourceprofile-id",
];
/// How many tasks an executor runs at once.
pub const CORES: &str = "spark.executor.cores";
const LABELS: &str = "spark.kubernetes.executor.label.";
const NAMESPACE: &str = "spark.kubernetes.namespace";
const APP_ID: &str = "spark.app.id";
const JAVA_OPTIONS: [&str; 2] = ["spark.executor.defaultJavaOptions", "spark.executor.extraJavaOptions"];
const TEMPLATE: &str = "spark.kubernetes.executor.podTemplateFile";
/// The executor's number in the application.
const ID: &str = "1";

/// The first executor pod of an application with this conf.
///
/// # Errors
/// A value that Spark or the API server refuses.
pub fn executor_pod(conf: &SparkConf) -> Result<ExecutorPod, ConfProblem> {
    let mut memory = ExecutorMemory::of(conf)?;
    let mut notes = std::mem::take(&mut memory.notes);
    notes.extend(
        conf.ignored().iter().map(|key| format!("{key} is ignored: Spark conf keys start with spark.")),
    );
    if conf.get(TEMPLATE).is_some_and(|file| !file.is_empty()) {
        notes.push(format!("{TEMPLATE} is not read; a pod with everything in it can be given with -f"));
    }
    let dns_name = |value: &str| match check_dns_subdomain(value) {
        Ok(()) => Ok(value.to_owned()),
        Err(problem) => Err(problem.to_owned()),
    };
    let namespace = conf.read(NAMESPACE, dns_name)?.unwrap_or_else(|| "default".to_owned());
    let volumes = Volumes::of(conf)?;
    let mut metadata = json!({ "name": name(conf), "labels": labels(conf)? });
    let annotations: Map<String, Value> = conf
        .with_prefix("spark.kubernetes.executor.annotation.")
        .map(|(key, value)| (key.to_owned(), Value::String(substituted(conf, value))))
        .collect();
    add(&mut metadata, "annotations", Value::Object(annotations));
    let mut spec = json!({
        "restartPolicy": "Never",
        "containers": [{
            "name": "spark-kubernetes-executor",
            "args": ["executor"],
            "env": env(conf, &memory, &volumes)?,
            "resources": resources(conf, &memory)?,
            "volumeMounts": volumes.mounts,
        }],
        "volumes": volumes.sources,
    });
    let selector: Map<String, Value> =
        ["spark.kubernetes.node.selector.", "spark.kubernetes.executor.node.selector."]
            .into_iter()
            .flat_map(|prefix| conf.with_prefix(prefix))
            .map(|(key, value)| (key.to_owned(), Value::from(value)))
            .collect();
    add(&mut spec, "nodeSelector", Value::Object(selector));
    let scheduler = ["spark.kubernetes.executor.scheduler.name", "spark.kubernetes.scheduler.name"];
    let scheduler = scheduler.into_iter().find_map(|key| conf.get(key));
    add(&mut spec, "schedulerName", scheduler.map_or(Value::Null, Value::from));
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec });
    Ok(ExecutorPod { pod, namespace, memory, notes })
}

/// Adds a member unless it is empty.
fn add(object: &mut Value, name: &str, member: Value) {
    let is_empty = member.is_null() || member.as_object().is_some_and(Map::is_empty);
    if let Some(object) = object.as_object_mut().filter(|_| !is_empty) {
        object.insert(name.to_owned(), member);
    }
}

fn name(conf: &SparkConf) -> String {
    let prefix = conf.get("spark.kubernetes.executor.podNamePrefix").map(str::to_owned);
    let prefix = prefix.or_else(|| conf.get("spark.app.name").map(|name| dashed(name, usize::MAX)));
    format!("{}-exec-{ID}", prefix.filter(|name| !name.is_empty()).unwrap_or_else(|| "spark".to_owned()))
}

/// Lower-case letters, digits and single dashes between them, as Spark makes label values of application names.
fn dashed(name: &str, most: usize) -> String {
    let lower = name.trim().to_ascii_lowercase();
    let words =
        lower.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = words.collect::<Vec<_>>().join("-");
    name.truncate(most);
    name.trim_end_matches('-').to_owned()
}

fn labels(conf: &SparkConf) -> Result<Map<String, Value>, ConfProblem> {
    let mut labels = Map::new();
    for (key, value) in conf.with_prefix(LABELS) {
        let full_key = format!("{LABELS}{key}");
        let problem = |problem: String| Err(conf.problem(&full_key, problem));
        if RESERVED_LABELS.contains(&key) {
            return problem(format!("Spark sets the label {key} itself and does not start"));
        }
        if let Err(wrong) = check_label_key(key) {
            return problem(format!("{key:?} {wrong}, so the API server would refuse every executor"));
        }
        let value = substituted(conf, value);
        // Without spark.app.id the substitution is not complete here.
        if let Err(wrong) = check_label_value(&value.replace("{{APP_ID}}", "")) {
            return problem(format!(
                "the label value {wrong}, so the API server would refuse every executor"
            ));
        }
        labels.insert(key.to_owned(), Value::String(value));
    }
    let app_name = conf.get("spark.app.name").map(|name| dashed(name, 63));
    let own = [
        ("spark-role", Some("executor".to_owned())),
        ("spark-exec-id", Some(ID.to_owned())),
        ("spark-exec-resourceprofile-id", Some("0".to_owned())),
        ("spark-app-name", app_name),
        ("spark-app-selector", conf.get(APP_ID).map(str::to_owned)),
    ];
    labels.extend(own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::String(value?)))));
    Ok(labels)
}

fn env(conf: &SparkConf, memory: &ExecutorMemory, volumes: &Volumes) -> Result<Vec<Value>, ConfProblem> {
    let variable = |name: &str, value: &str| json!({ "name": name, "value": value });
    let mut env = vec![
        variable("SPARK_EXECUTOR_CORES", &cores(conf)?.to_string()),
        variable("SPARK_EXECUTOR_MEMORY", &format!("{}m", memory.heap)),
        variable("SPARK_EXECUTOR_ID", ID),
        variable("SPARK_RESOURCE_PROFILE_ID", "0"),
    ];
    env.extend(conf.get(APP_ID).map(|id| variable("SPARK_APPLICATION_ID", id)));
    env.extend(conf.with_prefix("spark.executorEnv.").map(|(name, value)| variable(name, value)));
    let options = java_options(conf)?;
    env.extend(
        options
            .iter()
            .enumerate()
            .map(|(number, option)| variable(&format!("SPARK_JAVA_OPT_{number}"), option)),
    );
    env.push(variable("SPARK_LOCAL_DIRS", &volumes.local_dirs));
    Ok(env)
}

fn java_options(conf: &SparkConf) -> Result<Vec<String>, ConfProblem> {
    let mut options = Vec::new();
    for key in JAVA_OPTIONS {
        let Some(value) = conf.get(key) else { continue };
        if value.contains("-Dspark") {
            return Err(conf.problem(key, "Spark refuses Spark options here; set them with --conf"));
        }
        if value.contains("-Xmx") {
            let problem = "Spark refuses the largest heap here; set spark.executor.memory instead";
            return Err(conf.problem(key, problem));
        }
        options.extend(words(&substituted(conf, value)));
    }
    Ok(options)
}

/// `{{APP_ID}}` and `{{EXECUTOR_ID}}`.
fn substituted(conf: &SparkConf, text: &str) -> String {
    let text = text.replace("{{EXECUTOR_ID}}", ID);
    conf.get(APP_ID).map_or_else(|| text.clone(), |id| text.replace("{{APP_ID}}", id))
}

/// Splits as a shell splits a command line (`Utils.splitCommandString`).
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some('"'), '\\') => word.get_or_insert_default().extend(rest.next()),
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t' | '\r' | '\n') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

fn cores(conf: &SparkConf) -> Result<u32, ConfProblem> {
    let parse = |value: &str| match value.trim().parse::<u32>() {
        Ok(cores) if (1..=2_147_483_647).contains(&cores) => Ok(cores),
        _ => Err("is not a whole number from 1 up".to_owned()),
    };
    Ok(conf.read(CORES, parse)?.unwrap_or(1))
}

fn resources(conf: &SparkConf, memory: &ExecutorMemory) -> Result<Value, ConfProblem> {
    let quantity = |value: &str| match value.parse::<Quantity>() {
        Ok(_) => Ok(value.to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let total = format!("{}Mi", memory.total());
    let request = conf.read("spark.kubernetes.executor.request.cores", quantity)?;
    let request = request.map_or_else(|| cores(conf).map(|cores| cores.to_string()), Ok)?;
    let limit = conf.read("spark.kubernetes.executor.limit.cores", quantity)?;
    let mut limits = json!({ "memory": total });
    add(&mut limits, "cpu", limit.map_or(Value::Null, Value::String));
    Ok(json!({ "requests": { "cpu": request, "memory": total }, "limits": limits }))
}

/// Volumes that may be memory: local directories and emptyDirs.
struct Volumes {
    sources: Vec<Value>,
    mounts: Vec<Value>,
    local_dirs: String,
}

impl Volumes {
    fn of(conf: &SparkConf) -> Result<Self, ConfProblem> {
        const PREFIX: &str = "spark.kubernetes.executor.volumes.";
        let mut all = Self { sources: Vec::new(), mounts: Vec::new(), local_dirs: String::new() };
        let mut local_dirs = Vec::new();
        for (key, path) in conf.with_prefix(PREFIX) {
            let Some((kind, name)) = key.strip_suffix(".mount.path").and_then(|key| key.split_once('.'))
            else {
                continue;
            };
            if name.starts_with("spark-local-dir-") {
                local_dirs.push(path.to_owned());
            }
            let mut empty_dir = json!({});
            for option in ["medium", "sizeLimit"] {
                let key = format!("{PREFIX}{kind}.{name}.options.{option}");
                add(&mut empty_dir, option, conf.get(&key).map_or(Value::Null, Value::from));
            }
            // What is not an emptyDir is never memory; a hostPath stands for it.
            let source = if kind == "emptyDir" {
                ("emptyDir", empty_dir)
            } else {
                ("hostPath", json!({ "path": path }))
            };
            all.add(name, path, source);
        }
        if local_dirs.is_empty() {
            let medium = if conf.flag("spark.kubernetes.local.dirs.tmpfs")? {
                json!({ "medium": "Memory" })
            } else {
                json!({})
            };
            let paths = conf.get("spark.local.dir").unwrap_or("/var/data/spark");
            for (number, path) in paths.split(',').enumerate() {
                let name = format!("spark-local-dir-{}", number.saturating_add(1));
                all.add(&name, path, ("emptyDir", medium.clone()));
                local_dirs.push(path.to_owned());
            }
        }
        all.local_dirs = local_dirs.join(",");
        Ok(all)
    }

    fn add(&mut self, name: &str, path: &str, (kind, source): (&str, Value)) {
        self.sources.push(json!({ "name": name, kind: source }));
        self.mounts.push(json!({ "name": name, "mountPath": path }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_split_as_a_shell_would() {
        for (text, expected) in [
            ("", &[][..]),
            ("-XX:+UseG1GC  -Xss1m", &["-XX:+UseG1GC", "-Xss1m"]),
            ("-Dx=\"a b\" '' -Dy='c \\d'", &["-Dx=a b", "", "-Dy=c \\d"]),
            ("\"a\\\"b\\\\\" c\\d", &["a\"b\\", "c\\d"]),
            ("'open", &["open"]),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn names_become_label_values() {
        assert_eq!(dashed("My App: Ünï", 63), "my-app-n");
        assert_eq!(dashed("a-----b", 3), "a-b");
    }
}
