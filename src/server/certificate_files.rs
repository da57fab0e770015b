//! Certificate and key from files that somebody else renews: read by content every few seconds.
//!
//! Polling instead of inotify, because the kubelet swaps a `..data` symlink: a watch on the file sees the first
//! rotation at most. Whatever the path leads to now is what counts, for any number of rotations.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::metrics::{Metrics, ReloadOutcome};
use super::tls::{CertificatePair, ServedCertificate};

/// How often the files are read.
pub const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// A certificate file and a key file.
#[derive(Debug)]
pub struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    in_force: Contents,
    suspect: Option<Suspect>,
}

impl CertificateFiles {
    /// Reads the pair for the first time.
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<(Self, CertificatePair), String> {
        let in_force = Contents::read(&certificate, &key)?;
        let pair = in_force.pair(&certificate, &key)?;
        Ok((Self { certificate, key, in_force, suspect: None }, pair))
    }

    /// Reads the files again. A pair that does not fit is reported when it is seen twice in a row, and then not again
    /// until something changes: a writer may be between the two files.
    pub fn poll(&mut self) -> Reload {
        let read = Contents::read(&self.certificate, &self.key);
        let pair = match &read {
            Ok(contents) if *contents == self.in_force => {
                self.suspect = None;
                return Reload::Unchanged;
            }
            Ok(contents) => contents.pair(&self.certificate, &self.key),
            Err(problem) => Err(problem.clone()),
        };
        match pair {
            Ok(pair) => {
                self.suspect = None;
                if let Ok(contents) = read {
                    self.in_force = contents;
                }
                Reload::Replaced(pair)
            }
            Err(problem) => self.suspect(read, problem),
        }
    }

    /// Polls for ever and serves what it finds. The last good pair stays in force.
    pub async fn watch(mut self, every: Duration, served: Arc<ServedCertificate>, metrics: Arc<Metrics>) {
        loop {
            tokio::time::sleep(every).await;
            let polled = tokio::task::spawn_blocking(move || {
                let reload = self.poll();
                (self, reload)
            });
            let reload = match polled.await {
                Ok((files, reload)) => {
                    self = files;
                    reload
                }
                Err(panic) => {
                    error!(error = %panic, "reading the certificate failed; it is not renewed any more");
                    return;
                }
            };
            match reload {
                Reload::Unchanged => {}
                Reload::Replaced(pair) => {
                    info!(expires = pair.expires(), "the certificate was renewed");
                    served.replace(pair);
                    metrics.certificate_reload(ReloadOutcome::Replaced);
                }
                Reload::Failed(problem) => {
                    warn!(problem, "the certificate cannot be renewed; the last good one stays in force");
                    metrics.certificate_reload(ReloadOutcome::Failed);
                }
            }
        }
    }

    fn suspect(&mut self, read: Result<Contents, String>, problem: String) -> Reload {
        match &mut self.suspect {
            Some(suspect) if suspect.read == read => {
                if std::mem::replace(&mut suspect.is_reported, true) {
                    return Reload::Unchanged;
                }
                Reload::Failed(problem)
            }
            suspect => {
                *suspect = Some(Suspect { read, is_reported: false });
                Reload::Unchanged
            }
        }
    }
}

/// What a poll found.
#[derive(Debug)]
pub enum Reload {
    /// Nothing new.
    Unchanged,
    /// A new pair that fits.
    Replaced(CertificatePair),
    /// Something new that is no pair; reported once.
    Failed(String),
}

/// The bytes of both files.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    fn read(certificate: &Path, key: &Path) -> Result<Self, String> {
        let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        Ok(Self { certificate: read(certificate)?, key: read(key)? })
    }

    fn pair(&self, certificate: &Path, key: &Path) -> Result<CertificatePair, String> {
        CertificatePair::from_pem(&self.certificate, &self.key).map_err(|error| {
            let path = if error.is_about_key() { key } else { certificate };
            format!("{}: {error}", path.display())
        })
    }
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Contents { .. }")
    }
}

/// Contents that are no pair, and whether somebody was told.
#[derive(Debug)]
struct Suspect {
    read: Result<Contents, String>,
    is_reported: bool,
}
