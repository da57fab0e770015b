//! What API servers are told to trust.

use super::certificate::Certificate;

/// The certificates of a `caBundle`.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    certificates: Vec<Certificate>,
}

impl Bundle {
    /// These certificates, in this order.
    pub fn new(certificates: Vec<Certificate>) -> Self {
        Self { certificates }
    }

    /// The certificates.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// It trusts nobody.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// It trusts what this authority signs.
    pub fn contains(&self, authority: &Certificate) -> bool {
        self.certificates.contains(authority)
    }

    /// Both trust the same authorities; order and text do not matter.
    pub fn trusts_the_same_as(&self, other: &Self) -> bool {
        let all_in = |these: &Self, those: &Self| these.certificates.iter().all(|one| those.contains(one));
        all_in(self, other) && all_in(other, self)
    }

    /// The PEM text for `caBundle`.
    pub fn pem(&self) -> String {
        self.certificates.iter().map(Certificate::pem).collect()
    }
}

/// What is known of the `caBundle` of our webhook entry.
#[derive(Clone, Debug)]
pub enum Published {
    /// Nothing yet, or nothing any more: nothing that relies on it happens.
    Unknown,
    /// There is no such configuration or entry: nobody calls.
    Absent,
    /// The entry is there and trusts these.
    Found(Bundle),
}

impl Published {
    /// Reads the `caBundle` of an entry. One that cannot be read trusts nobody.
    pub fn of(ca_bundle: Option<&[u8]>) -> Self {
        let certificates = ca_bundle.and_then(|pem| Certificate::read_all(pem).ok());
        Self::Found(Bundle::new(certificates.unwrap_or_default()))
    }

    /// The authority may be relied on as far as this goes: it is published, or nobody calls.
    pub(super) fn allows(&self, authority: &Certificate) -> bool {
        match self {
            Self::Unknown => false,
            Self::Absent => true,
            Self::Found(bundle) => bundle.contains(authority),
        }
    }
}
