//! Certificates that the real cert-manager issues and injects; replicas watch its Secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use spark_swap::server::handshake::{Outcome, shake_hands};

use super::CertificateMode;
use crate::api::Api;
use crate::cert_manager::CertManager;
use crate::control_plane::ControlPlane;
use crate::install::HOST;
use crate::replica::Replica;
use crate::wait;

const NAME: &str = "spark-swap";
const SECRET: &str = "spark-swap-tls";
/// The authority and the certificate of the overlay.
const CERTIFICATES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/components/cert-manager/certificate.yaml");

#[derive(Default)]
pub(super) struct RealCertManager {
    running: Option<CertManager<'static>>,
}

impl CertificateMode for RealCertManager {
    fn name(&self) -> &'static str {
        "cert-manager"
    }

    fn install(&mut self, cluster: &'static ControlPlane) {
        // Another mode's, of another type.
        cluster.kubectl(&["delete", "secret", SECRET, "-n", NAME, "--ignore-not-found"]);
        let cert_manager = CertManager::start(cluster, NAME);
        cluster.kubectl(&["apply", "-f", CERTIFICATES]);
        cert_manager.wait_until_issued(NAME, 1);
        self.running = Some(cert_manager);
    }

    fn installed_ca(&self) -> Option<&str> {
        None
    }

    fn registered(&mut self, cluster: &'static ControlPlane) {
        let inject = format!("cert-manager.io/inject-ca-from={NAME}/{NAME}");
        cluster.kubectl(&["annotate", "mutatingwebhookconfiguration", NAME, &inject]);
        wait::until("injected caBundle", wait::LIMIT, || {
            let configuration = cluster.get("mutatingwebhookconfiguration", "", NAME);
            let bundle = &configuration["webhooks"][0]["clientConfig"]["caBundle"];
            bundle.as_str().map(drop).ok_or_else(|| "there is none".to_owned())
        });
    }

    fn flags(&mut self, _replica: &str) -> Vec<String> {
        ["--tls-source=secret", "--namespace=spark-swap", "--webhook-configuration=spark-swap"]
            .map(str::to_owned)
            .to_vec()
    }

    /// Renews the certificate of the same authority, as cert-manager does every forty days.
    fn rotate(&mut self, api: &Api, replicas: &[Replica]) {
        self.running.as_ref().unwrap().renew(NAME);
        let secret = api.get(&format!("/api/v1/namespaces/{NAME}/secrets/{SECRET}")).unwrap();
        let pem = STANDARD.decode(secret["data"]["tls.crt"].as_str().unwrap()).unwrap();
        let renewed = CertificateDer::from_pem_slice(&pem).unwrap();
        for replica in replicas {
            wait::until("renewed certificate", wait::LIMIT, || {
                let shaken = shake_hands(replica.https.to_string(), HOST.to_owned(), None);
                match api.runtime().block_on(shaken).outcome {
                    Outcome::Served(chain) if chain.first() == Some(&renewed) => Ok(()),
                    _ => Err(format!("{} serves another one", replica.name)),
                }
            });
        }
    }

    fn keeps_ca_bundle(&self) -> bool {
        false
    }
}
