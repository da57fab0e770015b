//! By what readiness judges a certificate that we keep ourselves.

use super::SelfManaged;
use super::watched::Seen;
use crate::cluster::webhook_entry::entry;
use crate::server::published::{described, published_trust};
use crate::server::trust::{Authorities, Trust};

impl SelfManaged {
    /// Judges by what is published. While nothing is and we are about to publish, the API server trusts nobody: a
    /// replica is ready when it was done. Where somebody else publishes, or nobody calls, our own authorities count.
    pub(super) fn judge(&self) {
        self.served.judge_by(self.trust());
    }

    fn trust(&self) -> Trust {
        let name = &self.settings.configuration;
        let is_managed = self.settings.policy.manage_ca_bundle;
        let configuration = match (&self.configuration.seen, &self.configuration.failure) {
            (Seen::Found(found), _) => Some(found.as_ref()),
            (Seen::Absent, _) => None,
            (Seen::NotYet, _) if !is_managed => None,
            (Seen::NotYet, None) => return Trust::Nobody(format!("{} was not read yet", described(name))),
            (Seen::NotYet, Some(problem)) => return Trust::Nobody(format!("{}: {problem}", described(name))),
        };
        if let Some(published) = configuration.and_then(|found| published_trust(name, found)) {
            return published;
        }
        if is_managed && configuration.is_some_and(|found| entry(found).is_some()) {
            return Trust::Nobody(format!("{} is empty; spark-swap is about to fill it", described(name)));
        }
        let own = self.held.as_ref().map(|held| held.bundle().pem());
        let of = format!("{}", self.settings.secret);
        let own = own.and_then(|pem| Authorities::from_pem(&of, pem.as_bytes()).ok());
        own.map_or(Trust::Unknown, |own| Trust::In(own, self.settings.service.clone()))
    }
}
