//! What the API server needs to show a client certificate: the certificate, and the two files that make it do so.

use std::path::{Path, PathBuf, absolute};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::{Made, make_directory, quoted, refuse_to_overwrite, write};
use crate::cli::{Failure, print};
use crate::cluster::certificates::authority::{Authority, Validity};

#[derive(Args, Debug)]
pub(super) struct ClientFlags {
    /// Instead, make what the API server needs to show a client certificate, for `serve --client-ca`
    #[arg(long, conflicts_with = "names")]
    client: bool,
    /// The common name of the client certificate, for `serve --client-name`
    #[arg(
        long, value_name = "NAME", default_value = "kube-apiserver", requires = "client",
        value_parser = NonEmptyStringValueParser::new()
    )]
    client_name: String,
    /// To whom the API server shows it: NAME.NAMESPACE.svc of the webhook's Service, or the host of its URL; with :PORT
    /// where that is not 443; repeatable
    #[arg(
        long, value_name = "HOST[:PORT]", value_delimiter = ',', default_value = "spark-swap.spark-swap.svc",
        requires = "client", value_parser = NonEmptyStringValueParser::new()
    )]
    webhook: Vec<String>,
    /// Where the API server will find the files [default: the directory they are written to]
    #[arg(long, value_name = "DIRECTORY", requires = "client")]
    api_server_dir: Option<PathBuf>,
}

impl ClientFlags {
    pub(super) fn is_wanted(&self) -> bool {
        self.client
    }

    pub(super) fn run(self, out: &Path, validity: Validity, days: u32, force: bool) -> Result<(), Failure> {
        make_directory(out)?;
        let names = [
            "client-ca.crt",
            "client-ca.key",
            "client.crt",
            "client.key",
            "webhook-kubeconfig.yaml",
            "admission-configuration.yaml",
        ];
        let paths = names.map(|name| out.join(name));
        refuse_to_overwrite(&paths, force)?;
        let directory = absolute(self.api_server_dir.as_deref().unwrap_or(out))
            .map_err(|error| Failure::bad_input("--api-server-dir", error))?;
        let at = |name: &str| quoted(&directory.join(name).display().to_string());
        let made = Authority::of_clients(validity)
            .and_then(|ca| ca.issue_client(&self.client_name, validity).map(|issued| (ca, issued)));
        let (ca, issued) = made.map_err(|error| Failure::bad_input("making the certificates", error))?;

        let [ca_crt, ca_key, crt, key, kubeconfig, admission] = &paths;
        write(ca_key, &Made::Secret(ca.key_pem()))?;
        write(ca_crt, &Made::Public(ca.certificate_pem()))?;
        write(key, &Made::Secret(issued.key_pem))?;
        write(crt, &Made::Public(issued.certificate_pem))?;
        write(kubeconfig, &Made::Public(kubeconfig_of(&self.webhook, &at("client.crt"), &at("client.key"))))?;
        write(admission, &Made::Public(admission_configuration(&at("webhook-kubeconfig.yaml"))))?;

        let (out, ca_crt) = (out.display(), ca_crt.display());
        let (name, admission) = (quoted(&self.client_name), directory.join("admission-configuration.yaml"));
        print(&format!(
            "wrote {} to {out}, valid for {days} days\n\
             next: kube-apiserver --admission-control-config-file={}\n      \
             spark-swap serve --client-ca {ca_crt} --client-name {name}\n",
            names.join(", "),
            admission.display()
        ))
    }
}

/// The API server takes the user whose name is the webhook's host. It reads certificate and key again by itself.
fn kubeconfig_of(webhooks: &[String], certificate: &str, key: &str) -> String {
    let user = |name: &String| {
        let name = quoted(name);
        format!("- name: {name}\n  user:\n    client-certificate: {certificate}\n    client-key: {key}\n")
    };
    format!("apiVersion: v1\nkind: Config\nusers:\n{}", webhooks.iter().map(user).collect::<String>())
}

fn admission_configuration(kubeconfig: &str) -> String {
    format!(
        "\
# For kube-apiserver --admission-control-config-file. It has one such file: add the plugin to yours if there is one.
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: MutatingAdmissionWebhook
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: WebhookAdmissionConfiguration
    kubeConfigFile: {kubeconfig}
"
    )
}
