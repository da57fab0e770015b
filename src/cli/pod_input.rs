//! The pods that a command is about: out of files, and the executor pod of a Spark conf. Each becomes the review that the
//! API server would send.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::live_pod::LivePod;
use super::pod_shape;
use crate::admission::review;
use crate::cli::executor_memory::ExecutorMemory;
use crate::cli::executor_pod::ExecutorPod;
use crate::cluster::documents::for_each_document;
use crate::sizing::fields::OneLine;

/// One pod to decide about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Where it is: `pod.yaml`, `stdin, document 2, items[3]`, `--conf` or `cluster`.
    pub place: String,
    /// What it is: `Pod` or `the pod template of StatefulSet etl`.
    pub kind: String,
    /// Its name; empty where it has none.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The JSON of its AdmissionReview.
    pub review: Vec<u8>,
    /// What the cluster says about it; `None` where it was never in one.
    pub live: Option<LivePod>,
    /// The parts of T, where they are known.
    pub memory: Option<ExecutorMemory>,
    /// What somebody should know about how it was read.
    pub notes: Vec<String>,
}

/// All pods to decide about.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// The pods, in the order of the input.
    pub subjects: Vec<Subject>,
    /// The input can hold several pods: a list, or more than one document.
    pub is_list: bool,
    /// Kinds that hold no pod, with how many of them there were.
    pub passed_over: BTreeMap<String, u64>,
    /// What is wrong, a problem a line.
    pub problems: Vec<String>,
    /// `--namespace`.
    namespace: Option<String>,
}

/// Where the pods of these kinds are.
const TEMPLATES: [(&str, &str); 8] = [
    ("PodTemplate", "/template"),
    ("StatefulSet", "/spec/template"),
    ("Deployment", "/spec/template"),
    ("ReplicaSet", "/spec/template"),
    ("ReplicationController", "/spec/template"),
    ("DaemonSet", "/spec/template"),
    ("Job", "/spec/template"),
    ("CronJob", "/spec/jobTemplate/spec/template"),
];

impl Input {
    /// No input yet. The namespace goes before that of the review or the pod.
    pub fn new(namespace: Option<&str>) -> Self {
        Self { namespace: namespace.map(str::to_owned), ..Self::default() }
    }

    /// Adds the pods of a text of YAML or JSON; `file` is its name in messages.
    pub fn add_text(&mut self, file: &str, text: &str) {
        let mut documents = Vec::new();
        for_each_document(text, |document| documents.push(document));
        let is_one = documents.len() == 1;
        self.is_list |= !is_one;
        if documents.is_empty() {
            self.problems.push(format!("{}: is empty", OneLine(file)));
        }
        for (index, document) in documents.into_iter().enumerate() {
            let number = index.saturating_add(1);
            let place = if is_one { file.to_owned() } else { format!("{file}, document {number}") };
            match document {
                Ok(document) => self.add(&document, None, &place),
                Err(error) => self.problem(&place, "", &error.to_string()),
            }
        }
    }

    /// Adds a pod as a cluster has it.
    pub fn add_live(&mut self, pod: &Value) {
        self.add(pod, Some("Pod"), "cluster");
    }

    /// Adds the executor pod of a conf.
    pub fn add_executor(&mut self, executor: ExecutorPod, place: &str) {
        let ExecutorPod { pod, namespace, memory, notes } = executor;
        let namespace = self.namespace.clone().unwrap_or(namespace);
        self.subjects.push(Subject {
            place: place.to_owned(),
            kind: "the executor pod of the Spark conf".to_owned(),
            name: text(&pod, "/metadata/name").to_owned(),
            review: review_of(&pod, &namespace),
            namespace,
            live: None,
            memory: Some(memory),
            notes,
        });
    }

