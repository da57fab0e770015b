//! The audit log: what was asked of the API server, by whom, and what became of it.

use std::fs;

use serde_json::Value;

use crate::control_plane::ControlPlane;
use crate::wait;

/// Pod creations with what the webhooks did to them, and every request of a service account.
pub(crate) const POLICY: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
  "rules": [{"level": "Request", "verbs": ["create"], "resources": [{"group": "", "resources": ["pods"]}]},
            {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
            {"level": "None"}]}"#;

/// A request as the audit log has it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) verb: String,
    /// With the subresource, as roles have it: `swapclasses/status`.
    pub(crate) resource: String,
    pub(crate) name: String,
    pub(crate) status: u64,
}

impl ControlPlane {
    /// The audit annotations of a pod's creation: what the webhooks did and why.
    pub(crate) fn creation_audit(&self, namespace: &str, name: &str) -> Value {
        // The event may be written just after the answer is sent.
        wait::until("audit event", wait::LIMIT, || {
            let event = self.audit_events().into_iter().find(|event| {
                event["objectRef"]["namespace"] == namespace
                    && event["requestObject"]["metadata"]["name"] == name
            });
            event
                .map(|event| event["annotations"].clone())
                .ok_or_else(|| format!("none for {namespace}/{name}"))
        })
    }

    /// What a service account asked for so far, in the order of the answers. A watch counts when it begins and when it
    /// ends.
    pub(crate) fn requests_of(&self, user: &str) -> Vec<Request> {
        let events = self.audit_events().into_iter().filter(|event| event["user"]["username"] == user);
        events.map(|event| Request::new(&event)).collect()
    }

    fn audit_events(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.dir().join("audit.log")).unwrap_or_default();
        // The last line may not be complete yet.
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl Request {
    fn new(event: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let object = &event["objectRef"];
        let resource = match object["subresource"].as_str() {
            Some(subresource) => format!("{}/{subresource}", text(&object["resource"])),
            // Whatever is no object: discovery, for example.
            None if object.is_null() => text(&event["requestURI"]),
            None => text(&object["resource"]),
        };
        Self {
            verb: text(&event["verb"]),
            resource,
            name: text(&object["name"]),
            status: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
        }
    }
}
