//! The next step of a rotation: pure, so that ten years of it fit into a test.
//!
//! Any replica may take any step at any time; there is no leader. Two things make that safe: every step is one write
//! that only succeeds if nothing changed since it was planned, and nothing is served that an API server may not know
//! yet. A new authority is staged, published, read back, waited for and only then used; the old one stays published
//! until the last server certificate it signed has ended.

use std::time::Duration;

use jiff::Timestamp;

use super::bundle::Published;
use super::certificate::Certificate;
use super::material::{Held, Kept, Leaf, Material, NextAuthority, Request};
use super::policy::{BACKDATING, NAMES_PAUSE, RESTORE_GRACE, RotationPolicy, after, before, third};
use super::step::{Change, Step, Wait, Why};

/// Decides the next step. `kept` is the Secret, `published` our webhook entry, `held` what this replica serves.
pub fn plan_rotation(
    now: Timestamp,
    policy: &RotationPolicy,
    kept: &Kept,
    published: &Published,
    held: &Held<'_>,
) -> Step {
    let situation = Situation { now, policy, published, held };
    match kept {
        Kept::Absent | Kept::Unusable(_) => situation.make(),
        Kept::Usable(material) => situation.step(material),
    }
}

/// What a replica is to serve now instead of what it holds: what the Secret holds, unless API servers trust the one and
/// may not trust the other.
pub fn adopt<'k>(
    now: Timestamp,
    policy: &RotationPolicy,
    kept: &'k Kept,
    published: &Published,
    held: &Held<'_>,
) -> Option<&'k Material> {
    let Kept::Usable(material) = kept else { return None };
    let situation = Situation { now, policy, published, held };
    situation.may_adopt(material).then_some(material.as_ref())
}

struct Situation<'a> {
    now: Timestamp,
    policy: &'a RotationPolicy,
    published: &'a Published,
    held: &'a Held<'a>,
}

