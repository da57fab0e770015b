//! A planned change carried out: the new contents of the Secret.

use jiff::Timestamp;

use super::authority::{Authority as Signer, Issued, Validity};
use super::certificate::{Certificate, PrivateKey};
use super::material::{Authority, Held, Kept, Leaf, Material, NextAuthority, Request};
use super::policy::{BACKDATING, RotationPolicy, after, before};
use super::step::Change;

/// At most so many previous authorities stay; who rotates more often than that while a certificate lives does without
/// the oldest.
const MOST_PREVIOUS: usize = 4;

/// Makes what the Secret is to hold. Makes keys, which takes a moment.
pub fn carry_out(
    change: Change,
    now: Timestamp,
    policy: &RotationPolicy,
    kept: &Kept,
    held: &Held<'_>,
) -> Result<Material, CarryOutError> {
    let maker = Maker { now, policy };
    match change {
        Change::Create => return maker.create(),
        Change::Restore => {
            return match (held, kept) {
                (Held::Nothing { .. }, _) => Err(CarryOutError::OutOfPlace(change)),
                (Held::Material(held), Kept::Usable(kept)) if kept.is_of_authority_of(held) => {
                    Ok(repaired(kept, held))
                }
                (Held::Material(held), _) => Ok(Material { problems: Vec::new(), ..(*held).clone() }),
            };
        }
        _ => {}
    }
    let Kept::Usable(kept) = kept else { return Err(CarryOutError::OutOfPlace(change)) };
    let mut material = Material { problems: Vec::new(), ..(**kept).clone() };
    let out_of_place = || CarryOutError::OutOfPlace(change);
    match change {
        Change::Create | Change::Restore => {}
        Change::RenewLeaf(_) => {
            let key = material.current.key.as_ref().ok_or_else(out_of_place)?;
            material.leaf = Some(maker.leaf(&material.current.certificate, key)?);
            material.request = material.request.filter(|request| *request != Request::Leaf);
        }
        Change::StageCa(_) => {
            let (certificate, key) = maker.authority()?;
            material.next = Some(NextAuthority { certificate, key, confirmed: None });
            material.request = material.request.filter(|request| *request != Request::Ca);
        }
        Change::Confirm => {
            material.next.as_mut().ok_or_else(out_of_place)?.confirmed = Some(whole_second(now));
        }
        Change::ForgetConfirmation => material.next.as_mut().ok_or_else(out_of_place)?.confirmed = None,
        Change::PromoteCa => {
            let next = material.next.take().ok_or_else(out_of_place)?;
            return maker.promote(material, next);
        }
        Change::DropPreviousCa => {
            material.previous = Vec::new();
            material.previous_until = None;
        }
    }
    Ok(material)
}

/// Why a change could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CarryOutError {
    /// It was planned for something else.
    #[error("cannot {0}: it was planned for another Secret")]
    OutOfPlace(Change),
    /// The names or dates are nothing for a certificate.
    #[error("making a certificate: {0}")]
    Sign(#[from] rcgen::Error),
    /// A date is outside of what a certificate can hold.
    #[error("making a certificate: it would be valid until after the year 9999")]
    Date,
    /// What was made cannot be read; a bug.
    #[error("the certificate that was made {0}")]
    Made(String),
}

/// What the Secret holds, with what it lost of the same authority: what it says is newer than what is remembered.
fn repaired(kept: &Material, held: &Material) -> Material {
    let mut material = Material { problems: Vec::new(), ..kept.clone() };
    material.current.key = material.current.key.or_else(|| held.current.key.clone());
    material.leaf = material.leaf.or_else(|| held.leaf.clone());
    if kept.lacks_previous() {
        material.previous.clone_from(&held.previous);
    }
    material
}

struct Maker<'a> {
    now: Timestamp,
    policy: &'a RotationPolicy,
}

impl Maker<'_> {
    fn create(&self) -> Result<Material, CarryOutError> {
        let (certificate, key) = self.authority()?;
        let leaf = Some(self.leaf(&certificate, &key)?);
        let current = Authority { certificate, key: Some(key) };
        let (next, previous, previous_until, request) = (None, Vec::new(), None, None);
        Ok(Material { current, leaf, next, previous, previous_until, request, problems: Vec::new() })
    }

    fn promote(&self, old: Material, next: NextAuthority) -> Result<Material, CarryOutError> {
        let Material { current, leaf, mut previous, previous_until, .. } = old;
        // Of a certificate that is lost in the Secret but may be served somewhere, the latest end is known.
        let latest = after(self.now, self.policy.tls_lifetime);
        let end =
            leaf.map_or(latest, |leaf| leaf.certificate.not_after()).min(current.certificate.not_after());
        let until = previous_until.filter(|_| !previous.is_empty()).map_or(end, |until| until.max(end));
        previous.push(current.certificate);
        previous.retain(|authority| authority.not_after() > self.now && until > self.now);
        let surplus = previous.len().saturating_sub(MOST_PREVIOUS);
        previous.drain(..surplus);
        let previous_until = (!previous.is_empty()).then(|| whole_second(until));
        let leaf = Some(self.leaf(&next.certificate, &next.key)?);
        let current = Authority { certificate: next.certificate, key: Some(next.key) };
        Ok(Material {
            current,
            leaf,
            next: None,
            previous,
            previous_until,
            request: None,
            problems: Vec::new(),
        })
    }

    fn authority(&self) -> Result<(Certificate, PrivateKey), CarryOutError> {
        let signer = Signer::distinct(self.validity(after(self.now, self.policy.ca_lifetime))?)?;
        read(&signer.certificate_pem(), &signer.key_pem())
    }

    /// A server certificate. It never outlives its authority.
    fn leaf(&self, authority: &Certificate, key: &PrivateKey) -> Result<Leaf, CarryOutError> {
        let signer = Signer::load(&authority.pem(), key.pem())?;
        let end = after(self.now, self.policy.tls_lifetime).min(authority.not_after());
        let Issued { certificate_pem, key_pem } = signer.issue(&self.policy.names, self.validity(end)?)?;
        let (certificate, key) = read(&certificate_pem, &key_pem)?;
        Ok(Leaf { certificate, key })
    }

    fn validity(&self, end: Timestamp) -> Result<Validity, CarryOutError> {
        Validity::between(before(self.now, BACKDATING), end).ok_or(CarryOutError::Date)
    }
}

fn read(certificate_pem: &str, key_pem: &str) -> Result<(Certificate, PrivateKey), CarryOutError> {
    let certificate = Certificate::read(certificate_pem.as_bytes()).map_err(CarryOutError::Made)?;
    let key = PrivateKey::read(key_pem.as_bytes(), &certificate).map_err(CarryOutError::Made)?;
    Ok((certificate, key))
}

/// Annotations hold whole seconds.
fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
