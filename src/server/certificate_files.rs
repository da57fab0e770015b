//! Certificate and key from files that somebody else renews.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::metrics::{Metrics, ReloadOutcome};
use super::tls::{CertificatePair, ServedCertificate};
use super::watched::{Watched, poll_for_ever};

pub use super::watched::{POLL_INTERVAL, Reload};

/// A certificate file and a key file.
#[derive(Debug)]
pub struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    watched: Watched<Contents>,
}

impl CertificateFiles {
    /// Reads the pair for the first time.
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<(Self, CertificatePair), String> {
        let contents = Contents::read(&certificate, &key)?;
        let pair = contents.pair(&certificate, &key)?;
        Ok((Self { certificate, key, watched: Watched::new(contents) }, pair))
    }

    /// Reads the files again.
    pub fn poll(&mut self) -> Reload<CertificatePair> {
        let read = Contents::read(&self.certificate, &self.key);
        self.watched.look(read, |contents| contents.pair(&self.certificate, &self.key))
    }

    /// Polls for ever and serves what it finds. The last good pair stays in force.
    pub async fn watch(self, every: Duration, served: Arc<ServedCertificate>, metrics: Arc<Metrics>) {
        poll_for_ever(self, every, Self::poll, |pair| match pair {
            Ok(pair) => {
                info!(expires = pair.expires(), "the certificate was renewed");
                served.replace(pair);
                metrics.certificate_reload(ReloadOutcome::Replaced);
            }
            Err(problem) => {
                warn!(problem, "the certificate cannot be renewed; the last good one stays in force");
                metrics.certificate_reload(ReloadOutcome::Failed);
            }
        })
        .await;
    }
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
