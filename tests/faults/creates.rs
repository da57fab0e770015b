//! Executors created through the API server, as a driver does. They are real and small; no scheduler looks at them, and
//! they stay until the cluster ends with the program.

use std::collections::HashSet;
use std::sync::Mutex;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::Api;
use crate::load::{Caller, Outcome};
use crate::pods;

const HEAP_MIB: u64 = 1024;
const NON_HEAP_MIB: u64 = 384;

pub(crate) struct Creates {
    api: Api,
    /// Of the pods in the namespace of this run.
    path: String,
    /// What is known to have come out unmutated.
    unmutated: Mutex<HashSet<String>>,
}

impl Creates {
    pub(crate) fn new(api: &Api, namespace: &str) -> Self {
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        Self { api: api.clone(), path, unmutated: Mutex::default() }
    }

    /// Executors that were stored unmutated although their answer was lost.
    pub(crate) fn stored_unmutated(&self) -> Vec<String> {
        #[derive(Deserialize)]
        struct List {
            items: Vec<Pod>,
        }
        #[derive(Deserialize)]
        struct Pod {
            metadata: Metadata,
        }
        #[derive(Deserialize)]
        struct Metadata {
            name: String,
            #[serde(default)]
            annotations: serde_json::Map<String, Value>,
        }
        let list = self.api.runtime().block_on(self.api.ask("GET", &self.path, "", Vec::new())).unwrap().1;
        let list: List = serde_json::from_slice(&list).unwrap();
        let known = self.unmutated.lock().unwrap();
        let unplanned =
            list.items.into_iter().filter(|pod| !pod.metadata.annotations.contains_key(pods::PLAN));
        unplanned.map(|pod| pod.metadata.name).filter(|name| !known.contains(name)).collect()
    }
}

impl Caller for Creates {
    async fn call(&self, number: u64) -> Outcome {
        let name = format!("executor-{number}");
        let body = executor(&name).to_string().into_bytes();
        match self.api.ask("POST", &self.path, "application/json", body).await {
            Ok((201, stored)) => {
                let stored = serde_json::from_slice(&stored).unwrap();
                if is_mutated(&stored) {
                    return Outcome::Mutated;
                }
                self.unmutated.lock().unwrap().insert(name);
                Outcome::Unmutated(String::new())
            }
            Ok((status, body)) => Outcome::Failed(format!("{status}: {}", String::from_utf8_lossy(&body))),
            Err(error) => Outcome::Failed(error),
        }
    }
}

/// With less to store than Spark gives it, and not for the scheduler.
pub(crate) fn executor(name: &str) -> Value {
    let mut pod = pods::executor(name, HEAP_MIB, NON_HEAP_MIB);
    pod["spec"]["automountServiceAccountToken"] = json!(false);
    pod["spec"]["schedulerName"] = json!("nobody");
    pod
}

pub(crate) fn is_mutated(pod: &Value) -> bool {
    pods::plan(pod).is_some() && pods::request(pod) < (HEAP_MIB + NON_HEAP_MIB) * pods::MIB
}
