//! One step, carried out: what it is about is read afresh, planned anew, and written only if nobody else wrote since.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::watched::Watched;
use super::{Settings, held, published};
use crate::cluster::certificates::{
    Bundle, Change, Kept, Material, Published, Step, carry_out, plan_rotation,
};
use crate::cluster::connection::cause;
use crate::cluster::webhook_entry::ENTRY;

/// Whose field the caBundle is.
const FIELD_MANAGER: &str = "spark-swap-ca-bundle";
/// For all of it. A client that watches has more patience.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How a step is carried out.
#[derive(Clone)]
pub(super) struct Act {
    pub(super) secrets: Api<Secret>,
    pub(super) configurations: Api<MutatingWebhookConfiguration>,
    settings: Arc<Settings>,
}

/// What came of it, and the objects as they were read or written last.
pub(super) struct Done {
    pub(super) outcome: Outcome,
    pub(super) secret: Option<Watched<Secret>>,
    pub(super) configuration: Option<Watched<MutatingWebhookConfiguration>>,
}

/// What came of a step.
pub(super) enum Outcome {
    /// Nothing was to be done any more.
    Nothing,
    /// The Secret was changed.
    Kept(Change),
    /// The caBundle was written.
    Published,
    /// Somebody else wrote meanwhile.
    Conflict,
    /// The namespace of the Secret does not exist.
    NothingInstalled(String),
    /// It failed, and why.
    Failed(String),
}

impl Act {
    /// With the rights of this client.
    pub(super) fn new(client: Client, settings: Arc<Settings>) -> Self {
        let secrets = Api::namespaced(client.clone(), &settings.secret.namespace);
        Self { secrets, configurations: Api::all(client), settings }
    }

    /// Does what is to be done next. `material` is served, or nothing since the Secret was read first.
    pub(super) async fn run(self, material: Option<Arc<Material>>, since: Option<Timestamp>) -> Done {
        match timeout(TIMEOUT, self.step(material, since)).await {
            Ok(Ok(done)) => done,
            Ok(Err(problem)) => Done::failed(problem),
            Err(_) => Done::failed("no answer in time".to_owned()),
        }
    }

    async fn step(&self, material: Option<Arc<Material>>, since: Option<Timestamp>) -> Result<Done, String> {
        // In this order: the Secret is at least as new as what is published of it.
        let configuration = match self.configurations.get_opt(&self.settings.configuration).await {
            Ok(found) => Some(found.map(Box::new)),
            // Much goes on without.
            Err(kube::Error::Api(status)) if status.code == 403 => None,
            Err(error) => return Err(problem("reading", self.configuration(), &error)),
        };
        let secret = self.secrets.get_opt(&self.settings.secret.name).await;
        let secret = secret.map_err(|error| problem("reading", &self.settings.secret, &error))?;
        let published =
            configuration.as_ref().map_or(Published::Unknown, |found| published(found.as_deref()));
        let kept = Kept::of(secret.as_ref());
        let now = Timestamp::now();
        let holding = held(material.as_deref(), since, now);
        match plan_rotation(now, &self.settings.policy, &kept, &published, &holding) {
            Step::Wait { .. } => Ok(Done {
                outcome: Outcome::Nothing,
                secret: Some(Watched::read(secret.map(Box::new))),
                configuration: configuration.map(Watched::read),
            }),
            Step::Publish(bundle) => {
                let read = configuration.flatten().and_then(|found| found.metadata.resource_version);
                Ok(self.publish(&bundle, read.unwrap_or_default()).await)
            }
            Step::Keep(change) => {
                let policy = self.settings.policy.clone();
                // Making keys must not hold up reviews.
                let made = spawn_blocking(move || {
                    carry_out(change, now, &policy, &kept, &held(material.as_deref(), since, now))
                });
                let made = made.await.map_err(|panic| format!("a bug: {panic}"))?;
                let material = made.map_err(|error| error.to_string())?;
                Ok(self.keep(change, &material, secret).await)
            }
        }
    }

    async fn keep(&self, change: Change, material: &Material, secret: Option<Secret>) -> Done {
        let is_new = secret.is_none();
        match self.write(material, secret).await {
            Ok(written) => Done {
                outcome: Outcome::Kept(change),
                secret: Some(Watched::read(Some(Box::new(written)))),
                configuration: None,
            },
            // What is missing when a Secret is created is its namespace.
            Err(kube::Error::Api(status)) if is_new && status.code == 404 => {
                Done::of(Outcome::NothingInstalled(status.message.clone()))
            }
            Err(error) => Done::of(failure("writing", &self.settings.secret, &error)),
        }
    }

    async fn write(&self, material: &Material, secret: Option<Secret>) -> kube::Result<Secret> {
        let name = &self.settings.secret.name;
        if let Some(secret) = secret {
            let patch = material.merge_patch(&secret.metadata.resource_version.unwrap_or_default());
            return self.secrets.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        }
        let metadata = ObjectMeta {
            name: Some(name.clone()),
            annotations: Some(material.annotations()),
            labels: Some([("app.kubernetes.io/name".to_owned(), "spark-swap".to_owned())].into()),
            ..ObjectMeta::default()
        };
        let new = Secret { metadata, data: Some(material.data()), ..Secret::default() };
        self.secrets.create(&PostParams::default(), &new).await
    }

    /// Writes the caBundle of our entry and nothing else, if the configuration is still the version that was read: a
    /// replica that is behind must not publish what is over, and a configuration that is gone must not come back.
    async fn publish(&self, bundle: &Bundle, read: String) -> Done {
        let name = &self.settings.configuration;
        let patch = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name, "resourceVersion": read},
            "webhooks": [{"name": ENTRY, "clientConfig": {"caBundle": ByteString(bundle.pem().into_bytes())}}],
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        match self.configurations.patch(name, &parameters, &Patch::Apply(patch)).await {
            Ok(written) => Done {
                outcome: Outcome::Published,
                secret: None,
                configuration: Some(Watched::read(Some(Box::new(written)))),
            },
            Err(error) => Done::of(failure("publishing in", self.configuration(), &error)),
        }
    }

    fn configuration(&self) -> String {
        format!("mutatingwebhookconfiguration/{}", self.settings.configuration)
    }
}

impl Done {
    pub(super) fn failed(problem: String) -> Self {
        Self::of(Outcome::Failed(problem))
    }

    fn of(outcome: Outcome) -> Self {
        Self { outcome, secret: None, configuration: None }
    }
}

fn failure(doing: &str, what: impl Display, error: &kube::Error) -> Outcome {
    match error {
        kube::Error::Api(status) if status.code == 409 => Outcome::Conflict,
        error => Outcome::Failed(problem(doing, what, error)),
    }
}

fn problem(doing: &str, what: impl Display, error: &kube::Error) -> String {
    format!("{doing} {what}: {}", cause(error))
}

/// The metric's word for a change of the Secret; for none, which is publishing.
pub(super) fn word(change: Option<Change>) -> &'static str {
    match change {
        None => "publish",
        Some(Change::Create) => "create",
        Some(Change::Restore) => "restore",
        Some(Change::RenewLeaf(_)) => "renew_leaf",
        Some(Change::StageCa(_)) => "stage_ca",
        Some(Change::Confirm) => "confirm",
        Some(Change::ForgetConfirmation) => "forget_confirmation",
        Some(Change::PromoteCa) => "promote_ca",
        Some(Change::DropPreviousCa) => "drop_previous_ca",
    }
}
