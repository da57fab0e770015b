//! The flags that say which TLS is spoken, and with whom.

use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use crate::cli::Failure;
use crate::server::client_ca_file::ClientCaFile;
use crate::server::client_certificates::ClientCertificates;
use crate::server::tls::{MinVersion, TlsPolicy};

#[derive(Args, Debug)]
pub(super) struct TlsFlags {
    /// The oldest version of TLS that is spoken. Every API server speaks 1.3
    #[arg(
        long, value_name = "VERSION", value_enum, default_value_t = Version::Tls13, env = "SPARK_SWAP_TLS_MIN_VERSION"
    )]
    tls_min_version: Version,
    /// Let in only clients with a certificate of these authorities (PEM), which the API server then has to show:
    /// docs/client-certificates.md. Read again by content every 5 s
    #[arg(long, value_name = "FILE", env = "SPARK_SWAP_CLIENT_CA")]
    client_ca: Option<PathBuf>,
    /// Of these clients only those with this name: common name, DNS name or URI of the certificate; repeatable
    #[arg(
        long, value_name = "NAME", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new(),
        requires = "client_ca", env = "SPARK_SWAP_CLIENT_NAME"
    )]
    client_name: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Version {
    #[value(name = "1.3")]
    Tls13,
    #[value(name = "1.2")]
    Tls12,
}

impl TlsFlags {
    /// The policy, and the file to watch where one says who may call.
    pub(super) fn policy(&self) -> Result<(TlsPolicy, Option<ClientCaFile>), Failure> {
        let min_version = match self.tls_min_version {
            Version::Tls13 => MinVersion::Tls13,
            Version::Tls12 => MinVersion::Tls12,
        };
        let Some(path) = &self.client_ca else {
            return Ok((TlsPolicy { min_version, clients: None }, None));
        };
        let (file, authorities) =
            ClientCaFile::load(path.clone()).map_err(|problem| Failure::bad_input("--client-ca", problem))?;
        let clients = ClientCertificates::new(authorities, self.client_name.clone())
            .map_err(|error| Failure::bad_input("making a certificate", error))?;
        Ok((TlsPolicy { min_version, clients: Some(Arc::new(clients)) }, Some(file)))
    }
}
