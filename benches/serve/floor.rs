//! The floor: axum, axum-server and rustls as the server has them, and a constant answer.

use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use axum_server::tls_rustls::RustlsConfig;
use spark_swap::admission::answer::answer;
use spark_swap::cluster::certificates::authority::{Authority, Validity};
use spark_swap::server::tls::{CertificatePair, ServedCertificate, TlsPolicy, server_config};
use spark_swap::sizing::state::State;

/// Serves for ever. The last argument is where the authority's certificate goes.
pub fn serve() {
    let validity = Validity::days_from(time::OffsetDateTime::now_utc(), 1);
    let authority = Authority::new(validity).unwrap();
    let issued = authority.issue(&["localhost".to_owned()], validity).unwrap();
    std::fs::write(std::env::args().next_back().unwrap(), authority.certificate_pem()).unwrap();
    let pair =
        CertificatePair::from_pem(issued.certificate_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
    let config = server_config(Arc::new(ServedCertificate::new(pair)), &TlsPolicy::default()).unwrap();
    let constant: Bytes =
        answer(include_bytes!("../data/executor-typical.json"), &State::default()).unwrap().body.into();
    let router = Router::new().route(
        "/mutate",
        post(move |_body: Bytes| async move { ([("content-type", "application/json")], constant.clone()) }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
    runtime.block_on(async {
        eprintln!(r#"{{"listen":"{}"}}"#, listener.local_addr().unwrap());
        let acceptor = axum_server::accept::TcpConfigAcceptor::new(
            axum_server::accept::TcpSocketConfig::new().nodelay(true),
        );
        let tls = axum_server::tls_rustls::RustlsAcceptor::new(RustlsConfig::from_config(Arc::new(config)))
            .acceptor(acceptor);
        let server = axum_server::from_tcp(listener).unwrap().acceptor(tls);
        server.serve(router.into_make_service()).await.unwrap();
    });
}
