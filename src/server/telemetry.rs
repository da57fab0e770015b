//! Logs on stderr, as text or JSON. Never a pod body, never an environment value: the server logs names and numbers
//! only, and of a panic only the place.

use std::io::IsTerminal;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::{error, info};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt, reload};

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

/// What is logged: a level, or `MODULE=LEVEL`, separated by commas.
#[derive(Clone, Debug)]
pub struct LogLevels {
    text: String,
    targets: Targets,
}

/// The levels of a running process, which may be changed. Clones are the same.
#[derive(Clone, Debug)]
pub struct LogLevel {
    current: Arc<Mutex<String>>,
    filter: reload::Handle<Targets, Registry>,
}

impl LogLevel {
    /// The levels to start with, and the filter that follows them.
    pub fn new(levels: LogLevels) -> (Self, reload::Layer<Targets, Registry>) {
        let (layer, filter) = reload::Layer::new(levels.filter());
        (Self { current: Arc::new(Mutex::new(levels.text)), filter }, layer)
    }

    /// As they were written.
    pub fn current(&self) -> String {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on.
    ///
    /// # Errors
    /// The process does not log any more.
    pub fn change(&self, levels: LogLevels) -> Result<(), reload::Error> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        self.filter.reload(levels.filter())?;
        let before = std::mem::replace(&mut *current, levels.text);
        info!(before, levels = *current, "log levels changed");
        Ok(())
    }
}

impl LogLevels {
    fn filter(&self) -> Targets {
        self.targets.clone().with_targets(SAID_BY_US.map(|target| (target, LevelFilter::OFF)))
    }
}

impl FromStr for LogLevels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_level = |level: &str| !level.is_empty() && level.parse::<LevelFilter>().is_ok();
        let fits = text.split(',').all(|directive| match directive.split_once('=') {
            None => is_level(directive),
            Some((module, level)) => !module.is_empty() && is_level(level),
        });
        let targets = text.parse().ok().filter(|_| fits);
        let targets = targets.ok_or_else(|| {
            "expected off, error, warn, info, debug or trace, or MODULE=LEVEL, separated by commas".to_owned()
        })?;
        Ok(Self { text: text.to_owned(), targets })
    }
}

/// Starts logging for the whole process, panics included.
pub fn init(format: LogFormat, levels: LogLevels) -> Result<LogLevel, TryInitError> {
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = match format {
        LogFormat::Text => layer.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => {
            layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
    };
    let (level, filter) = LogLevel::new(levels);
    tracing_subscriber::registry().with(filter).with(layer).try_init()?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "panicked, which is a bug in spark-swap: please report it");
    }));
    Ok(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_in_a_level_is_refused_instead_of_silencing_the_log() {
        assert!("info,spark_swap::server=debug".parse::<LogLevels>().is_ok());
        assert!("WARN".parse::<LogLevels>().is_ok());
        for wrong in ["inof", "", "info,", "=debug", "spark_swap=loud"] {
            assert!(wrong.parse::<LogLevels>().is_err(), "{wrong}");
        }
    }
}
