//! What an API server says about a certificate: the oracle, which remembers what it has verified.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::{ServerName, UnixTime};
use spark_swap::cluster::certificates::Bundle;
use spark_swap::cluster::certificates::certificate::Certificate;

use crate::fixtures::NAME;

/// Verifies chains and names as a TLS client does, with roots that have to be valid, too, as in Go.
#[derive(Default)]
pub(crate) struct Verifier {
    /// When a certificate is accepted by a version of a bundle.
    accepted: HashMap<(Vec<u8>, usize), Option<RangeInclusive<Timestamp>>>,
}

impl Verifier {
    pub(crate) fn accepts(
        &mut self,
        leaf: &Certificate,
        version: usize,
        bundle: &Bundle,
        now: Timestamp,
    ) -> bool {
        let key = (leaf.der().to_vec(), version);
        let accepted = self.accepted.entry(key).or_insert_with(|| {
            let signer = bundle.certificates().iter().find(|root| verifies(leaf, root))?;
            let from = signer.not_before().max(leaf.not_before());
            Some(from..=signer.not_after().min(leaf.not_after()))
        });
        accepted.as_ref().is_some_and(|times| times.contains(&now))
    }
}

/// Chain and name, in the middle of the leaf's life.
fn verifies(leaf: &Certificate, root: &Certificate) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let middle = leaf.not_before().as_second().midpoint(leaf.not_after().as_second());
    let middle = UnixTime::since_unix_epoch(Duration::from_secs(middle.try_into().unwrap()));
    let name = ServerName::try_from(NAME).unwrap();
    verifier.verify_server_cert(leaf.der(), &[], &name, &[], middle).is_ok()
}
