//! The file with the authorities of clients, which somebody else may replace.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::client_certificates::{ClientAuthorities, ClientCertificates};
use super::metrics::{Metrics, ReloadOutcome};
use super::watched::{Reload, Watched, poll_for_ever};

/// A PEM file with certificates of authorities.
#[derive(Debug)]
pub struct ClientCaFile {
    path: PathBuf,
    watched: Watched<Vec<u8>>,
}

impl ClientCaFile {
    /// Reads the file for the first time.
    pub fn load(path: PathBuf) -> Result<(Self, ClientAuthorities), String> {
        let contents = read(&path)?;
        let authorities = authorities(&path, &contents)?;
        Ok((Self { path, watched: Watched::new(contents) }, authorities))
    }

    /// Reads the file again.
    pub fn poll(&mut self) -> Reload<ClientAuthorities> {
        self.watched.look(read(&self.path), |contents| authorities(&self.path, contents))
    }

    /// Polls for ever and lets in whom the file says. The last good authorities stay in force.
    pub async fn watch(self, every: Duration, clients: Arc<ClientCertificates>, metrics: Arc<Metrics>) {
        poll_for_ever(self, every, Self::poll, |authorities| match authorities {
            Ok(authorities) => {
                info!("the authorities of clients were replaced");
                clients.replace(authorities);
                metrics.client_ca_reload(ReloadOutcome::Replaced);
            }
            Err(problem) => {
                warn!(
                    problem,
                    "the authorities of clients cannot be replaced; the last good ones stay in force"
                );
                metrics.client_ca_reload(ReloadOutcome::Failed);
            }
        })
        .await;
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn authorities(path: &Path, contents: &[u8]) -> Result<ClientAuthorities, String> {
    ClientAuthorities::from_pem(contents).map_err(|error| format!("{}: {error}", path.display()))
}
