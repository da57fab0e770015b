//! The next step of a rotation: pure, so that ten years of it fit into a test.
//!
//! Any replica may take any step at any time; there is no leader. Two things make that safe: every step is one write
//! that only succeeds if nothing changed since it was planned, and nothing is served that an API server may not know
//! yet. A new authority is staged, published, read back, waited for and only then used; the old one stays published
//! until the last server certificate it signed has ended.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::bundle::{Bundle, Published};
use super::certificate::Certificate;
use super::material::{Held, Kept, Leaf, Material, NextAuthority, Request};
use super::policy::{BACKDATING, NAMES_PAUSE, RESTORE_GRACE, RotationPolicy, after, before, third};

/// What to do next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Nothing before this time, unless something changes.
    Wait {
        /// When to look again.
        until: Timestamp,
        /// What for.
        reason: Wait,
    },
    /// Write this into `caBundle`.
    Publish(Bundle),
    /// Change the Secret.
    Keep(Change),
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The next thing that is due.
    NextDue,
    /// Another replica may still hold what was lost.
    Restoring,
    /// The next authority is not in `caBundle` yet, as far as is known.
    Publication,
    /// The next authority is in `caBundle`; every API server has to hear of it.
    Propagation,
}

/// A change of the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new authority and a server certificate of it, used at once: there is nothing to lose.
    Create,
    /// Write back what this replica serves.
    Restore,
    /// A new server certificate of the authority in force.
    RenewLeaf(Why),
    /// A next authority, not used yet.
    StageCa(Why),
    /// Record that the next authority is published, from now on.
    Confirm,
    /// The next authority is not published any more: waiting starts anew.
    ForgetConfirmation,
    /// The next authority comes into force, with a server certificate of it; the old one stays published.
    PromoteCa,
    /// The previous authorities are not needed any more.
    DropPreviousCa,
}

/// Why something is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// At most a third of its lifetime is left.
    Due,
    /// It is not there, or does not fit.
    Missing,
    /// Its time has not come yet: it was made by a clock ahead of this one.
    NotYetValid,
    /// A name is missing.
    Names,
    /// It lives longer than it should.
    TooLong,
    /// Somebody asked for it.
    Requested,
}

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
            return Step::Publish(kept.bundle());
        }
        if next.is_some_and(|next| self.promotion(next).is_some_and(|time| time <= self.now)) {
            return Step::Keep(Change::PromoteCa);
        }
        if end_of_previous(kept).is_some_and(|end| end <= self.now) {
            return Step::Keep(Change::DropPreviousCa);
        }
        self.wait(kept)
    }

    /// There is nothing to go on with. Others may hold what API servers trust, so that a replica without memory lets
    /// them write it back first, unless nobody is trusted anyway.
    fn make(&self) -> Step {
        let since = match self.held {
            Held::Material(held) if held.serving(self.now).is_some() => return Step::Keep(Change::Restore),
            Held::Material(_) => return Step::Keep(Change::Create),
            Held::Nothing { since } => *since,
        };
        let somebody_may_be_trusted = match self.published {
            Published::Unknown => true,
            Published::Absent => false,
            Published::Found(bundle) => bundle.certificates().iter().any(|one| one.is_valid_at(self.now)),
        };
        let until = after(since, RESTORE_GRACE.min(self.policy.ca_propagation));
        // A start in the future is a clock that was set back.
        if somebody_may_be_trusted && (since..until).contains(&self.now) {
            return Step::Wait { until, reason: Wait::Restoring };
        }
        Step::Keep(Change::Create)
    }

    /// What this replica serves is trusted, and what the Secret holds is not or cannot go on.
    fn is_better_held(&self, kept: &Material) -> bool {
        let Held::Material(held) = self.held else { return false };
        if held.serving(self.now).is_none() || held.current.key.is_none() {
            return false;
        }
        if held.current.certificate == kept.current.certificate {
            return kept.current.key.is_none();
        }
        // An authority that follows from ours by a rotation knows ours: that is no loss but progress.
        if kept.knows(&held.current.certificate) {
            return false;
        }
        let is_trusted = |authority: &Certificate| match self.published {
            Published::Found(bundle) => bundle.contains(authority),
            Published::Unknown | Published::Absent => false,
        };
        self.is_lost(kept)
            || (is_trusted(&held.current.certificate) && !is_trusted(&kept.current.certificate))
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
        if lifetime(certificate) > self.policy.tls_lifetime.saturating_add(BACKDATING) {
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
        match &kept.next {
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
    let lifetime = lifetime(certificate).min(longest.saturating_add(BACKDATING));
    let end = after(certificate.not_before(), lifetime);
    before(end, third(lifetime))
}

/// When a leaf that lacks a name may be replaced.
fn names_renewal(leaf: &Certificate) -> Timestamp {
    after(leaf.not_before(), BACKDATING.saturating_add(NAMES_PAUSE))
}

fn lifetime(certificate: &Certificate) -> Duration {
    let lifetime = certificate.not_after().duration_since(certificate.not_before());
    lifetime.try_into().unwrap_or(Duration::ZERO)
}

/// When the previous authorities are dropped.
fn end_of_previous(kept: &Material) -> Option<Timestamp> {
    let last = kept.previous.iter().map(Certificate::not_after).max()?;
    Some(kept.previous_until.map_or(last, |until| until.min(last)))
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Create => "make an authority and a certificate",
            Self::Restore => "write back the certificate that is served",
            Self::RenewLeaf(why) => return write!(formatter, "renew the certificate: {why}"),
            Self::StageCa(why) => return write!(formatter, "stage a new authority: {why}"),
            Self::Confirm => "record that the new authority is published",
            Self::ForgetConfirmation => "wait anew: the new authority is not published any more",
            Self::PromoteCa => "use the new authority",
            Self::DropPreviousCa => "drop the previous authority",
        };
        formatter.write_str(text)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Due => "at most a third of its lifetime is left",
            Self::Missing => "it is missing or does not fit",
            Self::NotYetValid => "it is not valid yet",
            Self::Names => "a name is missing",
            Self::TooLong => "it lives longer than it should",
            Self::Requested => "somebody asked for it",
        })
    }
}
