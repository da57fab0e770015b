//! Whether the API server can be heard, kind by kind: what the age of the state follows from.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tower_service::Service;

use super::objects::Kind;

/// Since when the watch of each kind has been without an API server; kinds in contact are not in it.
#[derive(Debug)]
pub struct Contact {
    lost: Mutex<HashMap<Kind, Instant>>,
}

impl Contact {
    /// No kind was heard of yet.
    pub fn none_yet(now: Instant) -> Self {
        let lost = Kind::ALL.iter().map(|kind| (*kind, now)).collect();
        Self { lost: Mutex::new(lost) }
    }

    /// A list or watch of the kind failed or broke off. True when the API server was heard about it until now.
    pub fn lost(&self, kind: Kind, now: Instant) -> bool {
        match self.lost.lock().unwrap_or_else(PoisonError::into_inner).entry(kind) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(now);
                true
            }
        }
    }

    /// How old the state may be: the time since the first contact that is still lost broke off; zero when the API
    /// server tells of every change.
    pub fn age(&self, now: Instant) -> Duration {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.values().map(|since| now.saturating_duration_since(*since)).max().unwrap_or_default()
    }

    /// A client whose answers restore contact. A resumed watch of something that never changes says nothing for hours;
    /// that it was accepted is the only sign of it.
    pub fn observe(self: &Arc<Self>, client: Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        Client::new(Observed { client, contact: Arc::clone(self) }, namespace)
    }

    /// The API server answered about the kind.
    pub fn heard(&self, kind: Kind) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).remove(&kind);
    }
}

#[derive(Clone)]
struct Observed {
    client: Client,
    contact: Arc<Contact>,
}

impl Service<Request<Body>> for Observed {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = Pin<Box<dyn Future<Output = kube::Result<Response<Body>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<kube::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { client, contact } = self.clone();
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let answer = client.send(request).await?;
            if answer.status().is_success() {
                let kind = Kind::ALL.iter().find(|kind| path.ends_with(&format!("/{}", kind.plural())));
                if let Some(kind) = kind {
                    contact.heard(*kind);
                }
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_counts_from_the_first_contact_that_is_still_lost() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let contact = Contact::none_yet(start);
        assert_eq!(contact.age(at(3)), Duration::from_secs(3), "nothing was heard since the start");
        for kind in Kind::ALL {
            contact.heard(*kind);
        }
        assert_eq!(contact.age(at(9)), Duration::ZERO);
        assert!(contact.lost(Kind::Node, at(10)));
        assert!(contact.lost(Kind::SwapClass, at(12)));
        assert!(!contact.lost(Kind::Node, at(15)));
        assert_eq!(contact.age(at(20)), Duration::from_secs(10));
        contact.heard(Kind::Node);
        assert_eq!(contact.age(at(20)), Duration::from_secs(8));
    }
}
