//! The overlay for cert-manager, with the real one: it fills the Secret, writes the caBundle, and renews.

use serde_json::json;

use crate::cert_manager::CertManager;
use crate::deployment::Replicas;
use crate::installation::decoded;
use crate::load::{Created, Load};
use crate::pods;
use crate::site::{NAME, Site};
use crate::wait;

/// Only the server's certificate is renewed. An authority with another key is told to the replicas and to the API
/// server at once, and these do not learn of it at the same moment.
#[test]
fn no_executor_is_missed_while_cert_manager_renews_the_certificate() {
    let site = Site::with_nodes();
    let cluster = site.cluster;
    let cert_manager = CertManager::start(cluster, NAME);
    let overlay = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/overlays/cert-manager");
    cluster.kubectl(&["apply", "-k", overlay]);
    cert_manager.wait_until_issued(NAME, 1);
    site.assert_deployed(2);
    let replicas = Replicas::run(&site);
    let kept = |key: &str| decoded(&cluster.get("secret", NAME, "spark-swap-tls")["data"][key]);
    let ca_bundle = || {
        let configuration = cluster.get("mutatingwebhookconfiguration", "", NAME);
        decoded(&configuration["webhooks"][0]["clientConfig"]["caBundle"])
    };
    let authority = kept("ca.crt");
    assert_eq!(ca_bundle(), authority);

    let namespace = cluster.namespace("renewals", json!({}));
    wait::until("planned executor", wait::LIMIT, || {
        let probe = pods::executor("probe", 1024, 384);
        let pod = cluster.try_create(&probe, &["-n", &namespace, "--dry-run=server"])?;
        pods::plan(&pod).map(drop).ok_or_else(|| replicas.tails())
    });
    let load = Load::start(cluster, &namespace, |name| pods::executor(name, 1024, 384));
    for _ in 0..3 {
        let (certificate, key) = (kept("tls.crt"), kept("tls.key"));
        load.wait_for(10, &Created::is_planned);
        cert_manager.renew(NAME);
        assert_ne!(kept("tls.crt"), certificate);
        assert_ne!(kept("tls.key"), key);
        replicas.wait_until_serving(&kept("tls.crt"), &authority);
        load.wait_for(10, &Created::is_planned);
    }
    let created = load.stop();
    let missed = created.iter().filter(|created| !created.is_planned()).count();
    assert_eq!(missed, 0, "of {}\n{}", created.len(), replicas.tails());
    assert_eq!((kept("ca.crt"), ca_bundle()), (authority.clone(), authority));
}
