//! Puts the certificate in force, and starts what keeps it renewed.

use std::path::Path;
use std::sync::Arc;

use kube::Client;
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tracing::{error, warn};

use super::certificate_flags::{Certificate, Source};
use crate::cli::files::{PUBLIC, write_atomically};
use crate::cli::{Failure, print};
use crate::cluster::certificates::authority::{Authority, DEFAULT_NAMES, Validity};
use crate::server::certificate_files::{self, CertificateFiles};
use crate::server::certificate_secret::CertificateSecret;
use crate::server::metrics::Metrics;
use crate::server::published;
use crate::server::self_managed::SelfManaged;
use crate::server::tls::{CertificatePair, ServedCertificate};
use crate::server::trust::{Authorities, Trust};

/// The certificate that is served from now on, or as soon as its Secret was read.
pub(super) fn serve(
    certificate: Certificate,
    client: Option<Client>,
    metrics: &Arc<Metrics>,
    tasks: &mut JoinSet<()>,
) -> Result<Arc<ServedCertificate>, Failure> {
    let Certificate { source, webhook_configuration } = certificate;
    let served = Arc::new(ServedCertificate::default());
    let (to, count) = (Arc::clone(&served), Arc::clone(metrics));
    let watched = webhook_configuration.clone().zip(client.clone());
    match (source, client) {
        (Source::Files { certificate, key }, _) => {
            let (files, pair) = CertificateFiles::load(certificate, key).map_err(Failure::BadInput)?;
            served.replace(pair);
            tasks.spawn(files.watch(certificate_files::POLL_INTERVAL, to, count));
        }
        (Source::Secret(secret), Some(client)) => {
            tasks.spawn(CertificateSecret::new(secret, to, count).watch(client));
        }
        (Source::SelfManaged(settings), Some(client)) => {
            let names = settings.policy.names.clone();
            let managed = SelfManaged::new(settings, Arc::clone(&to), count);
            tasks.spawn(async move {
                let nothing_installed = managed.run(client).await;
                warn!(
                    reason = nothing_installed,
                    "nothing is installed in this cluster; serving a certificate that is in memory only, its authority is on stdout"
                );
                if let Err(Failure::BadInput(problem) | Failure::No(problem)) = in_memory(&to, &names, None) {
                    error!(problem, "there is no certificate in memory either");
                    return;
                }
                std::future::pending::<()>().await;
            });
            return Ok(served);
        }
        (Source::Memory { names, write_ca }, _) => in_memory(&served, &names, write_ca.as_deref())?,
        (Source::Secret(_) | Source::SelfManaged(_), None) => {
            return Err(Failure::BadInput("--tls-source: there is no cluster".to_owned()));
        }
    }
    if let Some((name, client)) = watched {
        tasks.spawn(published::watch(client, name, Arc::clone(&served), Arc::clone(metrics)));
    }
    Ok(served)
}

/// Serves a certificate that lasts as long as the process. Its authority is written or printed.
fn in_memory(served: &ServedCertificate, names: &[String], write_ca: Option<&Path>) -> Result<(), Failure> {
    let (authority, pair) =
        self_made(names).map_err(|problem| Failure::bad_input("making a certificate", problem))?;
    let own = Authorities::from_pem("our own authority", authority.as_bytes()).map_err(Failure::BadInput)?;
    match write_ca {
        Some(path) => write_atomically(path, authority.as_bytes(), PUBLIC)
            .map_err(|error| Failure::bad_input(format_args!("--write-ca {}", path.display()), error))?,
        None => print(&authority)?,
    }
    served.replace(pair);
    served.judge_by(Trust::In(own, "localhost".to_owned()));
    Ok(())
}

/// The authority's certificate and a pair it issued. Valid for ten years: both are made anew at every start.
fn self_made(names: &[String]) -> Result<(String, CertificatePair), String> {
    let names: Vec<String> =
        DEFAULT_NAMES.iter().map(|&name| name.to_owned()).chain(names.iter().cloned()).collect();
    let validity = Validity::days_from(OffsetDateTime::now_utc(), 3650);
    let authority = Authority::new(validity).map_err(|error| error.to_string())?;
    let issued = authority.issue(&names, validity).map_err(|error| error.to_string())?;
    let pair = CertificatePair::from_pem(issued.certificate_pem.as_bytes(), issued.key_pem.as_bytes())
        .map_err(|error| error.to_string())?;
    Ok((authority.certificate_pem(), pair))
}
