//! The objects that are printed as they are written in `manifests/base`, with the reasons beside them: what spark-swap
//! may do, and the server. Only names are put in their place.

use super::target::{DEFAULT_NAME, Service};

const RBAC: &str = include_str!("../../../manifests/base/rbac.yaml");
const PRIORITY_CLASS: &str = include_str!("../../../manifests/base/priorityclass.yaml");
const SECRET: &str = include_str!("../../../manifests/base/secret.yaml");
const SERVICE: &str = include_str!("../../../manifests/base/service.yaml");
const DEPLOYMENT: &str = include_str!("../../../manifests/base/deployment.yaml");
const DISRUPTION_BUDGET: &str = include_str!("../../../manifests/base/poddisruptionbudget.yaml");
const NETWORK_POLICY: &str = include_str!("../../../manifests/base/networkpolicy.yaml");

/// The image that the Deployment names where nothing else is said.
const IMAGE: &str = concat!("spark-swap:", env!("CARGO_PKG_VERSION"));

/// What an installation calls its parts.
pub(super) struct Names<'a> {
    pub(super) namespace: &'a str,
    pub(super) service: Service,
    /// Of the webhook configuration.
    pub(super) configuration: &'a str,
    /// Of the container image, if another one.
    pub(super) image: Option<&'a str>,
}

impl Names<'_> {
    /// Namespace, ServiceAccount, roles and their bindings.
    pub(super) fn rbac(&self) -> String {
        let text = RBAC.replace(
            &format!("resourceNames: [{DEFAULT_NAME}]\n"),
            &format!("resourceNames: [{}]\n", quoted(self.configuration)),
        );
        // The first name is that of the Namespace itself.
        self.in_namespace(&named(&text, self.namespace))
    }

    /// Whatever runs the webhook, and guards it.
    pub(super) fn server(&self) -> String {
        let service = named(SERVICE, &self.service.name)
            .replace("  port: 443\n", &format!("  port: {}\n", self.service.port));
        [PRIORITY_CLASS, SECRET, &service, &self.deployment(), DISRUPTION_BUDGET, NETWORK_POLICY]
            .map(|text| self.in_namespace(text))
            .join("---\n")
    }

    fn deployment(&self) -> String {
        let others = [("service-name", &*self.service.name), ("webhook-configuration", self.configuration)]
            .into_iter()
            .filter(|(_, name)| *name != DEFAULT_NAME)
            .map(|(flag, name)| format!("            - --{flag}={name}\n"));
        let arguments: String = std::iter::once("            - serve\n".to_owned()).chain(others).collect();
        let text = DEPLOYMENT.replace("            - serve\n", &arguments);
        match self.image {
            Some(image) => text.replace(&format!("image: {IMAGE}\n"), &format!("image: {}\n", quoted(image))),
            None => text,
        }
    }

    fn in_namespace(&self, text: &str) -> String {
        let namespace = |name: &str| format!("namespace: {name}\n");
        text.replace(&namespace(DEFAULT_NAME), &namespace(&quoted(self.namespace)))
    }
}

/// The first object with another name.
fn named(text: &str, name: &str) -> String {
    text.replacen(&format!("  name: {DEFAULT_NAME}\n"), &format!("  name: {}\n", quoted(name)), 1)
}

/// In quotes, for a name may be `5` or `no`. None has a character that they would not hold.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// The reference of an image, as far as it has to fit into a manifest; the rest is up to the container runtime.
pub(super) fn parse_image(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./:@".contains(letter));
    fits.then(|| text.to_owned()).ok_or_else(|| "expected [REGISTRY/]NAME[:TAG][@DIGEST]".to_owned())
}
