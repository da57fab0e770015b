//! Which cluster, and as whom: kubeconfig files as kubectl reads them, or the pod's own service account.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fmt, io};

use anyhow::{anyhow, bail, ensure};
use clap::Args;
use http::{HeaderValue, header};
use kube::client::AuthError;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::watches::WATCH_SECONDS;

/// The flags by which a command is told its cluster, as kubectl has them.
#[derive(Args, Clone, Debug, Default)]
pub struct ClusterFlags {
    /// The kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig to use [default: its current-context]
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    pub context: Option<String>,
}

/// The cluster that a command asks. Its client works only in the async runtime that made it.
#[derive(Clone)]
pub struct Cluster {
    /// Gives up when no answer comes.
    pub client: Client,
    /// The API server's URL.
    pub server: String,
    /// The context of the kubeconfig; `None` for a pod's service account.
    pub context: Option<String>,
    /// The namespace where none is named.
    pub namespace: String,
}

/// The cluster that a server watches.
pub struct ServersCluster {
    /// Gives up on a watch that has died.
    pub config: Config,
    /// The namespace of the pod that the server runs in; `None` outside of the cluster.
    pub own_namespace: Option<String>,
}

/// A command that waits longer than this for an answer has lost its API server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What a server's watch has for an answer: a bit longer than one that has nothing to tell lasts. A request that was sent
/// over a connection which died in silence would wait for as long as the kernel sends it again.
const WATCH_ANSWER_TIMEOUT: Duration =
    Duration::from_secs(1).saturating_mul(WATCH_SECONDS.saturating_add(30));

/// Who asks: audit logs show it, and it is the manager of the fields that are written.
const USER_AGENT: &str = concat!("spark-swap/", env!("CARGO_PKG_VERSION"));

/// The token of a pod that may talk to its API server.
const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

impl ClusterFlags {
    /// A flag names the cluster: then it is asked even where other flags say the state.
    pub fn is_given(&self) -> bool {
        self.kubeconfig.is_some() || self.context.is_some()
    }

    /// The cluster of a command: the flags', else that of `$KUBECONFIG` or `~/.kube/config`, else the pod's own;
    /// `None` where there is none.
    ///
    /// # Errors
    /// A kubeconfig that cannot be read or lacks what the flags name.
    pub async fn of_command(&self) -> anyhow::Result<Option<Cluster>> {
        let Some(found) = self.find(env::home_dir().map(|home| home.join(".kube/config"))).await? else {
            return Ok(None);
        };
        let Found { config, context } = found;
        let config = waiting_for(ANSWER_TIMEOUT, config);
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let namespace = config.default_namespace.clone();
        Ok(Some(Cluster { client: client(config)?, server, context, namespace }))
    }

    /// The cluster of a server: the flags', else that of `$KUBECONFIG`, else the pod's own; `None` where there is none.
    /// The user's `~/.kube/config` is left alone: a server that is tried out must not watch what its owner used last.
    ///
    /// # Errors
    /// A kubeconfig that cannot be read or lacks what the flags name.
    pub async fn of_server(&self) -> anyhow::Result<Option<ServersCluster>> {
        let Some(Found { config, context }) = self.find(None).await? else { return Ok(None) };
        let own_namespace = context.is_none().then(|| config.default_namespace.clone());
        Ok(Some(ServersCluster { config: waiting_for(WATCH_ANSWER_TIMEOUT, config), own_namespace }))
    }

    /// The cluster of [`Self::of_command`], for a command that needs one.
    ///
    /// # Errors
    /// As [`Self::of_command`]; also when there is no cluster.
    pub async fn connect(&self) -> anyhow::Result<Cluster> {
        match self.of_command().await? {
            Some(cluster) => Ok(cluster),
            None => bail!(NO_CLUSTER),
        }
    }

    async fn find(&self, fallback: Option<PathBuf>) -> anyhow::Result<Option<Found>> {
        let kubeconfig = match &self.kubeconfig {
            Some(path) => Some(read(path)?),
            None => kubeconfig_of_user(fallback)?,
        };
        let context = self.context.clone();
        if let (Some(path), Some(found), None) = (&self.kubeconfig, &kubeconfig, &context) {
            ensure!(
                has_context(found),
                "--kubeconfig {}: has no current-context; name a context of it with --context",
                path.display()
            );
        }
        let Some(kubeconfig) = kubeconfig.filter(|found| context.is_some() || has_context(found)) else {
            return match context {
                Some(context) => bail!(
                    "--context {context}: there is no kubeconfig; name one with --kubeconfig or $KUBECONFIG"
                ),
                None => Ok(service_account()?.map(|config| Found { config, context: None })),
            };
        };
        let context = context.or_else(|| kubeconfig.current_context.clone());
        let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        Ok(Some(Found { config: config.map_err(|error| anyhow!("kubeconfig: {error}"))?, context }))
    }
}

