//! Certificates that spark-swap makes, keeps in a Secret and publishes by itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::CertificateMode;
use crate::api::{Api, MERGE_PATCH};
use crate::replica::Replica;
use crate::wait;

const SECRET: &str = "/api/v1/namespaces/spark-swap/secrets/spark-swap-tls";
const ROTATE: &str = "spark-swap.io/rotate";

pub(super) struct SelfManaged;

impl CertificateMode for SelfManaged {
    fn name(&self) -> &'static str {
        "self"
    }

    fn installed_ca(&self) -> Option<&str> {
        None
    }

    fn flags(&mut self, _replica: &str) -> Vec<String> {
        ["--tls-source=self", "--namespace=spark-swap", "--ca-propagation=3s"].map(str::to_owned).to_vec()
    }

    fn rotate(&mut self, api: &Api, replicas: &[Replica]) {
        let before = authority(api);
        api.patch(SECRET, MERGE_PATCH, &json!({"metadata": {"annotations": {ROTATE: "ca"}}}));
        let after = wait::until("new authority", wait::LIMIT, || {
            let secret = api.get(SECRET)?;
            let is_asked_for = !secret["metadata"]["annotations"][ROTATE].is_null();
            let is_staged = !secret["data"]["next-ca.crt"].is_null();
            let now = authority(api);
            if now == before || is_asked_for || is_staged {
                return Err(format!("asked for: {is_asked_for}, staged: {is_staged}"));
            }
            Ok(now)
        });
        for replica in replicas {
            replica.wait_until_trusted_by(&after, api.runtime());
        }
    }

    fn keeps_ca_bundle(&self) -> bool {
        true
    }
}

/// The authority in force, PEM.
fn authority(api: &Api) -> String {
    let secret = api.get(SECRET).unwrap();
    let pem = STANDARD.decode(secret["data"]["ca.crt"].as_str().unwrap()).unwrap();
    String::from_utf8(pem).unwrap()
}
