//! What goes over the wire, and how it is counted.

use serde_json::json;
use spark_swap::admission::answer::{Answer, Malformed};
use spark_swap::admission::reason::Reason;
use spark_swap::server::limits::MAX_BODY;
use spark_swap::sizing::state::State;

use crate::client::head;
use crate::harness::{Setup, panics, patch, record, review, uid};

#[tokio::test]
async fn a_review_is_answered_and_the_connection_stays_open() {
    let server = Setup::default().start();
    let mut connection = server.connect().await;
    for uid in ["one", "two", "three"] {
        let response = connection.post(&review(uid, 0)).await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("connection"), None);
        assert_eq!(response.json()["response"]["uid"], uid);
    }
}

#[tokio::test]
async fn other_methods_are_405_and_other_paths_404() {
    let server = Setup::default().start();
    let mut connection = server.connect().await;
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let response = connection.request(method, "/mutate").await;
        assert_eq!((response.status, response.header("allow")), (405, Some("POST")), "{method}");
    }
    for path in ["/", "/mutate/", "/mutate/x", "/healthz", "/metrics"] {
        assert_eq!(connection.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_a_review_is_400_with_a_short_text() {
    let server = Setup::default().start();
    let mut connection = server.connect().await;
    let array = r#"["admission.k8s.io/v1","AdmissionReview",{"uid":"x"}]"#;
    for body in ["", "{", "null", "[]", array, "{}", r#"{"request":{}}"#, "\0\u{1}"] {
        let response = connection.post(body.as_bytes()).await;
        assert_eq!(response.status, 400, "{body:?}");
        assert!(!response.body.is_empty() && response.body.len() < 600, "{body:?}");
    }
    let counted = server.metric(r#"spark_swap_reviews_total{outcome="malformed",reason="",class=""}"#).await;
    assert_eq!(counted.as_deref(), Some("8"));
}

#[tokio::test]
async fn a_text_quoted_from_the_request_is_cut() {
    fn quotes(body: &[u8], _: &State) -> Result<Answer, Malformed> {
        let api_version = String::from_utf8(body.to_vec()).unwrap();
        Err(Malformed::WrongKind { api_version, kind: String::new() })
    }
    let server = Setup { answer: quotes, ..Setup::default() }.start();
    let response = server.connect().await.post("ä".repeat(4000).as_bytes()).await;
    assert_eq!(response.status, 400);
    assert!(response.text().len() <= 501);
}

#[tokio::test]
async fn a_chunked_body_works() {
    let server = Setup::default().start();
    let mut connection = server.connect().await;
    connection.send(b"POST /mutate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for piece in review("chunked", 5000).chunks(777) {
        connection.send(format!("{:x}\r\n", piece.len()).as_bytes()).await;
        connection.send(piece).await;
        connection.send(b"\r\n").await;
    }
    connection.send(b"0\r\n\r\n").await;
    assert_eq!(connection.response().await.unwrap().json()["response"]["uid"], "chunked");
}

#[tokio::test]
async fn a_chunk_that_is_none_is_400_and_ends_the_connection() {
    let server = Setup::default().start();
    let mut connection = server.connect().await;
    connection.send(b"POST /mutate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").await;
    let response = connection.response().await.unwrap();
    assert_eq!((response.status, response.header("connection")), (400, Some("close")));
}

#[tokio::test]
async fn reviews_are_a_metric_before_the_first_of_them() {
    let server = Setup::default().start();
    let series = r#"spark_swap_reviews_total{outcome="unchanged",reason="NotExecutor",class=""}"#;
    assert_eq!(server.metric(series).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_body_of_3_mib_and_one_of_exactly_the_limit_are_accepted() {
    let server = Setup::default().start();
    let mut connection = server.connect().await;
    for length in [3 << 20, MAX_BODY] {
        let body = review("large", length);
        assert_eq!(body.len(), length);
        assert_eq!(connection.post(&body).await.json()["response"]["uid"], "large");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_the_sender_gets_to_read_it() {
    let server = Setup::default().start();
    let body = review("large", MAX_BODY + 1);
    assert_eq!(server.connect().await.post(&body).await.status, 413);

    let mut connection = server.connect().await;
    let head = b"POST /mutate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.send(head).await;
    connection.send(format!("{:x}\r\n", body.len()).as_bytes()).await;
    connection.send(&body).await;
    connection.send(b"\r\n0\r\n\r\n").await;
    assert_eq!(connection.response().await.unwrap().status, 413);

    let counted = server.metric(r#"spark_swap_reviews_total{outcome="too_large",reason="",class=""}"#).await;
    assert_eq!(counted.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_sender_that_asks_first_is_told_413_before_it_sends() {
    let server = Setup::default().start();
    let mut connection = server.connect().await;
    let request = head(MAX_BODY + 1).replace("Host", "Expect: 100-continue\r\nHost");
    connection.send(request.as_bytes()).await;
    assert_eq!(connection.response().await.unwrap().status, 413);
}

#[tokio::test]
async fn a_panic_admits_the_pod_unchanged_and_is_counted_as_a_failure() {
    let server = Setup { answer: panics, ..Setup::default() }.start();
    let mut connection = server.connect().await;
    let response = connection.post(&review("u-\\u00e4\\\"", 0)).await;
    assert_eq!(response.status, 200);
    assert_eq!(
        response.json(),
        json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": {"uid": "u-ä\"", "allowed": true},
        })
    );
    assert_eq!(connection.post(b"no uid").await.status, 500);
    assert_eq!(connection.post(&review("harmless", 0)).await.json()["response"]["patchType"], "JSONPatch");

    assert_eq!(server.metric("spark_swap_panics_total").await.as_deref(), Some("2"));
    let panicked = server.metric(r#"spark_swap_reviews_total{outcome="panicked",reason="",class=""}"#).await;
    assert_eq!(panicked.as_deref(), Some("2"));
    let patched =
        server.metric(r#"spark_swap_reviews_total{outcome="patched",reason="Planned",class="batch"}"#).await;
    assert_eq!(patched.as_deref(), Some("1"));
}

#[tokio::test]
async fn plans_are_counted_with_the_bytes_they_remove_and_the_swap_they_expect() {
    let server = Setup { answer: patch, ..Setup::default() }.start();
    let mut connection = server.connect().await;
    connection.post(&review("one", 0)).await;
    connection.post(&review("two", 0)).await;
    for (series, value) in [
        (r#"spark_swap_reviews_total{outcome="patched",reason="Planned",class="batch"}"#, "2"),
        ("spark_swap_request_bytes_removed_total", "2000"),
        ("spark_swap_expected_swap_bytes_total", "1000"),
        ("spark_swap_review_duration_seconds_count", "2"),
        ("spark_swap_reviews_in_flight", "0"),
        ("spark_swap_plans_rejected_total", "0"),
        (r#"spark_swap_build_info{version="0.1.0"}"#, "1"),
    ] {
        assert_eq!(server.metric(series).await.as_deref(), Some(value), "{series}");
    }
}

#[tokio::test]
async fn a_class_that_does_not_exist_is_no_label() {
    fn unknown(body: &[u8], _: &State) -> Result<Answer, Malformed> {
        let mut record = record(&uid(body)?);
        record.class.clone_from(&record.uid);
        record.class_is_known = false;
        record.reason = Reason::UnknownClass;
        record.patched = false;
        Ok(Answer { body: Vec::new(), record })
    }
    let server = Setup { answer: unknown, ..Setup::default() }.start();
    let mut connection = server.connect().await;
    for uid in ["one", "two", "three"] {
        connection.post(&review(uid, 0)).await;
    }
    let series = r#"spark_swap_reviews_total{outcome="unchanged",reason="UnknownClass",class="unknown"}"#;
    assert_eq!(server.metric(series).await.as_deref(), Some("3"));
}

#[tokio::test]
async fn a_failed_proof_counts_as_a_rejected_plan() {
    fn rejected(body: &[u8], _: &State) -> Result<Answer, Malformed> {
        let mut record = record(&uid(body)?);
        record.reason = Reason::ProofFailed;
        record.failed_proof = Some("2".to_owned());
        record.patched = false;
        record.bound = None;
        Ok(Answer { body: Vec::new(), record })
    }
    let server = Setup { answer: rejected, ..Setup::default() }.start();
    server.connect().await.post(&review("one", 0)).await;
    assert_eq!(server.metric("spark_swap_plans_rejected_total").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn the_admin_port_is_plain_http_with_three_paths() {
    let server = Setup::default().start();
    let mut admin = server.admin().await;
    assert_eq!(admin.get("/livez").await.text(), "ok\n");
    assert_eq!(admin.get("/readyz").await.text(), "ok\n");
    let metrics = admin.get("/metrics").await;
    assert_eq!(
        metrics.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(metrics.text().ends_with("# EOF\n"));
    assert_eq!(admin.get("/mutate").await.status, 404);
    assert_eq!(admin.request("POST", "/livez").await.status, 405);
}

#[tokio::test]
async fn readiness_waits_for_what_the_process_waits_for() {
    let server = Setup::default().start();
    let mut admin = server.admin().await;
    server.readiness.wait_for("nodes");
    let response = admin.get("/readyz").await;
    assert_eq!((response.status, response.text().as_str()), (503, "waiting for nodes\n"));
    assert_eq!(admin.get("/livez").await.status, 200);
    server.readiness.arrived("nodes");
    assert_eq!(admin.get("/readyz").await.status, 200);
}
