//! What a client can see of an installation: plain data, so that judging it needs no cluster.

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::version::Info;
use kube::api::DynamicObject;
use serde_json::Value;

use super::webhook;
use crate::cluster::objects::Kind;
use crate::server::handshake::Handshake;
use crate::sizing::state::{Settings, StateParts};

/// Everything that is judged.
#[derive(Debug)]
pub struct Facts {
    /// When it was gathered.
    pub now: Timestamp,
    /// `--name`.
    pub name: Option<String>,
    /// The namespace of the dry-run executor.
    pub namespace: String,
    /// The API server's address and version, or why there is no answer.
    pub server: Result<Server, String>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// The CustomResourceDefinition of SwapClass.
    pub definition: Seen<Value>,
    /// All of them.
    pub configurations: Seen<Vec<MutatingWebhookConfiguration>>,
    /// The Service that the chosen configuration names.
    pub service: Seen<Service>,
    /// The EndpointSlices of that Service.
    pub endpoints: Seen<Vec<EndpointSlice>>,
    /// Handshakes with the webhook.
    pub handshakes: Vec<Handshake>,
    /// SwapClasses as the API server has them.
    pub classes: Seen<Vec<DynamicObject>>,
    /// The state that decisions are made from.
    pub parts: StateParts,
    /// What of the state could not be read.
    pub unread_kinds: Vec<Kind>,
    /// The webhook's settings.
    pub settings: Settings,
    /// The dry-run executors; `None` when they were not tried.
    pub probe: Option<Probe>,
}

/// What a look at something found.
#[derive(Clone, Debug, Default)]
pub enum Seen<T> {
    /// It could not be read, or was not looked at.
    #[default]
    Unread,
    /// It is not there.
    Absent,
    /// It is this.
    Found(T),
}

/// An API server that answers.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its URL.
    pub url: String,
    /// Its version.
    pub version: Info,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// What: `nodes`.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What the API server makes of two executors, each as a dry run.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The executor as it is sent.
    pub sent: Value,
    /// The answer to it.
    pub plain: Answer,
    /// The answer to the same executor when it opts out.
    pub opted_out: Answer,
}

/// The answer to a dry run.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The pod that would have been created, and the API server's warnings.
    Created {
        /// The pod.
        pod: Value,
        /// The text of the warnings.
        warnings: Vec<String>,
    },
    /// An error status.
    Refused {
        /// The HTTP status.
        code: u16,
        /// The API server's words.
        message: String,
    },
    /// No answer.
    Failed(String),
}

impl Facts {
    /// Nothing is known yet but the server.
    pub fn new(now: Timestamp, server: Result<Server, String>) -> Self {
        Self {
            now,
            name: None,
            namespace: "default".to_owned(),
            server,
            unread: Vec::new(),
            definition: Seen::Unread,
            configurations: Seen::Unread,
            service: Seen::Unread,
            endpoints: Seen::Unread,
            handshakes: Vec::new(),
            classes: Seen::Unread,
            parts: StateParts::default(),
            unread_kinds: Vec::new(),
            settings: Settings::default(),
            probe: None,
        }
    }

    /// The entry by which the API server calls the webhook.
    pub fn entry(&self) -> Option<&MutatingWebhook> {
        let found = webhook::find(self.configurations.found()?, self.name.as_deref());
        webhook::entry(found.first()?)
    }

    /// The objects of this kind were read.
    pub fn has_read(&self, kind: Kind) -> bool {
        !self.unread_kinds.contains(&kind)
    }
}

impl<T> Seen<T> {
    /// What was found.
    pub const fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Absent | Self::Unread => None,
        }
    }
}

impl Probe {
    /// The value of the plan annotation that the executor came back with.
    pub fn plan(&self) -> Option<&str> {
        self.plain.plan()
    }
}

impl Answer {
    /// The value of the plan annotation that the pod came back with.
    pub fn plan(&self) -> Option<&str> {
        let Self::Created { pod, .. } = self else { return None };
        let annotations = pod.get("metadata")?.get("annotations")?;
        annotations.get(crate::admission::plan_annotation::PLAN_ANNOTATION)?.as_str()
    }
}
