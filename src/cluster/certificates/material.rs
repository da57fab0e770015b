//! What the Secret holds: the authority in force, the certificate that is served, and the authorities before and after.

use jiff::Timestamp;

use super::bundle::Bundle;
use super::certificate::{Certificate, PrivateKey};

/// What was found in the Secret.
#[derive(Clone, Debug)]
pub enum Kept {
    /// No Secret, or one without any certificates and keys.
    Absent,
    /// Something, but no authority in it; the problem, for people.
    Unusable(String),
    /// An authority at least.
    Usable(Box<Material>),
}

/// What this replica serves now, whatever became of the Secret.
#[derive(Clone, Copy, Debug)]
pub enum Held<'a> {
    /// Nothing yet, since it began to look for it.
    Nothing {
        /// When it began.
        since: Timestamp,
    },
    /// The material whose server certificate it serves.
    Material(&'a Material),
}

/// Certificates and keys. `Debug` shows no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material {
    /// The authority in force.
    pub current: Authority,
    /// What is served; only if the key fits and the authority in force signed it.
    pub leaf: Option<Leaf>,
    /// The authority to come.
    pub next: Option<NextAuthority>,
    /// Authorities whose server certificates may still be served somewhere, oldest first.
    pub previous: Vec<Certificate>,
    /// Until when the previous ones stay. With none of them: they were lost.
    pub previous_until: Option<Timestamp>,
    /// What somebody asked for.
    pub request: Option<Request>,
    /// What was not understood, for the log. Not part of the contents.
    pub problems: Vec<String>,
}

/// An authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its certificate.
    pub certificate: Certificate,
    /// Its key, unless it is lost or belongs to something else.
    pub key: Option<PrivateKey>,
}

/// An authority that is published before it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextAuthority {
    /// Its certificate.
    pub certificate: Certificate,
    /// Its key.
    pub key: PrivateKey,
    /// When it was first read back from the `caBundle`.
    pub confirmed: Option<Timestamp>,
}

/// A server certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The certificate.
    pub certificate: Certificate,
    /// Its key.
    pub key: PrivateKey,
}

/// A rotation that somebody asked for by the annotation `spark-swap.io/rotate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// `ca`: a new authority, staged as always.
    Ca,
    /// `leaf`: a new server certificate of the same authority.
    Leaf,
}

impl Material {
    /// What `caBundle` should be: exactly our authorities, oldest first. The same for every replica.
    pub fn bundle(&self) -> Bundle {
        let next = self.next.as_ref().map(|next| &next.certificate);
        let ours = self.previous.iter().chain([&self.current.certificate]).chain(next);
        Bundle::new(ours.cloned().collect())
    }

    /// What is served, if verifiers accept its dates and its authority's at this time.
    pub fn serving(&self, now: Timestamp) -> Option<&Leaf> {
        let is_valid = self.current.certificate.is_valid_at(now);
        self.leaf.as_ref().filter(|leaf| is_valid && leaf.certificate.is_valid_at(now))
    }

    /// Both have the same authority in force.
    pub(super) fn is_of_authority_of(&self, other: &Self) -> bool {
        self.current.certificate == other.current.certificate
    }

    /// It says until when previous authorities stay, and there are none: they were lost, for both are dropped together.
    pub(super) fn lacks_previous(&self) -> bool {
        self.previous.is_empty() && self.previous_until.is_some()
    }

    /// The authority is one of these.
    pub(super) fn knows(&self, authority: &Certificate) -> bool {
        self.bundle().contains(authority)
    }
}
