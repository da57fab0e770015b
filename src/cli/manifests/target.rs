//! Where the API server finds the webhook: the values of `--url`, `--service`, `--namespace` and `--name`.

use std::net::Ipv6Addr;
use std::num::NonZeroU16;

use clap::Args;
use http::uri::Authority;

use crate::cli::names;
use crate::server::mutate;

/// What spark-swap, its namespace and its Service are called where nothing else is said.
pub(super) const DEFAULT_NAME: &str = "spark-swap";

const DEFAULT_PORT: u16 = 443;

/// Where the API server finds the webhook.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(super) struct Target {
    /// The webhook's URL, as the API server reaches it; without a path, /mutate is added
    #[arg(long, value_parser = parse_url)]
    pub(super) url: Option<String>,
    /// The webhook's Service [default: the Service spark-swap in the namespace of --namespace, port 443]
    #[arg(long, value_name = "NAMESPACE/NAME[:PORT]", value_parser = parse_service)]
    pub(super) service: Option<Service>,
}

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) port: u16,
}

impl Service {
    /// The Service of an installation in this namespace.
    pub(super) fn default_in(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: DEFAULT_NAME.to_owned(), port: DEFAULT_PORT }
    }
}

fn parse_url(text: &str) -> Result<String, String> {
    let expected = || "expected https://HOST[:PORT][/PATH]".to_owned();
    let rest = text.strip_prefix("https://").ok_or_else(expected)?;
    let authority: Authority = rest.split('/').next().unwrap_or_default().parse().map_err(|_| expected())?;
    let host = authority.host();
    let is_host = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty(),
    };
    let is_port = |port: &str| {
        port.starts_with(|digit: char| digit.is_ascii_digit()) && port.parse::<NonZeroU16>().is_ok()
    };
    let is_end = |rest: &str| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
    if !is_host
        || !authority.as_str().strip_prefix(host).is_some_and(is_end)
        || rest.contains(['?', '#', ' '])
    {
        return Err(expected());
    }
    match rest.split_once('/') {
        None => Ok(format!("{text}{}", mutate::PATH)),
        Some((_, "")) => Ok(format!("{}{}", text.trim_end_matches('/'), mutate::PATH)),
        Some(_) => Ok(text.to_owned()),
    }
}

fn parse_service(text: &str) -> Result<Service, String> {
    let expected =
        || "expected NAMESPACE/NAME or NAMESPACE/NAME:PORT, such as spark-swap/spark-swap:443".to_owned();
    let (namespace, rest) = text.split_once('/').ok_or_else(expected)?;
    let (name, port) = match rest.split_once(':') {
        None => (rest, DEFAULT_PORT),
        Some((name, port)) => (name, port.parse().ok().filter(|port| *port > 0).ok_or_else(expected)?),
    };
    let namespace = names::label(namespace).map_err(|_| expected())?;
    let name = names::label(name).map_err(|_| expected())?;
    Ok(Service { namespace, name, port })
}

/// An RFC 1123 subdomain, as names of configurations are.
pub(super) fn parse_dns_name(text: &str) -> Result<String, String> {
    text.split('.').try_for_each(|label| names::label(label).map(drop))?;
    if text.len() > 63 { Err("longer than 63 letters".to_owned()) } else { Ok(text.to_owned()) }
}
