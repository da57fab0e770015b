//! Clients without a certificate that lets them in: counted by reason, and told of now and then.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};
use rustls::{CertificateError, Error};
use tracing::{debug, warn};

use super::metrics::Metrics;
use super::seldom::Seldom;

/// Why a client was not let in: the label `reason` of `spark_swap_clients_refused_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It shows none.
    NoCertificate,
    /// It is from an authority that is not in `--client-ca`.
    UnknownAuthority,
    /// It has none of the names of `--client-name`.
    OtherName,
    /// It is expired or not valid yet.
    OutOfDate,
    /// It is broken or not for clients.
    Unusable,
}

impl Refusal {
    pub(super) const ALL: [Self; 5] =
        [Self::NoCertificate, Self::UnknownAuthority, Self::OtherName, Self::OutOfDate, Self::Unusable];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::UnknownAuthority => "unknown_authority",
            Self::OtherName => "other_name",
            Self::OutOfDate => "out_of_date",
            Self::Unusable => "unusable",
        }
    }
}

impl EncodeLabelValue for Refusal {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.as_str().encode(encoder)
    }
}

/// Takes note of refused clients.
#[derive(Debug)]
pub(super) struct RefusedClients {
    metrics: Arc<Metrics>,
    warned: Seldom,
}

impl RefusedClients {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, warned: Seldom::default() }
    }

    /// Takes note if the handshake failed because of the client's certificate.
    pub(super) fn note(&self, client: &SocketAddr, error: &io::Error) {
        let Some(refusal) = refusal(error) else { return };
        self.metrics.client_refused(refusal);
        let reason = refusal.as_str();
        debug!(%client, reason, "client refused");
        if let Some(before) = self.warned.take_turn() {
            let advice = advice(refusal);
            warn!(%client, reason, before, "client refused: {advice}; see docs/client-certificates.md");
        }
    }
}

fn refusal(error: &io::Error) -> Option<Refusal> {
    use CertificateError as Problem;
    let error = error.get_ref()?.downcast_ref()?;
    Some(match error {
        Error::NoCertificatesPresented => Refusal::NoCertificate,
        Error::InvalidCertificate(problem) => match problem {
            Problem::UnknownIssuer | Problem::BadSignature => Refusal::UnknownAuthority,
            Problem::ApplicationVerificationFailure => Refusal::OtherName,
            Problem::Expired
            | Problem::ExpiredContext { .. }
            | Problem::NotValidYet
            | Problem::NotValidYetContext { .. } => Refusal::OutOfDate,
            _ => Refusal::Unusable,
        },
        _ => return None,
    })
}

const fn advice(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoCertificate => {
            "it shows no certificate; give the API server one with --admission-control-config-file"
        }
        Refusal::UnknownAuthority => "its certificate is from another authority than those of --client-ca",
        Refusal::OtherName => "its certificate has no name that --client-name allows",
        Refusal::OutOfDate => "its certificate is expired or not valid yet",
        Refusal::Unusable => "its certificate is not one for a client (extended key usage clientAuth)",
    }
}
