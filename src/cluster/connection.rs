//! Which cluster, and as whom: kubeconfig files as kubectl reads them, or the pod's own service account.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Args;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

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

/// A command that waits longer than this for an answer has lost its API server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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
    pub async fn of_command(&self) -> anyhow::Result<Option<Config>> {
        self.find(env::home_dir().map(|home| home.join(".kube/config"))).await
    }

    /// The cluster of a server: the flags', else that of `$KUBECONFIG`, else the pod's own; `None` where there is none.
    /// The user's `~/.kube/config` is left alone: a server that is tried out must not watch what its owner used last.
    ///
    /// # Errors
    /// A kubeconfig that cannot be read or lacks what the flags name.
    pub async fn of_server(&self) -> anyhow::Result<Option<Config>> {
        self.find(None).await
    }

    /// A client for the cluster of [`Self::of_command`] that gives up when no answer comes.
    ///
    /// # Errors
    /// As [`Self::of_command`]; also when there is no cluster.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        let Some(mut config) = self.of_command().await? else {
            bail!("no cluster: there is no kubeconfig; name one with --kubeconfig or $KUBECONFIG");
        };
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(ANSWER_TIMEOUT);
        config.reset_reader_on_write = true;
        client(config)
    }

    async fn find(&self, fallback: Option<PathBuf>) -> anyhow::Result<Option<Config>> {
        let kubeconfig = match &self.kubeconfig {
            Some(path) => Some(read(path)?),
            None => kubeconfig_of_user(fallback)?,
        };
        let context = self.context.clone();
        let Some(kubeconfig) = kubeconfig.filter(|found| context.is_some() || has_context(found)) else {
            return match context {
                Some(context) => bail!(
                    "--context {context}: there is no kubeconfig; name one with --kubeconfig or $KUBECONFIG"
                ),
                None => service_account(),
            };
        };
        let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        Ok(Some(config.map_err(|error| anyhow!("kubeconfig: {error}"))?))
    }
}

/// A client that waits for answers as long as the configuration says.
///
/// # Errors
/// TLS or credentials that cannot be set up.
pub fn client(config: Config) -> anyhow::Result<Client> {
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
