//! What admins, GitOps and fate do.

use std::time::Duration;

use serde_json::{Value, json};
use spark_swap::cluster::certificates::{Bundle, Published};

use super::{CLOCKS_APART, Entry, Event, Replica, SLOWEST_WATCH, World};

impl World {
    /// Somebody else writes the caBundle.
    pub(crate) fn overwrite_bundle(&mut self, published: Published) {
        let is_fatal = self.is_fatal(&published);
        self.counted.interferences += 1;
        self.put_entry(published, is_fatal);
    }

    /// With this bundle calls fail, whatever we do: now, or because a promotion cannot be stopped any more.
    fn is_fatal(&mut self, published: &Published) -> bool {
        let Published::Found(bundle) = published else { return true };
        let version = self.entries.len();
        let served = self.replicas.iter().filter_map(|replica| replica.held.as_ref()).chain(self.material());
        let leaves: Vec<_> = served.filter_map(|material| material.leaf.clone()).collect();
        // Of it a certificate may be made before every API server trusts it again.
        let is_ours = self.material().is_none_or(|material| bundle.contains(&material.current.certificate));
        let now = self.now;
        let mut leaves = leaves.iter().map(|leaf| &leaf.certificate);
        let is_trusted = leaves.all(|leaf| self.verifier.accepts(leaf, version, bundle, now));
        let confirmed = self.material().and_then(|material| material.next.as_ref()?.confirmed);
        let is_imminent = confirmed.is_some_and(|confirmed| {
            confirmed + self.policy.ca_propagation < self.now + CLOCKS_APART + SLOWEST_WATCH
        });
        !is_ours || !is_trusted || is_imminent
    }

    /// A GitOps tool that owns the caBundle takes over what we ask for.
    pub(crate) fn synchronise_bundle(&mut self, bundle: Bundle) {
        self.put_entry(Published::Found(bundle), false);
    }

    /// A bundle of the past, from a time when there was one: a deleted configuration comes back by itself alone.
    pub(crate) fn old_bundle(&mut self) -> Published {
        let found = |entry: &&Entry| matches!(entry.published, Published::Found(_));
        let count = self.entries.iter().filter(found).count();
        let version = self.random.below(count);
        self.entries.iter().filter(found).nth(version).unwrap().published.clone()
    }

    /// Somebody patches the Secret.
    pub(crate) fn patch_secret(&mut self, patch: &Value) {
        let keys = patch["data"].as_object().map(|data| data.keys().map(String::as_str).collect::<Vec<_>>());
        self.tell(&format!("the Secret is patched: {keys:?}"));
        json_patch::merge(&mut self.secret, patch);
        self.secret_changed();
    }

    /// Somebody deletes the Secret.
    pub(crate) fn delete_secret(&mut self) {
        self.tell("the Secret is deleted");
        self.secret = json!({"metadata": {"annotations": {}}});
        self.secret_changed();
    }

    pub(crate) fn crash(&mut self, replica: usize, downtime: Duration) {
        if self.replicas[replica].is_up {
            self.counted.crashes += 1;
            self.tell(&format!("replica {replica} crashes"));
            let Replica { is_cut_off, ahead, process, .. } = self.replicas[replica];
            let process = process + 1;
            self.replicas[replica] = Replica { is_cut_off, ahead, process, ..Replica::default() };
            self.after(downtime, downtime, Event::Start { replica });
        }
    }

    pub(crate) fn cut_off(&mut self, replica: usize, lasting: Duration) {
        self.tell(&format!("replica {replica} is cut off"));
        self.replicas[replica].is_cut_off = true;
        self.replicas[replica].entry = None;
        self.after(lasting, lasting, Event::Reconnect { replica });
    }

    /// Somebody deletes the webhook configuration and makes it again.
    pub(crate) fn delete_entry(&mut self, absence: Duration) {
        self.counted.interferences += 1;
        self.put_entry(Published::Absent, true);
        self.after(absence, absence, Event::EntryReturns);
    }
}