/// Gives up when no answer comes in this time, counted from when the request was sent.
fn waiting_for(answer: Duration, mut config: Config) -> Config {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(answer);
    config.reset_reader_on_write = true;
    config
}

/// What somebody is told who names no cluster where one is needed.
pub const NO_CLUSTER: &str = "no cluster: there is no kubeconfig; name one with --kubeconfig or $KUBECONFIG";

/// A cluster, and the context it is from.
struct Found {
    config: Config,
    context: Option<String>,
}

/// `https://10.0.0.1:6443 (context prod)`.
impl fmt::Display for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.context {
            Some(context) => write!(formatter, "{} (context {context})", self.server),
            None => write!(formatter, "{} (service account of this pod)", self.server),
        }
    }
}

/// Why a request failed, for people: the API server's own words, else what is at the bottom of it.
pub fn cause(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error
        && !status.message.is_empty()
    {
        return status.message.clone();
    }
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
        // What lies below says less: "No such file or directory" of a credential plugin.
        if cause.is::<AuthError>() {
            break;
        }
    }
    match cause.downcast_ref::<io::Error>() {
        Some(error) if error.kind() == io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        _ => cause.to_string(),
    }
}

/// A client that waits for answers as long as the configuration says.
///
/// # Errors
/// TLS or credentials that cannot be set up.
pub fn client(mut config: Config) -> anyhow::Result<Client> {
    config.headers.push((header::USER_AGENT, HeaderValue::from_static(USER_AGENT)));
    let server = config.cluster_url.clone();
    Client::try_from(config).map_err(|error| anyhow!("{server}: {error}"))
}

fn read(path: &Path) -> anyhow::Result<Kubeconfig> {
    Kubeconfig::read_from(path).map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// `$KUBECONFIG` may name several files, of which the first one that sets a value wins; as for kubectl, files that are
/// not there are passed over.
fn kubeconfig_of_user(fallback: Option<PathBuf>) -> anyhow::Result<Option<Kubeconfig>> {
    let paths: Vec<PathBuf> = match env::var_os("KUBECONFIG").filter(|value| !value.is_empty()) {
        Some(value) => env::split_paths(&value).collect(),
        None => fallback.into_iter().collect(),
    };
    let mut merged: Option<Kubeconfig> = None;
    for path in paths.iter().filter(|path| path.is_file()) {
        let next = read(path)?;
        merged = Some(match merged {
            Some(first) => first.merge(next).map_err(|error| anyhow!("{}: {error}", path.display()))?,
            None => next,
        });
    }
    Ok(merged)
}

/// Without one a kubeconfig names no cluster: it is as good as none.
fn has_context(kubeconfig: &Kubeconfig) -> bool {
    kubeconfig.current_context.as_ref().is_some_and(|context| !context.is_empty())
}

fn service_account() -> anyhow::Result<Option<Config>> {
    if env::var_os("KUBERNETES_SERVICE_HOST").is_none() || !Path::new(SERVICE_ACCOUNT_TOKEN).exists() {
        return Ok(None);
    }
    Ok(Some(Config::incluster().map_err(|error| anyhow!("service account: {error}"))?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn flags(directory: &TempDir, kubeconfig: &str) -> ClusterFlags {
        let path = directory.path().join("kubeconfig");
        fs::write(&path, kubeconfig).unwrap();
        ClusterFlags { kubeconfig: Some(path), context: None }
    }

    const CONTEXTS: &str = "{apiVersion: v1, kind: Config, clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], \
                            contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: {}}]";

    #[tokio::test]
    async fn a_kubeconfig_that_is_named_and_says_no_cluster_is_not_passed_over() {
        let directory = TempDir::new().unwrap();
        let flags = flags(&directory, &format!("{CONTEXTS}}}"));
        for problem in [flags.of_server().await.err(), flags.of_command().await.err()] {
            let problem = problem.unwrap().to_string();
            assert!(
                problem.ends_with("has no current-context; name a context of it with --context"),
                "{problem}"
            );
        }
        let named = ClusterFlags { context: Some("a".to_owned()), ..flags };
        assert_eq!(named.of_command().await.unwrap().unwrap().context.as_deref(), Some("a"));
    }

    #[tokio::test]
    async fn a_server_gives_up_on_an_answer_only_after_a_watch_that_has_nothing_to_tell() {
        let directory = TempDir::new().unwrap();
        let flags = flags(&directory, &format!("{CONTEXTS}, current-context: a}}"));
        let timeout = flags.of_server().await.unwrap().unwrap().config.read_timeout;
        assert!(timeout > Some(Duration::from_secs(WATCH_SECONDS.into())), "{timeout:?}");
    }
}
