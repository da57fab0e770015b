//! Logs on stderr, as text or JSON. Never a pod body, never an environment value: the server logs names and numbers
//! only, and of a panic only the place.

use std::io::IsTerminal;

use tracing::error;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, fmt};

/// How logs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// What the API client says of failed requests and watches we say ourselves, once for each outage.
const SAID_BY_US: [&str; 2] = ["kube_client::client::builder", "kube_runtime::watcher"];

/// Starts logging for the whole process, panics included.
pub fn init(format: LogFormat, levels: Targets) -> Result<(), TryInitError> {
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = match format {
        LogFormat::Text => layer.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => {
            layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
    };
    let levels = levels.with_targets(SAID_BY_US.map(|target| (target, LevelFilter::OFF)));
    tracing_subscriber::registry().with(levels).with(layer).try_init()?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "panicked, which is a bug in spark-swap: please report it");
    }));
    Ok(())
}

/// Reads log levels: a level, or `module=level`, separated by commas.
pub fn parse_levels(text: &str) -> Result<Targets, String> {
    let is_level = |level: &str| !level.is_empty() && level.parse::<LevelFilter>().is_ok();
    let fits = text.split(',').all(|directive| match directive.split_once('=') {
        None => is_level(directive),
        Some((module, level)) => !module.is_empty() && is_level(level),
    });
    let expected = "expected off, error, warn, info, debug or trace, or MODULE=LEVEL, separated by commas";
    if fits { text.parse().map_err(|_| expected.to_owned()) } else { Err(expected.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_in_a_level_is_refused_instead_of_silencing_the_log() {
        assert!(parse_levels("info,spark_swap::server=debug").is_ok());
        assert!(parse_levels("WARN").is_ok());
        for wrong in ["inof", "", "info,", "=debug", "spark_swap=loud"] {
            assert!(parse_levels(wrong).is_err(), "{wrong}");
        }
    }
}
