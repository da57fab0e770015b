//! Watches of everything that decisions read, as one stream.

use std::collections::HashMap;
use std::future::ready;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use futures_util::stream::{BoxStream, Stream, StreamExt, select_all};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Config, DefaultBackoff, watcher};
use kube::{Client, Resource};
use serde_json::Value;

use super::arrival::Arrival;
use super::class_status::Seen;
use super::connection::cause;
use super::live_state::Event;
use super::objects::{Identity, Kind, Object};
use super::snapshot::{class_object, swap_classes};

/// What a watch tells.
#[derive(Debug)]
pub enum Told {
    /// Something about the objects of a kind; of a SwapClass also the status that it carries.
    Event(Kind, Event, Option<Box<Seen>>),
    /// The API server does not know the kind: its CRD is not installed. Asked again.
    NoSuchKind(Kind),
    /// A list or watch failed or broke off, and why. Tried again.
    Failed(Kind, String),
}

/// How long one watch request lasts. A connection that died in silence is noticed a few seconds after that.
pub const WATCH_SECONDS: u32 = 120;
/// How many objects one page of a list holds; while it is decoded it is in memory as text.
const PAGE: u32 = 250;
/// A restarted API server should not be kept waiting.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// Watches every kind for ever.
pub fn watch(client: &Client) -> impl Stream<Item = Told> + Send + Unpin + use<> {
    select_all(Kind::ALL.iter().map(|kind| match kind {
        Kind::SwapClass => classes(client.clone()),
        _ => others(client.clone(), *kind),
    }))
}

/// SwapClasses are few, and needed with their status.
fn classes(client: Client) -> BoxStream<'static, Told> {
    let watched = watcher(swap_classes(client), config());
    stream(watched, Kind::SwapClass, |class| (Seen::new(&class).map(Box::new), class_object(class)))
}

fn others(client: Client, kind: Kind) -> BoxStream<'static, Told> {
    let watched = watcher(Api::<Arrival>::all_with(client, &kind), config());
    let mut known = Known::default();
    let news = watched.filter(move |event| ready(known.is_news(event)));
    stream(news, kind, |arrival| (None, arrival.object()))
}

/// What the objects said last, by hashes: most events of nodes are heartbeats, which say nothing new.
#[derive(Default)]
struct Known(HashMap<u64, u64>);

impl Known {
    fn is_news(&mut self, event: &watcher::Result<watcher::Event<Arrival>>) -> bool {
        match event {
            Ok(watcher::Event::Apply(object)) => {
                let fingerprint = object.fingerprint();
                self.0.insert(name_hash(object), fingerprint) != Some(fingerprint)
            }
            Ok(watcher::Event::InitApply(object)) => {
                self.0.insert(name_hash(object), object.fingerprint());
                true
            }
            Ok(watcher::Event::Delete(object)) => {
                self.0.remove(&name_hash(object));
                true
            }
            Ok(watcher::Event::Init) => {
                self.0.clear();
                true
            }
            Ok(watcher::Event::InitDone) | Err(_) => true,
        }
    }
}

fn name_hash(object: &Arrival) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&object.meta().namespace, &object.meta().name).hash(&mut hasher);
    hasher.finish()
}

pub(super) fn config() -> Config {
    Config::default().timeout(WATCH_SECONDS).page_size(PAGE)
}

/// `reduce` says what is kept of an object.
fn stream<K: Resource + Send + 'static>(
    watched: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
    kind: Kind,
    reduce: fn(K) -> (Option<Box<Seen>>, Value),
) -> BoxStream<'static, Told> {
    let told = move |event: watcher::Result<watcher::Event<K>>| match event {
        Ok(watcher::Event::Init) => Told::Event(kind, Event::ListBegins, None),
        Ok(watcher::Event::InitDone) => Told::Event(kind, Event::ListEnds, None),
        Ok(watcher::Event::Delete(object)) => {
            Told::Event(kind, Event::Deleted(identity(kind, object.meta())), None)
        }
        Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => {
            let identity = identity(kind, object.meta());
            let (seen, object) = reduce(object);
            Told::Event(kind, Event::Applied(identity, Object::read(kind, &object)), seen)
        }
        Err(
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status)),
        ) if status.code == 404 => Told::NoSuchKind(kind),
        Err(error) => Told::Failed(kind, problem(&error)),
    };
    // What is too old to be resumed is listed anew at once: the API server is there and has nothing against it.
    let watched = watched.filter(|event| ready(!is_expired(event)));
    watched.backoff(ShortBackoff::default()).map(told).boxed()
}

pub(super) fn is_expired<K>(event: &watcher::Result<watcher::Event<K>>) -> bool {
    matches!(event, Err(watcher::Error::WatchError(status)) if status.code == 410)
}

/// Why it failed, for people: the library names the layers that the error went through.
pub(super) fn problem(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error) => format!("listing: {}", cause(error)),
        watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => {
            format!("watching: {}", cause(error))
        }
        watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => error.to_string(),
    }
}

fn identity(kind: Kind, metadata: &ObjectMeta) -> Identity {
    Identity {
        kind,
        namespace: metadata.namespace.clone().filter(|_| kind.is_namespaced()),
        name: metadata.name.clone().unwrap_or_default(),
    }
}

/// The usual one, which is kind to a struggling API server, cut off.
#[derive(Default)]
pub(super) struct ShortBackoff(DefaultBackoff);

impl Iterator for ShortBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|delay| delay.min(LONGEST_BACKOFF))
    }
}

impl Backoff for ShortBackoff {
    fn reset(&mut self) {
        self.0.reset();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, pool: &str) -> Arrival {
        serde_json::from_value(json!({"metadata": {"name": name, "labels": {"pool": pool}}})).unwrap()
    }

    #[test]
    fn a_version_that_is_too_old_is_no_failure_to_wait_after() {
        let failed = |code| {
            let status = kube::core::Status { code, ..kube::core::Status::default() };
            Err::<watcher::Event<Arrival>, _>(watcher::Error::WatchError(Box::new(status)))
        };
        assert!(is_expired(&failed(410)));
        assert!(!is_expired(&failed(500)));
    }

    #[test]
    fn only_what_an_object_did_not_say_last_is_news() {
        let mut known = Known::default();
        let mut is_news = |event| known.is_news(&Ok(event));
        assert!(is_news(watcher::Event::Init));
        assert!(is_news(watcher::Event::InitApply(node("a", "x"))));
        assert!(is_news(watcher::Event::InitDone));
        assert!(!is_news(watcher::Event::Apply(node("a", "x"))), "a heartbeat");
        assert!(is_news(watcher::Event::Apply(node("b", "x"))), "another node");
        assert!(is_news(watcher::Event::Apply(node("a", "y"))), "another label");
        assert!(is_news(watcher::Event::Apply(node("a", "x"))), "and back");
        assert!(is_news(watcher::Event::Delete(node("a", "x"))));
        assert!(is_news(watcher::Event::Apply(node("a", "x"))), "the same node joins again");
        assert!(is_news(watcher::Event::Init));
        assert!(is_news(watcher::Event::InitApply(node("a", "x"))), "a new list is complete in itself");
    }
}
