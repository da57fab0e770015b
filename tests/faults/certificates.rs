//! Where replicas have their certificate from. A further way to have one is a further [`CertificateMode`], and an entry
//! in [`modes`].

mod cert_manager;
mod files;
mod self_managed;

use std::path::Path;

use crate::api::Api;
use crate::control_plane::ControlPlane;
use crate::replica::Replica;

pub(crate) trait CertificateMode {
    fn name(&self) -> &'static str;

    /// What has to be in the cluster before the webhook configuration.
    fn install(&mut self, _cluster: &'static ControlPlane) {}

    /// The authority (PEM) to install the webhook configuration with; none where the mode brings it there itself.
    fn installed_ca(&self) -> Option<&str>;

    /// The webhook configuration is there now.
    fn registered(&mut self, _cluster: &'static ControlPlane) {}

    /// What a replica of this name is started with.
    fn flags(&mut self, replica: &str) -> Vec<String>;

    /// Replaces the certificate once, and the authority where the mode can do that without a gap; returns when every
    /// replica has the new ones and an old authority is not trusted any more.
    fn rotate(&mut self, api: &Api, replicas: &[Replica]);

    /// A caBundle that somebody else empties comes back.
    fn keeps_ca_bundle(&self) -> bool;
}

/// Every mode there is; files go to `dir`. The first one is what is installed without asking for another.
pub(crate) fn modes(dir: &Path) -> Vec<Box<dyn CertificateMode>> {
    vec![
        Box::new(self_managed::SelfManaged),
        Box::new(files::Files::new(&dir.join("files"))),
        Box::new(cert_manager::RealCertManager::default()),
    ]
}
