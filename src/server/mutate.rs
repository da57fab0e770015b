//! `POST /mutate`: bytes in, the core's answer out, and an account of what happened.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::map_response_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::Semaphore;
use tracing::{debug, error, warn};

use super::body::{self, BodyError, Room};
use super::events::EventQueue;
use super::limits::{Limits, MAX_BODY};
use super::metrics::{Metrics, Outcome};
use super::readiness::Readiness;
use super::seldom::Seldom;
use crate::admission::answer::{Answer, Malformed, Record};
use crate::admission::{event_note, fail_open};
use crate::sizing::state::State;

/// The path of the webhook.
pub const PATH: &str = "/mutate";

/// Sent with the answer to a review for which there was no room.
const OVERLOADED: &str =
    "spark-swap: overloaded, so this pod is admitted as it is; run more replicas of spark-swap";

/// The pure function that answers reviews: [`crate::admission::answer::answer`], or another one in tests.
pub type AnswerFn = fn(&[u8], &State) -> Result<Answer, Malformed>;

/// What answering a review needs.
#[derive(Debug)]
pub struct Mutate {
    answer: AnswerFn,
    state: Arc<ArcSwap<State>>,
    events: Option<EventQueue>,
    metrics: Arc<Metrics>,
    limits: Limits,
    slots: Semaphore,
    room: Room,
    overloaded: Seldom,
}

impl Mutate {
    /// Answers with `answer` from the latest `state`.
    pub fn new(
        answer: AnswerFn,
        state: Arc<ArcSwap<State>>,
        events: Option<EventQueue>,
        metrics: Arc<Metrics>,
        limits: Limits,
    ) -> Self {
        let slots = Semaphore::new(limits.max_reviews.min(Semaphore::MAX_PERMITS));
        let room = Room::new(limits.body_memory);
        Self { answer, state, events, metrics, limits, slots, room, overloaded: Seldom::default() }
    }

    /// The routes of the HTTPS port. While draining every response asks for the connection to be closed, so that
    /// clients move on by themselves before the listener goes away.
    pub fn router(self, readiness: Arc<Readiness>) -> Router {
        Router::new()
            .route(PATH, post(mutate))
            .with_state(Arc::new(self))
            .layer(map_response_with_state(readiness, close_while_draining))
    }

    /// Reads and answers one review.
    async fn review(&self, headers: &HeaderMap, mut body: Body) -> Verdict {
        let Ok(slot) = self.slots.try_acquire() else {
            return self.admit_unseen(&mut body, Vec::new()).await;
        };
        let in_flight = InFlight::new(&self.metrics);
        let read = body::read(&mut body, MAX_BODY, &self.room);
        match tokio::time::timeout(self.limits.body_timeout, read).await {
            Ok(Ok(arrived)) => self.decide(&arrived.bytes),
            Ok(Err(unread)) => match unread.problem {
                BodyError::TooLarge => self.refuse(headers, &mut body).await,
                BodyError::NoRoom => {
                    drop(in_flight);
                    drop(slot);
                    self.admit_unseen(&mut body, unread.beginning).await
                }
                BodyError::Broken => Verdict::Broken,
            },
            Err(_) => Verdict::Incomplete,
        }
    }

    /// Calls the pure function, right here: it needs some 15 µs. A bug in it must not cost the process its life.
    fn decide(&self, body: &[u8]) -> Verdict {
        let state = self.state.load();
        let answer = || {
            let answer = (self.answer)(body, &state)?;
            if let (Some(events), Some(key)) = (&self.events, answer.record.event) {
                // Another decision, once for each application and reason.
                events.tell(key, || event_note::of_review(body, &state));
            }
            Ok(answer)
        };
        match catch_unwind(AssertUnwindSafe(answer)) {
            Ok(Ok(answer)) => Verdict::Answered(answer),
            Ok(Err(malformed)) => Verdict::Malformed(malformed),
            Err(_) => Verdict::Panicked(fail_open::uid(body).map(|uid| fail_open::answer(&uid, None))),
        }
    }

    /// There is no room for this review now: it is admitted as it is, which takes no more than the beginning of the body.
    async fn admit_unseen(&self, body: &mut Body, mut beginning: Vec<u8>) -> Verdict {
        let mut uid = None;
        let read = async {
            uid = body::uid(body, &mut beginning).await;
            body::discard(body).await;
        };
        self.in_time(read).await;
        let uid = uid.or_else(|| fail_open::uid(&beginning));
        Verdict::Overloaded(uid.map(|uid| fail_open::answer(&uid, Some(OVERLOADED))))
    }

    /// Too large.
    async fn refuse(&self, headers: &HeaderMap, body: &mut Body) -> Verdict {
        // Who asks beforehand is told not to send it.
        if !headers.contains_key(header::EXPECT) {
            self.in_time(body::discard(body)).await;
        }
        Verdict::TooLarge
    }

    /// Gives the sender of an unwanted body the chance to read the answer: it may still be sending.
    async fn in_time(&self, discard: impl Future<Output = ()>) {
        if tokio::time::timeout(self.limits.body_timeout, discard).await.is_err() {
            debug!("an unwanted body did not end in time");
        }
    }

