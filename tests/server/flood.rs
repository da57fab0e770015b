//! Floods of connections that want nothing, or never get to the point: the process stays small, goes on answering, and
//! is as before afterwards.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use rstest::rstest;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::binary::{FREE_PORTS, PROGRAM, Serve, executor_review};
use crate::client::{Plain, Tls, head};

/// How far the connections of a flood come.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Nothing is sent.
    Silent,
    /// The handshake is begun.
    Handshake,
    /// The handshake is done.
    Unused,
    /// A request was answered.
    Used,
    /// The headers of a request are begun.
    Headers,
    /// A large body is begun.
    Body,
}

/// Connections that are held open.
#[derive(Default)]
struct Flood {
    plain: Vec<TcpStream>,
    tls: Vec<Tls>,
}

impl Flood {
    async fn add(&mut self, kind: Kind, server: SocketAddr, ca: &str) {
        match kind {
            Kind::Silent | Kind::Handshake => {
                let mut stream = TcpStream::connect(server).await.unwrap();
                if matches!(kind, Kind::Handshake) {
                    // The head of a ClientHello; it may have had to make room by now.
                    drop(stream.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1]).await);
                }
                self.plain.push(stream);
            }
            Kind::Unused | Kind::Used | Kind::Headers | Kind::Body => {
                let mut tls = Tls::open(server, ca).await;
                match kind {
                    Kind::Used => assert_eq!(tls.post(b"{}").await.status, 400),
                    Kind::Headers => tls.send(b"POST /mutate HTTP/1.1\r\nHost: ").await,
                    Kind::Body => {
                        tls.send(head(8 << 20).as_bytes()).await;
                        tls.send(&vec![b' '; 300 << 10]).await;
                    }
                    _ => {}
                }
                self.tls.push(tls);
            }
        }
    }

    /// A byte on every connection that is still there.
    async fn drip(&mut self) {
        for stream in &mut self.plain {
            drop(stream.write_all(b"\0").await);
        }
        for tls in &mut self.tls {
            drop(tls.stream.write_all(b" ").await);
            drop(tls.stream.flush().await);
        }
    }
}

async fn metric(serve: &Serve, series: &str) -> usize {
    let metrics = Plain::open_plain(serve.admin).await.get("/metrics").await.text();
    let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

/// Resident memory of the server, MiB.
fn resident(serve: &Serve) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", serve.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

/// As many as asked for, or as the machine allows.
fn affordable(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let allowed = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| files.try_into().unwrap());
    // Other tests run beside this one.
    let affordable = wanted.min(allowed.saturating_sub(1000));
    if affordable < wanted {
        eprintln!("only {affordable} of {wanted} connections: the limit of open files is {allowed}");
    }
    affordable
}

#[rstest]
#[case::idle(Kind::Silent, 10_000, 64)]
#[case::handshakes_begun_and_left(Kind::Handshake, 3000, 64)]
#[case::unused(Kind::Unused, 1500, 128)]
#[case::keep_alive(Kind::Used, 1500, 128)]
#[case::headers_that_drip(Kind::Headers, 1500, 128)]
#[case::bodies_that_drip(Kind::Body, 300, 256)]
#[tokio::test]
async fn a_flood_costs_bounded_memory_and_no_review(
    #[case] kind: Kind,
    #[case] wanted: usize,
    #[case] bound: usize,
) {
    let connections = affordable(wanted);
    let mut serve = Serve::start(&[]);
    let ca = serve.printed_ca();
    let review = executor_review();
    let mut api_server = Tls::open(serve.https, &ca).await;
    assert_eq!(api_server.post(&review).await.json()["response"]["patchType"], "JSONPatch");
    let before = resident(&serve);

    let mut flood = Flood::default();
    for number in 0..connections {
        flood.add(kind, serve.https, &ca).await;
        // Meanwhile the API server uses its connection.
        if number % 100 == 0 {
            assert_eq!(api_server.post(&review).await.status, 200);
        }
    }
    flood.drip().await;

    // Both on an open connection and on a new one, which is accepted after all those of the flood.
    for connection in [&mut api_server, &mut Tls::open(serve.https, &ca).await] {
        let answer = connection.post(&review).await.json();
        assert_eq!(
            (&answer["response"]["uid"], &answer["response"]["allowed"]),
            (&"705ab4f5".into(), &true.into())
        );
    }
    let during = resident(&serve);
    assert!(during < before + bound, "{before} MiB before, {during} MiB during the flood");

    drop(flood);
    while metric(&serve, "spark_swap_connections").await > 1 {}
    for connection in [&mut api_server, &mut Tls::open(serve.https, &ca).await] {
        assert_eq!(connection.post(&review).await.json()["response"]["patchType"], "JSONPatch");
    }
    let after = resident(&serve);
    assert!(after < before + bound, "{before} MiB before, {after} MiB after the flood");
    assert_eq!(metric(&serve, "spark_swap_panics_total").await, 0);
    eprintln!("{kind:?}: {before} MiB before, {during} during, {after} after");
}

#[test]
fn as_many_files_may_be_open_as_connections_need_and_too_few_are_told() {
    let start = |limit: &str| {
        let script = format!("{limit}; exec \"$0\" serve \"$@\"");
        Serve::start_with(Command::new("sh").args(["-c", &script, PROGRAM]).args(FREE_PORTS))
    };
    let serve = start("ulimit -S -n 100");
    let limits = fs::read_to_string(format!("/proc/{}/limits", serve.id())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(numbers[0], numbers[1], "{line}");

    let serve = start("ulimit -n 1000");
    assert!(serve.has_logged("is more than the limit of open files allows: raise it (ulimit -n"));
}
