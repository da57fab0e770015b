//! The steps of a rotation, in words for programs and for people.

use std::fmt;

use jiff::Timestamp;

use super::bundle::Bundle;

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
    /// Write back what the Secret lost and this replica remembers: all of it, or the parts that are missing beside the
    /// authority in force.
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

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Create => "make an authority and a certificate",
            Self::Restore => "write back what the Secret lost",
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
