//! Certificate files that are renewed the way the kubelet does it, and in worse ways.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use spark_swap::cluster::certificates::authority::{Authority, Issued};
use spark_swap::server::certificate_files::{CertificateFiles, Reload};
use spark_swap::server::metrics::Metrics;
use spark_swap::server::tls::ServedCertificate;

use crate::client::Tls;
use crate::harness::{Running, Setup, review, validity};

/// A Secret volume: `tls.crt -> ..data/tls.crt`, `..data -> ..<version>`.
struct Volume {
    directory: tempfile::TempDir,
    version: usize,
}

impl Volume {
    fn new(issued: &Issued) -> Self {
        let mut volume = Self { directory: tempfile::tempdir().unwrap(), version: 0 };
        volume.rotate(issued);
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), volume.path(name)).unwrap();
        }
        volume
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// As the kubelet's atomic writer: a new directory, a new symlink, a rename, and the old directory goes.
    fn rotate(&mut self, issued: &Issued) {
        let old = self.path(&format!("..{}", self.version));
        self.version += 1;
        let new = format!("..{}", self.version);
        fs::create_dir(self.path(&new)).unwrap();
        fs::write(self.path(&new).join("tls.crt"), &issued.certificate_pem).unwrap();
        fs::write(self.path(&new).join("tls.key"), &issued.key_pem).unwrap();
        symlink(&new, self.path("..data_tmp")).unwrap();
        fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
        drop(fs::remove_dir_all(old));
    }

    fn load(&self) -> (CertificateFiles, spark_swap::server::tls::CertificatePair) {
        CertificateFiles::load(self.path("tls.crt"), self.path("tls.key")).unwrap()
    }
}

fn issue(authority: &Authority) -> Issued {
    authority.issue(&["localhost".to_owned()], validity()).unwrap()
}

/// The certificate that a fresh connection is shown, as PEM without line breaks.
async fn shown(server: &Running) -> String {
    let connection = server.connect().await;
    let (_, tls) = connection.stream.get_ref();
    crate::pem::pem("CERTIFICATE", &tls.peer_certificates().unwrap()[0])
}

fn normal(pem: &str) -> String {
    pem.replace('\r', "")
}

#[tokio::test]
async fn three_rotations_of_a_secret_volume_are_served_without_a_restart() {
    let authority = Authority::new(validity()).unwrap();
    let first = issue(&authority);
    let mut volume = Volume::new(&first);
    let (mut files, pair) = volume.load();
    let server = Setup { certificate: Some((authority.certificate_pem(), pair)), ..Setup::default() }.start();
    let mut open: Tls = server.connect().await;
    assert_eq!(shown(&server).await, normal(&first.certificate_pem));
    for _ in 0..3 {
        let next = issue(&authority);
        volume.rotate(&next);
        let Reload::Replaced(pair) = files.poll() else { panic!("not replaced") };
        server.certificate.replace(pair);
        assert_eq!(shown(&server).await, normal(&next.certificate_pem));
        assert!(matches!(files.poll(), Reload::Unchanged));
        // A connection from before the first rotation goes on.
        assert_eq!(open.post(&review("open", 0)).await.status, 200);
    }
}

#[tokio::test]
async fn the_watch_serves_what_the_files_say_and_counts() {
    let authority = Authority::new(validity()).unwrap();
    let mut volume = Volume::new(&issue(&authority));
    let (files, pair) = volume.load();
    let served = Arc::new(ServedCertificate::new(pair));
    let metrics = Arc::new(Metrics::new());
    let watch = files.watch(Duration::from_millis(1), Arc::clone(&served), Arc::clone(&metrics));
    let watch = tokio::spawn(watch);
    let before = served.expires();
    let later =
        spark_swap::cluster::certificates::authority::Validity::days_from(time::OffsetDateTime::now_utc(), 7);
    volume.rotate(&authority.issue(&["localhost".to_owned()], later).unwrap());
    while served.expires() == before {
        tokio::task::yield_now().await;
    }
    let renewed = served.expires();
    fs::write(volume.path("..data/tls.crt"), "broken").unwrap();
    let failed = r#"spark_swap_certificate_reloads_total{outcome="failed"} 1"#;
    while !metrics.encode().unwrap().contains(failed) {
        tokio::task::yield_now().await;
    }
    assert_eq!(served.expires(), renewed, "the last good pair stays in force");
    assert!(
        metrics.encode().unwrap().contains(r#"spark_swap_certificate_reloads_total{outcome="replaced"} 1"#)
    );
    watch.abort();
}

#[test]
fn a_writer_between_the_two_files_is_waited_for() {
    let authority = Authority::new(validity()).unwrap();
    let volume = Volume::new(&issue(&authority));
    let (mut files, _) = volume.load();
    let next = issue(&authority);
    fs::write(volume.path("..data/tls.crt"), &next.certificate_pem).unwrap();
    assert!(matches!(files.poll(), Reload::Unchanged));
    fs::write(volume.path("..data/tls.key"), &next.key_pem).unwrap();
    assert!(matches!(files.poll(), Reload::Replaced(_)));
}

#[test]
fn a_pair_that_stays_wrong_is_reported_once_per_change() {
    let authority = Authority::new(validity()).unwrap();
    let good = issue(&authority);
    let volume = Volume::new(&good);
    let (mut files, _) = volume.load();
    let mut problems = Vec::new();
    let mut poll = |times: usize| {
        for _ in 0..times {
            match files.poll() {
                Reload::Failed(problem) => problems.push(problem),
                Reload::Unchanged => {}
                Reload::Replaced(_) => panic!("replaced"),
            }
        }
    };
    fs::write(volume.path("..data/tls.key"), issue(&authority).key_pem).unwrap();
    poll(5);
    fs::remove_file(volume.path("..data/tls.key")).unwrap();
    poll(5);
    fs::write(volume.path("..data/tls.key"), &good.key_pem).unwrap();
    poll(2);
    fs::write(volume.path("..data/tls.crt"), "").unwrap();
    poll(5);
    let words = ["does not belong", "No such file", "no certificate"];
    assert_eq!(problems.len(), words.len(), "{problems:?}");
    assert!(problems.iter().zip(words).all(|(problem, word)| problem.contains(word)), "{problems:?}");
}
