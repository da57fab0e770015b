//! Where replicas have their certificate from. A further way to have one is a further [`CertificateMode`], and an entry
//! in [`modes`].

mod files;
mod self_managed;

use std::path::Path;

use crate::api::Api;
use crate::replica::Replica;

pub(crate) trait CertificateMode {
    fn name(&self) -> &'static str;

    /// The authority (PEM) to install the webhook configuration with; none where the mode brings it there itself.
    fn installed_ca(&self) -> Option<&str>;

    /// What a replica of this name is started with.
    fn flags(&mut self, replica: &str) -> Vec<String>;

    /// Replaces authority and certificate once, and returns when every replica has the new ones and the old authority is
    /// not trusted any more.
    fn rotate(&mut self, api: &Api, replicas: &[Replica]);

    /// A caBundle that somebody else empties comes back.
    fn keeps_ca_bundle(&self) -> bool;
}

/// Every mode there is; files go to `dir`. The first one is what is installed without asking for another.
pub(crate) fn modes(dir: &Path) -> Vec<Box<dyn CertificateMode>> {
    vec![Box::new(self_managed::SelfManaged), Box::new(files::Files::new(&dir.join("files")))]
}
