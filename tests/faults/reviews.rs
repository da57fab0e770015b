//! Reviews sent to the Service without an API server between, as three API servers would send them: each with a pool of
//! connections of its own, trusting what the webhook configuration says at that time.
//!
//! A review counts as failed where the API server would admit the executor unmutated: no connection, no answer within
//! the timeout, another answer than a review's. What Go's client sends again unnoticed is sent again here, too.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::api::Api;
use crate::load::{Caller, Outcome};
use crate::pods;
use crate::pool::Pool;

const BODY: &str = include_str!("../../benches/data/executor-typical.json");
const BODY_UID: &str = "5a1e0a7e-3f1c-4f0e-9a55-2f8d7d1f6c11";
/// What the manifests set.
const TIMEOUT: Duration = Duration::from_secs(2);
const API_SERVERS: usize = 3;
/// As the API server's client has it.
const MOST_IDLE: usize = 25;
/// How often the webhook configuration is looked at; the API server has a watch.
const CONFIGURATION_INTERVAL: Duration = Duration::from_millis(200);

pub(crate) struct Reviews {
    address: SocketAddr,
    /// The certificate is for this name.
    host: String,
    trust: ArcSwap<Trust>,
    sent_again: AtomicU64,
}

/// Pools live as long as the trust that their connections were made with.
struct Trust {
    ca_bundle: Vec<u8>,
    pools: Vec<Pool>,
}

impl Reviews {
    /// Reviews for the Service at `address`, called `host`.
    pub(crate) fn new(api: &Api, address: SocketAddr, host: &str) -> Arc<Self> {
        let ca_bundle = api.runtime().block_on(api.ca_bundle()).unwrap();
        let trust = ArcSwap::from_pointee(Trust::new(ca_bundle, address, host));
        let this = Arc::new(Self { address, host: host.to_owned(), trust, sent_again: AtomicU64::new(0) });
        let weak = Arc::downgrade(&this);
        let api = api.clone();
        api.runtime().clone().spawn(async move {
            let mut looks = tokio::time::interval(CONFIGURATION_INTERVAL);
            loop {
                looks.tick().await;
                let bundle = api.ca_bundle().await;
                let Some(this) = weak.upgrade() else { return };
                // No API server says nothing new, and with an empty bundle there is nobody to trust.
                if let Ok(bundle) = bundle
                    && !bundle.is_empty()
                {
                    this.trust(bundle);
                }
            }
        });
        this
    }

    /// How often a review was sent again as Go's client does.
    pub(crate) fn sent_again(&self) -> u64 {
        self.sent_again.load(Ordering::Relaxed) + self.trust.load().sent_again()
    }

    fn trust(&self, ca_bundle: Vec<u8>) {
        if self.trust.load().ca_bundle != ca_bundle {
            let former = self.trust.swap(Arc::new(Trust::new(ca_bundle, self.address, &self.host)));
            self.sent_again.fetch_add(former.sent_again(), Ordering::Relaxed);
        }
    }
}

impl Trust {
    fn new(ca_bundle: Vec<u8>, address: SocketAddr, host: &str) -> Self {
        let pool = || Pool::new(address, host, &ca_bundle, MOST_IDLE);
        Self { pools: (0..API_SERVERS).map(|_| pool()).collect(), ca_bundle }
    }

    fn sent_again(&self) -> u64 {
        self.pools.iter().map(Pool::sent_again).sum()
    }
}

impl Caller for Reviews {
    async fn call(&self, number: u64) -> Outcome {
        let uid = format!("review-{number}");
        let request = Request::builder()
            .method("POST")
            .uri(format!("/mutate?timeout={}s", TIMEOUT.as_secs()))
            .header("host", &self.host)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(BODY.replacen(BODY_UID, &uid, 1))))
            .unwrap();
        let trust = self.trust.load_full();
        let pool = &trust.pools[usize::try_from(number).unwrap() % API_SERVERS];
        match tokio::time::timeout(TIMEOUT, pool.call(request)).await {
            Ok(Ok(answer)) if answer.status() == 200 => judge(&uid, answer.body()),
            Ok(Ok(answer)) => {
                let body = String::from_utf8_lossy(answer.body());
                Outcome::Failed(format!("{}: {body}", answer.status().as_u16()))
            }
            Ok(Err(error)) => Outcome::Failed(error),
            Err(_) => Outcome::Failed(format!("no answer within {TIMEOUT:?}")),
        }
    }
}

fn judge(uid: &str, answer: &[u8]) -> Outcome {
    #[derive(Deserialize)]
    struct Review {
        response: Response,
    }
    #[derive(Deserialize)]
    struct Response {
        uid: String,
        allowed: bool,
        patch: Option<String>,
    }
    let response = match serde_json::from_slice::<Review>(answer) {
        Ok(review) if review.response.uid == uid && review.response.allowed => review.response,
        _ => return Outcome::Failed(format!("not an answer to {uid}: {}", String::from_utf8_lossy(answer))),
    };
    let patch = response.patch.map(|patch| STANDARD.decode(patch).unwrap()).unwrap_or_default();
    let operations: Vec<Value> = serde_json::from_slice(&patch).unwrap_or_default();
    let has_plan =
        operations.iter().any(|operation| operation.to_string().contains(pods::PLAN) || is_plan(operation));
    let lowers = operations.iter().any(|operation| {
        operation["path"].as_str().is_some_and(|path| path.ends_with("/resources/requests/memory"))
    });
    if has_plan && lowers {
        Outcome::Mutated
    } else {
        Outcome::Unmutated(String::from_utf8_lossy(answer).into_owned())
    }
}

/// Beside other annotations it is an operation of its own, in whose path `/` is written `~1`.
fn is_plan(operation: &Value) -> bool {
    operation["path"].as_str().is_some_and(|path| path.ends_with(&pods::PLAN.replace('/', "~1")))
}