    /// Counts and logs: names, never contents.
    fn account(&self, verdict: &Verdict, started: Instant) {
        let duration = started.elapsed();
        match verdict {
            Verdict::Answered(answer) => {
                self.metrics.answered(&answer.record, duration);
                log(&answer.record);
            }
            Verdict::Malformed(malformed) => {
                let reason = match malformed {
                    Malformed::NotAReview(_) => "NotAReview",
                    Malformed::WrongKind { .. } => "WrongKind",
                    Malformed::NoUid => "NoUid",
                };
                self.metrics.failed(Outcome::Malformed, "", duration);
                debug!(reason, "malformed review");
            }
            Verdict::Panicked(_) => {
                self.metrics.panics.inc();
                self.metrics.failed(Outcome::Panicked, "", duration);
                error!("answering a review panicked, which is a bug in spark-swap: please report it");
            }
            Verdict::Overloaded(_) => {
                self.metrics.failed(Outcome::Overloaded, "", duration);
                if let Some(before) = self.overloaded.take_turn() {
                    warn!(
                        before,
                        "too many reviews at once: pods are admitted as they are; run more replicas"
                    );
                }
            }
            Verdict::TooLarge => {
                self.metrics.failed(Outcome::TooLarge, "", duration);
                warn!(limit = MAX_BODY, "the body of a review is over the limit");
            }
            Verdict::Broken | Verdict::Incomplete => {
                self.metrics.failed(Outcome::Incomplete, "", duration);
                debug!("the body of a review did not arrive");
            }
        }
    }
}

/// What became of a request.
enum Verdict {
    Answered(Answer),
    Malformed(Malformed),
    /// With the answer that admits the pod unchanged, where the uid is known.
    Panicked(Option<Vec<u8>>),
    /// With the answer that admits the pod unchanged, where the uid is known.
    Overloaded(Option<Vec<u8>>),
    TooLarge,
    /// A chunk that is none, or the client is gone.
    Broken,
    /// The body did not arrive in time.
    Incomplete,
}

impl IntoResponse for Verdict {
    fn into_response(self) -> Response {
        match self {
            Self::Answered(answer) => json(answer.body),
            Self::Malformed(malformed) => text(StatusCode::BAD_REQUEST, &malformed.to_string()),
            Self::Panicked(Some(answer)) | Self::Overloaded(Some(answer)) => json(answer),
            Self::Panicked(None) => text(StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
            Self::Overloaded(None) => text(StatusCode::SERVICE_UNAVAILABLE, "too many reviews in flight"),
            Self::TooLarge => {
                text(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body is larger than {MAX_BODY} bytes"))
            }
            Self::Broken => closing(StatusCode::BAD_REQUEST, "the body broke off"),
            Self::Incomplete => closing(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
        }
    }
}

async fn mutate(Shared(mutate): Shared<Arc<Mutate>>, request: Request) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let verdict = mutate.review(&parts.headers, body).await;
    mutate.account(&verdict, started);
    verdict.into_response()
}

async fn close_while_draining(Shared(readiness): Shared<Arc<Readiness>>, mut response: Response) -> Response {
    if readiness.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// A short text: what is quoted from the request in it is cut.
fn text(status: StatusCode, text: &str) -> Response {
    (status, format!("{}\n", cut(text, 500))).into_response()
}

/// The same on a connection that is of no more use.
fn closing(status: StatusCode, why: &str) -> Response {
    ([(header::CONNECTION, HeaderValue::from_static("close"))], text(status, why)).into_response()
}

fn log(record: &Record) {
    let Record { uid, namespace, name, reason, class, bound, .. } = record;
    let (uid, namespace, name, class) = (cut(uid, 64), cut(namespace, 253), cut(name, 253), cut(class, 253));
    let reason = reason.as_str();
    let notices = notices(record);
    if let Some(problem) = &record.failed_proof {
        error!(uid, namespace, name, reason, class, problem, "plan rejected");
    } else if let Some(bound) = bound {
        // Not at info: a line costs a fifth of a review, and the plan is in the pod, the audit log and the metrics.
        debug!(
            uid,
            namespace,
            name,
            reason,
            class,
            bound = bound.as_str(),
            request_bytes_removed = record.request_bytes_removed,
            expected_swap = record.expected_swap,
            notices,
            "planned"
        );
    } else {
        debug!(uid, namespace, name, reason, class, notices, "left alone");
    }
}

/// The notices, separated by commas; `None` without any.
fn notices(record: &Record) -> Option<String> {
    let words: Vec<&str> = record.notices.iter().map(|notice| notice.as_str()).collect();
    (!words.is_empty()).then(|| words.join(","))
}

/// The beginning of a text, in at most `length` bytes.
fn cut(text: &str, length: usize) -> &str {
    text.get(..text.floor_char_boundary(length)).unwrap_or_default()
}

/// A review in flight, as a gauge shows it.
struct InFlight<'a>(&'a Metrics);

impl<'a> InFlight<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.reviews_in_flight.inc();
        Self(metrics)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.reviews_in_flight.dec();
    }
}