    /// `kind_of_items` is the kind of the items of a typed list, which may leave theirs out.
    fn add(&mut self, document: &Value, kind_of_items: Option<&str>, place: &str) {
        if !document.is_object() {
            return self.problem(place, "", &format!("expected an object, found {}", found(document)));
        }
        let Some(kind) = document.get("kind").and_then(Value::as_str).or(kind_of_items) else {
            return self.problem(place, "kind", "is missing: every object needs a kind and an apiVersion");
        };
        if kind == "AdmissionReview" {
            return self.add_review(document, place);
        }
        if kind == "Pod" {
            return self.add_pod(document, document, "Pod", place);
        }
        if let Some((_, path)) = TEMPLATES.iter().find(|(known, _)| *known == kind) {
            let name = text(document, "/metadata/name");
            let Some(template) = document.pointer(path).filter(|template| template.is_object()) else {
                let path = path.trim_start_matches('/').replace('/', ".");
                return self.problem(place, &path, "is missing or not an object");
            };
            return self.add_pod(template, document, &format!("the pod template of {kind} {name}"), place);
        }
        if let (Some(Value::Array(items)), Some(kind)) = (document.get("items"), kind.strip_suffix("List")) {
            self.is_list = true;
            let kind = Some(kind).filter(|kind| !kind.is_empty());
            for (index, item) in items.iter().enumerate() {
                self.add(item, kind, &format!("{place}, items[{index}]"));
            }
        } else {
            let count = self.passed_over.entry(OneLine(kind).to_string()).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// `owner` is the object that says the namespace: the pod itself, or what makes pods from the template.
    fn add_pod(&mut self, pod: &Value, owner: &Value, kind: &str, place: &str) {
        if let Some((path, problem)) = pod_shape::problem(pod) {
            return self.problem(place, &path, &problem);
        }
        let mut notes = Vec::new();
        let mut pod = pod.clone();
        let live = LivePod::of(&pod);
        let node = live.as_ref().and_then(|live| live.node.as_deref());
        if let Some((spec, node)) = pod.get_mut("spec").and_then(Value::as_object_mut).zip(node) {
            spec.remove("nodeName");
            notes.push(format!("spec.nodeName {node} is left out: the scheduler sets it after admission"));
        }
        let of_pod = [&pod, owner].map(|object| text(object, "/metadata/namespace"));
        let namespace =
            self.namespace.as_deref().or_else(|| of_pod.into_iter().find(|name| !name.is_empty()));
        let namespace = namespace.unwrap_or("default").to_owned();
        let names = ["/metadata/name", "/metadata/generateName"].map(|path| text(&pod, path));
        self.subjects.push(Subject {
            place: place.to_owned(),
            kind: OneLine(kind).to_string(),
            name: names.into_iter().find(|name| !name.is_empty()).unwrap_or_default().to_owned(),
            review: review_of(&pod, &namespace),
            namespace,
            live,
            memory: None,
            notes,
        });
    }

    fn add_review(&mut self, document: &Value, place: &str) {
        let mut document = document.clone();
        let of_review = ["/request/namespace", "/request/object/metadata/namespace"];
        let of_review = of_review.map(|path| text(&document, path)).into_iter().find(|name| !name.is_empty());
        let namespace = self.namespace.as_deref().or(of_review).unwrap_or("default").to_owned();
        if let Some(request) = document.get_mut("request").and_then(Value::as_object_mut) {
            request.insert("namespace".to_owned(), Value::String(namespace.clone()));
        }
        let bytes = document.to_string().into_bytes();
        if let Err(error) = review::read(&bytes) {
            return self.problem(place, "", &error.to_string());
        }
        let object = document.pointer("/request/object").filter(|object| !object.is_null());
        let holds_pod = matches!(text(&document, "/request/kind/kind"), "Pod" | "");
        if let Some((path, problem)) = object.filter(|_| holds_pod).and_then(pod_shape::problem) {
            return self.problem(place, &format!("request.object.{path}"), &problem);
        }
        let names =
            ["/request/name", "/request/object/metadata/name", "/request/object/metadata/generateName"];
        let name = names.map(|path| text(&document, path)).into_iter().find(|name| !name.is_empty());
        self.subjects.push(Subject {
            place: place.to_owned(),
            kind: "AdmissionReview".to_owned(),
            name: name.unwrap_or_default().to_owned(),
            review: bytes,
            namespace,
            live: None,
            memory: None,
            notes: Vec::new(),
        });
    }

    fn problem(&mut self, place: &str, path: &str, problem: &str) {
        let separator = if path.is_empty() { "" } else { ": " };
        self.problems.push(format!("{}{separator}{}: {}", OneLine(place), OneLine(path), OneLine(problem)));
    }
}

/// The review that the API server sends when the pod is created.
fn review_of(pod: &Value, namespace: &str) -> Vec<u8> {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "explain",
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "namespace": namespace,
            "operation": "CREATE",
            "object": pod,
        },
    });
    review.to_string().into_bytes()
}

fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// What a value is, without its content, which may be a secret.
pub fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
