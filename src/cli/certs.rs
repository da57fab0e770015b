//! `spark-swap certs`: a development authority and a server certificate; or a client certificate for the API server.

mod client;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use time::OffsetDateTime;

use super::files::{PUBLIC, SECRET, write_atomically};
use super::{Failure, print};
use crate::cluster::certificates::authority::{Authority, DEFAULT_NAMES, Validity, check_name};
use client::ClientFlags;

/// Make a development certificate authority and a server certificate.
///
/// Writes ca.crt, ca.key, tls.crt and tls.key (ECDSA P-256; keys readable for the owner only). They are for development
/// and for clusters without cert-manager; `serve` makes its own certificate when it gets none. With --client it writes
/// what the API server needs to show a certificate of its own: client-ca.crt, client-ca.key, client.crt, client.key,
/// webhook-kubeconfig.yaml and admission-configuration.yaml.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Certs {
    /// The directory to write to; made if it does not exist
    #[arg(long, value_name = "DIRECTORY", default_value = "certs")]
    out: PathBuf,
    /// A further name of the server: DNS name or IP address, repeatable or separated by commas
    #[arg(long = "san", value_name = "NAME", value_delimiter = ',', value_parser = parse_name)]
    names: Vec<String>,
    /// How long the certificates are valid
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Overwrite files that are there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    client: ClientFlags,
}

const EXAMPLES: &str = "\
The certificate is valid for localhost, 127.0.0.1, ::1, spark-swap.spark-swap.svc and what --san adds.

Examples:
  spark-swap certs
  spark-swap serve --tls-cert certs/tls.crt --tls-key certs/tls.key
  spark-swap certs --out /tmp/certs --san spark-swap.tools.svc --san 10.0.0.7 --days 30
  spark-swap certs --client --out mtls --api-server-dir /etc/kubernetes/spark-swap";

impl Certs {
    /// Runs the command.
    pub fn run(self) -> Result<(), Failure> {
        let Self { out, names, days, force, client } = self;
        let validity = Validity::days_from(OffsetDateTime::now_utc(), days);
        if client.is_wanted() {
            return client.run(&out, validity, days, force);
        }
        make_directory(&out)?;
        let paths = ["ca.crt", "ca.key", "tls.crt", "tls.key"].map(|name| out.join(name));
        refuse_to_overwrite(&paths, force)?;
        let names: Vec<String> = DEFAULT_NAMES.iter().copied().map(str::to_owned).chain(names).collect();
        let made =
            Authority::new(validity).and_then(|ca| ca.issue(&names, validity).map(|issued| (ca, issued)));
        let (ca, issued) = made.map_err(|error| Failure::bad_input("making the certificates", error))?;

        let [ca_crt, ca_key, tls_crt, tls_key] = &paths;
        write(ca_key, &Made::Secret(ca.key_pem()))?;
        write(ca_crt, &Made::Public(ca.certificate_pem()))?;
        write(tls_key, &Made::Secret(issued.key_pem))?;
        write(tls_crt, &Made::Public(issued.certificate_pem))?;

        let [ca_crt, ca_key, tls_crt, tls_key] = paths.each_ref().map(|path| path.display());
        print(&format!(
            "wrote {ca_crt}, {ca_key}, {tls_crt} and {tls_key}, valid for {days} days\n\
             next: spark-swap serve --tls-cert {tls_crt} --tls-key {tls_key}\n      \
             spark-swap manifests --url https://localhost:8443/mutate --ca {ca_crt} --only webhook\n"
        ))
    }
}

/// Checks a name and passes it on, for clap.
pub fn parse_name(name: &str) -> Result<String, String> {
    check_name(name).map(|()| name.to_owned())
}

fn make_directory(out: &Path) -> Result<(), Failure> {
    fs::create_dir_all(out).map_err(|error| Failure::bad_input(out.display(), error))
}

fn refuse_to_overwrite(paths: &[PathBuf], force: bool) -> Result<(), Failure> {
    match paths.iter().find(|path| !force && path.exists()) {
        None => Ok(()),
        Some(path) => {
            let advice = format!("exists; --force overwrites all {} files", paths.len());
            Err(Failure::bad_input(path.display(), advice))
        }
    }
}

/// The contents of a file, and who may read them.
enum Made {
    Public(String),
    Secret(String),
}

fn write(path: &Path, contents: &Made) -> Result<(), Failure> {
    let (text, mode) = match contents {
        Made::Public(text) => (text, PUBLIC),
        Made::Secret(text) => (text, SECRET),
    };
    write_atomically(path, text.as_bytes(), mode).map_err(|error| Failure::bad_input(path.display(), error))
}

/// A string in YAML or on a command line, with quotes only where it needs them.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    serde_json::to_string(text).unwrap_or_default()
}
