//! Who remembers what the Secret lost: while nobody else does, a replica may not crash.

use serde_json::Value;
use spark_swap::cluster::certificates::{Kept, Material, Published};

use super::World;
use crate::fixtures::minutes;

impl World {
    pub(super) fn crashes_now(&mut self, replica: usize) -> bool {
        let crashes = self.random.below(30) == 0 && self.may_crash(replica);
        if crashes {
            let downtime = self.random.up_to(minutes(10));
            self.crash(replica, downtime);
        }
        crashes
    }

    /// Somebody has to remember what was lost.
    pub(crate) fn may_crash(&self, replica: usize) -> bool {
        let is_lost = match self.kept() {
            Kept::Usable(material) => !self.is_trusted(material) || !self.is_complete(material),
            _ => true,
        };
        let others = self.replicas.iter().enumerate().filter(|(other, _)| *other != replica);
        let mut remembering = others.filter(|(other, state)| {
            let is_complete = state.held.as_ref().is_some_and(|held| self.is_complete(held));
            state.is_ready && self.reaches(*other) && is_complete
        });
        !is_lost || remembering.next().is_some()
    }

    /// Nobody serves what an authority signed that this does not know, and it can be served or sign.
    fn is_complete(&self, material: &Material) -> bool {
        let bundle = material.bundle();
        let mut served = self.replicas.iter().filter_map(|replica| replica.held.as_ref());
        let is_mute = material.current.key.is_none() && material.leaf.is_none();
        !is_mute && served.all(|held| bundle.contains(&held.current.certificate))
    }

    /// With this patch the Secret holds all that is needed to go on.
    pub(crate) fn is_complete_after(&self, patch: &Value) -> bool {
        let mut secret = self.secret.clone();
        json_patch::merge(&mut secret, patch);
        match Kept::of(Some(&serde_json::from_value(secret).unwrap())) {
            Kept::Usable(material) => self.is_complete(&material),
            _ => false,
        }
    }

    fn is_trusted(&self, material: &Material) -> bool {
        matches!(self.published(), Published::Found(bundle) if bundle.contains(&material.current.certificate))
    }
}
