//! Events for the owners of executors: the API server is played, and no review ever waits for it.

use std::future::{pending, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::admission::answer::answer;
use spark_swap::admission::event_note::of_review;
use spark_swap::cluster::events::Recorder;
use spark_swap::server::events;
use spark_swap::server::metrics::Metrics;
use spark_swap::sizing::state::State;
use tower_service::Service;
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::{Running, Setup};

/// An API server that gives the same answer to everything, or none at all.
#[derive(Clone)]
struct Api {
    answer: Option<StatusCode>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Api {
    fn that_answers(status: u16) -> Self {
        Self { answer: Some(StatusCode::from_u16(status).unwrap()), asked: Arc::default() }
    }

    fn that_hangs() -> Self {
        Self { answer: None, asked: Arc::default() }
    }

    fn client(&self) -> Client {
        Client::new(self.clone(), "default")
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }

    async fn was_asked(&self, times: usize) {
        while self.asked().len() < times {
            tokio::task::yield_now().await;
        }
    }
}

impl Service<Request<Body>> for Api {
    type Response = Response<Body>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Response<Body>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { answer, asked } = self.clone();
        Box::pin(async move {
            let line = format!("{} {}", request.method(), request.uri().path());
            let sent: Value =
                serde_json::from_slice(&request.into_body().collect_bytes().await.unwrap()).unwrap();
            asked.lock().unwrap().push((line, sent.clone()));
            let Some(status) = answer else { return pending().await };
            let body = if status.is_success() {
                sent
            } else {
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no such luck",
                       "reason": "Because", "code": status.as_u16()})
            };
            ready(Ok(Response::builder().status(status).body(body.to_string().into_bytes().into()).unwrap()))
                .await
        })
    }
}

/// The review of an executor of this application, as a driver in cluster mode posts it.
fn review(application: &str, executor: u32) -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/executors/exec-3.5.9-cluster-python-ownerref.json"
    );
    let mut pod: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    pod["metadata"]["labels"]["spark-app-selector"] = json!(application);
    pod["metadata"]["name"] = json!(format!("etl-exec-{executor}"));
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {"uid": "1", "operation": "CREATE", "namespace": "etl", "object": pod},
    })
}

fn start(api: &Api) -> Running {
    Setup { answer, api: Some(api.client()), ..Setup::default() }.start()
}

async fn count(running: &Running, outcome: &str) -> u64 {
    let series = format!("spark_swap_events_total{{outcome=\"{outcome}\"}}");
    running.metric(&series).await.unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_application_is_told_of_once_and_another_one_too() {
    let api = Api::that_answers(201);
    let running = start(&api);
    let mut connection = running.connect().await;
    for application in ["spark-1", "spark-2"] {
        for executor in 1..=20 {
            let answer = connection.post(review(application, executor).to_string().as_bytes()).await;
            assert_eq!(answer.status, 200);
        }
    }
    while count(&running, "created").await < 2 {}
    let asked = api.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    let (line, event) = &asked[0];
    assert_eq!(line, "POST /apis/events.k8s.io/v1/namespaces/etl/events");
    assert_eq!((&event["regarding"]["name"], &event["reason"]), (&json!("drv"), &json!("Planned")));
    assert_eq!(event["reportingInstance"], "spark-swap-0");
    assert_ne!(event["metadata"]["name"], asked[1].1["metadata"]["name"]);
    assert_eq!(count(&running, "dropped").await, 0);
}

#[tokio::test]
async fn a_dry_run_is_told_to_nobody() {
    let api = Api::that_answers(201);
    let running = start(&api);
    let mut connection = running.connect().await;
    let mut dry = review("spark-1", 1);
    dry["request"]["dryRun"] = json!(true);
    connection.post(dry.to_string().as_bytes()).await;
    connection.post(review("spark-2", 1).to_string().as_bytes()).await;
    while count(&running, "created").await < 1 {}
    assert_eq!(api.asked().len(), 1);
}

#[tokio::test]
async fn reviews_are_answered_while_the_api_server_hangs_and_what_finds_no_room_is_dropped() {
    const APPLICATIONS: u64 = 300;
    let api = Api::that_hangs();
    let running = start(&api);
    let mut connection = running.connect().await;
    for application in 0..APPLICATIONS {
        let review = review(&format!("spark-{application}"), 1);
        let answer = connection.post(review.to_string().as_bytes()).await;
        assert_eq!(answer.json()["response"]["patchType"], "JSONPatch");
    }
    api.was_asked(1).await;
    assert_eq!(api.asked().len(), 1, "one Event at a time");
    let dropped = count(&running, "dropped").await;
    // At most what is being written, and the queue.
    assert!((APPLICATIONS - 65..=APPLICATIONS - 50).contains(&dropped), "{dropped}");
}

#[rstest]
#[case::another_replica_was_first(409, "already_there")]
#[case::a_missing_right(403, "refused")]
#[case::a_namespace_that_is_gone(404, "refused")]
#[case::too_many_requests(429, "failed")]
#[case::a_broken_api_server(500, "failed")]
#[tokio::test]
async fn what_the_api_server_says_is_counted_and_not_tried_again(#[case] status: u16, #[case] outcome: &str) {
    let api = Api::that_answers(status);
    let running = start(&api);
    let mut connection = running.connect().await;
    for executor in 1..=5 {
        let answer = connection.post(review("spark-1", executor).to_string().as_bytes()).await;
        assert_eq!(answer.json()["response"]["allowed"], true);
    }
    while count(&running, outcome).await < 1 {}
    assert_eq!(api.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_answer_is_given_up_for_the_next_event() {
    let api = Api::that_hangs();
    let (queue, notes) = events::queue(Arc::new(Metrics::new()));
    let writing = events::write(notes, Recorder::new(api.client(), "spark-swap-0"), Arc::new(Metrics::new()));
    tell(&queue, 0..3);
    drop(queue);
    writing.await;
    assert_eq!(api.asked().len(), 3);
}

#[tokio::test]
async fn a_missing_right_is_logged_once() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let api = Api::that_answers(403);
    let (queue, notes) = events::queue(Arc::new(Metrics::new()));
    tell(&queue, 0..10);
    drop(queue);
    events::write(notes, Recorder::new(api.client(), "spark-swap-0"), Arc::new(Metrics::new())).await;
    assert_eq!(api.asked().len(), 10);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("no such luck").count(), 1, "{log}");
}

fn tell(queue: &events::EventQueue, applications: std::ops::Range<u32>) {
    for application in applications {
        let review = review(&format!("spark-{application}"), 1).to_string();
        let state = State::default();
        let key = answer(review.as_bytes(), &state).unwrap().record.event.unwrap();
        queue.tell(key, || of_review(review.as_bytes(), &state));
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}
