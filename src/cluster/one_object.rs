//! A watch of a single object by its name: for that, rights to this one object are enough.

use std::fmt::{Debug, Display};
use std::time::Duration;

use futures_util::stream::{BoxStream, Stream, StreamExt, unfold};
use kube::Resource;
use kube::api::Api;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Config, watcher};
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use super::watches::{ShortBackoff, config, is_expired, problem};

/// What the watch tells.
#[derive(Debug)]
pub enum Sighting<K> {
    /// The object as it is now; `None`: there is none.
    Is(Option<Box<K>>),
    /// A list or watch failed or broke off, and why. Tried again.
    Failed(String),
}

/// Watches the object for ever. After a failure it is listed anew, so that its end is told, too.
pub fn watch_one<K>(objects: Api<K>, name: &str) -> impl Stream<Item = Sighting<K>> + Send + 'static + use<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = config().fields(&format!("metadata.name={name}"));
    let watch =
        Watch { objects, config, events: None, listed: None, backoff: ShortBackoff::default(), pause: None };
    unfold(watch, |mut watch| async move { Some((watch.next().await, watch)) })
}

struct Watch<K> {
    objects: Api<K>,
    config: Config,
    events: Option<BoxStream<'static, watcher::Result<watcher::Event<K>>>>,
    listed: Option<Box<K>>,
    backoff: ShortBackoff,
    /// Before the next list.
    pause: Option<Duration>,
}

impl<K> Watch<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    async fn next(&mut self) -> Sighting<K> {
        loop {
            if let Some(pause) = self.pause.take() {
                sleep(pause).await;
            }
            let events =
                self.events.get_or_insert_with(|| watcher(self.objects.clone(), self.config.clone()).boxed());
            match events.next().await {
                Some(Ok(watcher::Event::Init)) => self.listed = None,
                Some(Ok(watcher::Event::InitApply(object))) => self.listed = Some(Box::new(object)),
                Some(Ok(watcher::Event::InitDone)) => {
                    self.backoff.reset();
                    return Sighting::Is(self.listed.take());
                }
                Some(Ok(watcher::Event::Apply(object))) => return Sighting::Is(Some(Box::new(object))),
                Some(Ok(watcher::Event::Delete(_))) => return Sighting::Is(None),
                // What is too old to be resumed is listed anew at once.
                None => self.events = None,
                Some(error) if is_expired(&error) => self.events = None,
                Some(Err(error)) => {
                    self.events = None;
                    self.pause = self.backoff.next();
                    return Sighting::Failed(problem(&error));
                }
            }
        }
    }
}

/// An object with its namespace, as people are told of it: `secret spark-swap/spark-swap-tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretName {
    /// Where it is.
    pub namespace: String,
    /// What it is called.
    pub name: String,
}

impl Display for SecretName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "secret {}/{}", self.namespace, self.name)
    }
}