impl Situation<'_> {
    fn step(&self, kept: &Material) -> Step {
        if self.is_better_held(kept) {
            return Step::Keep(Change::Restore);
        }
        if self.is_lost(kept) {
            // What verifies nothing any more needs no order.
            return if self.next(kept).is_some() { Step::Keep(Change::PromoteCa) } else { self.make() };
        }
        if let Some(why) = self.leaf_renewal(kept) {
            return Step::Keep(Change::RenewLeaf(why));
        }
        let next = self.next(kept);
        if next.is_none()
            && let Some(why) = self.authority_renewal(kept)
        {
            return Step::Keep(Change::StageCa(why));
        }
        if let Some(next) = next
            && let Some(change) = self.confirmation(next)
        {
            return Step::Keep(change);
        }
        if let Published::Found(bundle) = self.published
            && self.policy.manage_ca_bundle
            && !bundle.trusts_the_same_as(&kept.bundle())
        {
            return match self.grace().filter(|_| self.others_may_be_trusted(Some(kept))) {
                Some(until) => Step::Wait { until, reason: Wait::Restoring },
                None => Step::Publish(kept.bundle()),
            };
        }
        if next.is_some_and(|next| self.promotion(next).is_some_and(|time| time <= self.now)) {
            return Step::Keep(Change::PromoteCa);
        }
        if end_of_previous(kept).is_some_and(|end| end <= self.now) {
            return Step::Keep(Change::DropPreviousCa);
        }
        self.wait(kept)
    }

    /// There is nothing to go on with.
    fn make(&self) -> Step {
        if self.serving().is_some() {
            return Step::Keep(Change::Restore);
        }
        let grace = self.grace().filter(|_| self.others_may_be_trusted(None));
        grace.map_or(Step::Keep(Change::Create), |until| Step::Wait { until, reason: Wait::Restoring })
    }

    /// What this replica serves, if it is still good.
    fn serving(&self) -> Option<&Material> {
        match self.held {
            Held::Material(held) => Some(*held).filter(|held| held.serving(self.now).is_some()),
            Held::Nothing { .. } => None,
        }
    }

    /// Until when a replica without memory leaves it to the others to write back what API servers trust.
    fn grace(&self) -> Option<Timestamp> {
        let Held::Nothing { since } = self.held else { return None };
        let until = after(*since, RESTORE_GRACE.min(self.policy.ca_propagation));
        // A beginning in the future is a clock that was set back.
        (*since..until).contains(&self.now).then_some(until)
    }

    /// API servers may trust somebody, but none of these; or also others, and these are not all there were.
    fn others_may_be_trusted(&self, kept: Option<&Material>) -> bool {
        let bundle = match self.published {
            Published::Unknown => return true,
            Published::Absent => return false,
            Published::Found(bundle) => bundle,
        };
        let trusted = || bundle.certificates().iter().filter(|authority| authority.is_valid_at(self.now));
        let ours = |authority: &Certificate| kept.is_some_and(|kept| kept.knows(authority));
        let is_ours = if kept.is_some_and(|kept| self.is_previous_lost(kept)) {
            trusted().all(ours)
        } else {
            trusted().any(ours)
        };
        trusted().next().is_some() && !is_ours
    }

    /// What this replica serves is trusted, and what the Secret holds is not or cannot go on.
    fn is_better_held(&self, kept: &Material) -> bool {
        let Some(held) = self.serving().filter(|held| held.current.key.is_some()) else { return false };
        if kept.is_of_authority_of(held) {
            let remembers = held.previous.iter().any(|authority| authority.not_after() > self.now);
            return kept.current.key.is_none() || (self.is_previous_lost(kept) && remembers);
        }
        // An authority that follows from ours by a rotation knows ours: that is no loss but progress.
        if kept.knows(&held.current.certificate) {
            return false;
        }
        self.is_lost(kept)
            || (self.is_published(&held.current.certificate) && !self.is_published(&kept.current.certificate))
    }

    /// The Secret lost the previous authorities before their time. A replica that does not reach the API server may
    /// still serve what they signed.
    fn is_previous_lost(&self, kept: &Material) -> bool {
        kept.lacks_previous() && kept.previous_until.is_some_and(|until| until > self.now)
    }

    fn is_published(&self, authority: &Certificate) -> bool {
        matches!(self.published, Published::Found(bundle) if bundle.contains(authority))
    }

    fn may_adopt(&self, kept: &Material) -> bool {
        if kept.serving(self.now).is_none() || self.is_better_held(kept) {
            return false;
        }
        let Some(held) = self.serving() else {
            return self.grace().is_none() || !self.others_may_be_trusted(Some(kept));
        };
        let is_related = kept.knows(&held.current.certificate) || held.knows(&kept.current.certificate);
        is_related || !matches!(self.published, Published::Unknown)
    }

    /// The authority in force has ended, or it can neither be served nor sign.
    fn is_lost(&self, kept: &Material) -> bool {
        let is_over = self.now > kept.current.certificate.not_after();
        let is_mute = kept.current.key.is_none() && kept.serving(self.now).is_none();
        is_over || is_mute
    }

    /// The next authority, if it could be used now.
    fn next<'k>(&self, kept: &'k Material) -> Option<&'k NextAuthority> {
        kept.next.as_ref().filter(|next| next.certificate.is_valid_at(self.now))
    }

    fn leaf_renewal(&self, kept: &Material) -> Option<Why> {
        kept.current.key.as_ref()?;
        let Some(Leaf { certificate, .. }) = &kept.leaf else { return Some(Why::Missing) };
        if kept.request == Some(Request::Leaf) {
            return Some(Why::Requested);
        }
        if certificate.not_before() > self.now {
            return Some(Why::NotYetValid);
        }
        if self.policy.names.iter().any(|name| !certificate.has_name(name)) {
            // While replicas of two configurations live, they would replace each other's at once and for ever.
            return (names_renewal(certificate) <= self.now).then_some(Why::Names);
        }
        // Certificates hold whole seconds.
        if lifetime(certificate) > self.policy.tls_lifetime.saturating_add(Duration::from_secs(1)) {
            return Some(Why::TooLong);
        }
        (self.leaf_due(kept, certificate) <= self.now).then_some(Why::Due)
    }

    fn authority_renewal(&self, kept: &Material) -> Option<Why> {
        let certificate = &kept.current.certificate;
        if kept.current.key.is_none() {
            return Some(Why::Missing);
        }
        if kept.request == Some(Request::Ca) {
            return Some(Why::Requested);
        }
        if certificate.not_before() > self.now {
            return Some(Why::NotYetValid);
        }
        (self.authority_due(certificate) <= self.now).then_some(Why::Due)
    }

    /// When a third of a leaf's lifetime is left, if a new one would live longer.
    fn leaf_due(&self, kept: &Material, leaf: &Certificate) -> Timestamp {
        let end = kept.current.certificate.not_after();
        if leaf.not_after() >= end { Timestamp::MAX } else { due(leaf, self.policy.tls_lifetime) }
    }

    fn authority_due(&self, authority: &Certificate) -> Timestamp {
        due(authority, self.policy.ca_lifetime)
    }

    /// Records and forgets that the next authority is published.
    fn confirmation(&self, next: &NextAuthority) -> Option<Change> {
        match next.confirmed {
            _ if matches!(self.published, Published::Unknown) => None,
            None => self.published.allows(&next.certificate).then_some(Change::Confirm),
            Some(_) if !self.published.allows(&next.certificate) => Some(Change::ForgetConfirmation),
            // By a clock that was ahead.
            Some(confirmed) if confirmed > after(self.now, BACKDATING) => Some(Change::Confirm),
            Some(_) => None,
        }
    }

    /// When the next authority comes into force, if it is published.
    fn promotion(&self, next: &NextAuthority) -> Option<Timestamp> {
        let confirmed = next.confirmed.filter(|_| self.published.allows(&next.certificate))?;
        Some(after(confirmed, self.policy.ca_propagation))
    }

    fn wait(&self, kept: &Material) -> Step {
        let mut until = kept.current.certificate.not_after();
        let mut reason = Wait::NextDue;
        let mut at = |time: Timestamp| {
            if time > self.now {
                until = until.min(time);
            }
        };
        if let Some(leaf) = &kept.leaf {
            at(self.leaf_due(kept, &leaf.certificate));
            at(names_renewal(&leaf.certificate));
            at(leaf.certificate.not_after());
        }
        if let Some(end) = end_of_previous(kept) {
            at(end);
        }
        match self.next(kept) {
            None => at(self.authority_due(&kept.current.certificate)),
            Some(next) => {
                at(next.certificate.not_after());
                reason = Wait::Publication;
                if let Some(time) = self.promotion(next) {
                    at(time);
                    reason = Wait::Propagation;
                }
            }
        }
        Step::Wait { until, reason }
    }
}

/// When a third of the lifetime is left; of a shorter lifetime, if the policy's has become shorter.
fn due(certificate: &Certificate, longest: Duration) -> Timestamp {
    let lifetime = lifetime(certificate).min(longest);
    let end = after(made(certificate), lifetime);
    before(end, third(lifetime))
}

/// When a leaf that lacks a name may be replaced.
fn names_renewal(leaf: &Certificate) -> Timestamp {
    after(made(leaf), NAMES_PAUSE)
}

/// When it was made, as all of ours are.
fn made(certificate: &Certificate) -> Timestamp {
    after(certificate.not_before(), BACKDATING)
}

/// From when it was made, so that a lifetime of a minute is one.
fn lifetime(certificate: &Certificate) -> Duration {
    let lifetime = certificate.not_after().duration_since(made(certificate));
    lifetime.try_into().unwrap_or(Duration::ZERO)
}

/// When the previous authorities are dropped; where they were lost, the time that is left of them.
fn end_of_previous(kept: &Material) -> Option<Timestamp> {
    let last = kept.previous.iter().map(Certificate::not_after).max();
    last.into_iter().chain(kept.previous_until).min()
}
