//! What the tests ask of a cluster, by kubectl.

use std::process::Command;

use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::process;
use crate::wait;

impl ControlPlane {
    /// Makes a namespace of its own for a test, ready for pods, and returns its name.
    pub(crate) fn namespace(&self, prefix: &str, labels: Value) -> String {
        let name = format!("{prefix}-{}", self.next_number());
        self.create(
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}),
        );
        // The controller manager makes it; pods without it are refused.
        wait::until("default service account", wait::LIMIT, || {
            self.try_kubectl(&["get", "serviceaccount", "default", "-n", &name])
                .map_err(|refusal| refusal + &self.tails())
        });
        name
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments).unwrap_or_else(|error| panic!("kubectl {}: {error}", arguments.join(" ")))
    }

    /// What kubectl prints, or its error output.
    pub(crate) fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.try_kubectl_with(arguments, "")
    }

    /// Creates an object and returns it as it was stored.
    pub(crate) fn create(&self, object: &Value) -> Value {
        self.try_create(object, &[]).unwrap_or_else(|error| panic!("kubectl create {object}: {error}"))
    }

    pub(crate) fn try_create(&self, object: &Value, options: &[&str]) -> Result<Value, String> {
        let arguments = [&["create", "-f", "-", "-o", "json"], options].concat();
        self.try_kubectl_with(&arguments, &object.to_string()).map(|stored| parse(&stored))
    }

    /// Creates an object and returns the warnings that kubectl shows.
    pub(crate) fn warnings_on_create(&self, object: &Value, options: &[&str]) -> Vec<String> {
        let mut command = self.kubectl_command(&[&["create", "-f", "-"], options].concat());
        let output = process::output(&mut command, &object.to_string()).unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}");
        text.lines().filter_map(|line| line.strip_prefix("Warning: ")).map(str::to_owned).collect()
    }

    pub(crate) fn apply(&self, object: &Value) -> Value {
        let stored = self
            .try_kubectl_with(&["apply", "-f", "-", "-o", "json"], &object.to_string())
            .unwrap_or_else(|error| panic!("kubectl apply {object}: {error}"));
        parse(&stored)
    }

    /// Reads a manifest of any format and returns its objects, without sending them.
    pub(crate) fn objects_of(&self, manifest: &str) -> Vec<Value> {
        let read = self
            .try_kubectl_with(&["create", "--dry-run=client", "-f", "-", "-o", "json"], manifest)
            .unwrap_or_else(|error| panic!("{error}\nin the manifest\n{manifest}"));
        // Several objects are printed one after the other.
        let objects: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&read).into_iter().collect();
        objects.unwrap().into_iter().flat_map(items).collect()
    }

    pub(crate) fn get(&self, kind: &str, namespace: &str, name: &str) -> Value {
        parse(&self.kubectl(&["get", kind, name, "-n", namespace, "-o", "json"]))
    }

    pub(crate) fn list(&self, kind: &str, namespace: &str, selector: &str) -> Vec<Value> {
        items(parse(&self.kubectl(&["get", kind, "-n", namespace, "-l", selector, "-o", "json"])))
    }

    /// The same, with an input.
    pub(crate) fn try_kubectl_with(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        process::run(&mut self.kubectl_command(arguments), input)
    }

    /// What `kubectl diff` shows of an object beside the stored one; `None` where they do not differ.
    pub(crate) fn diff(&self, object: &Value, options: &[&str]) -> Option<String> {
        let mut command = self.kubectl_command(&[&["diff", "-f", "-"], options].concat());
        let output = process::output(&mut command, &object.to_string()).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.code() {
            Some(0) => None,
            Some(1) => Some(text(&output.stdout)),
            _ => panic!("kubectl diff {object}: {}", text(&output.stderr)),
        }
    }

    fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binary());
        // Neither the user's configuration nor his caches.
        command
            .arg("kubectl")
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(arguments)
            .env("HOME", self.dir());
        command
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn items(object: Value) -> Vec<Value> {
    match object["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![object],
    }
}
