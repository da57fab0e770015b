//! Certificates that nobody has to think about, with the real API server as the one that has to trust them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use spark_swap::cluster::certificates::authority::{Authority, Validity};
use spark_swap::server::trust::Authorities;
use time::OffsetDateTime;

use crate::audit::Request;
use crate::classes::swap_class_crd;
use crate::control_plane::ControlPlane;
use crate::http::Answer;
use crate::installation::{Installation, Replica};
use crate::load::{Created, Load};
use crate::pods;
use crate::wait;

const FORBIDDEN: u64 = 403;

#[test]
fn replicas_that_start_together_agree_on_one_authority_and_publish_it_with_the_least_rights() {
    let cluster = shared();
    let installed = Installation::new(cluster, |_| {});
    let replicas = ["one", "two", "three"].map(|name| installed.start(name, &[]));
    replicas.iter().for_each(Replica::wait_until_ready);
    let authority = installed.kept("ca.crt");
    assert_eq!(authority.matches("BEGIN CERTIFICATE").count(), 1);
    assert_eq!(installed.ca_bundle(), authority);
    assert_eq!(replicas.iter().map(|replica| replica.steps("create")).sum::<u64>(), 1);
    assert_all_serve_one_of(&installed, &replicas, &authority);
    wait_until_called(cluster, &installed);

    // Of the configuration, nothing but the caBundle is ours.
    let shown = cluster.kubectl(&[
        "get",
        "mutatingwebhookconfiguration",
        &installed.namespace,
        "-o",
        "json",
        "--show-managed-fields",
    ]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let managers = shown["metadata"]["managedFields"].as_array().unwrap();
    let own = managers.iter().find(|entry| entry["manager"] == "spark-swap-ca-bundle").expect("our manager");
    assert_eq!(own["operation"], "Apply");
    let entry = r#"k:{"name":"executors.spark-swap.io"}"#;
    let field = json!({".": {}, "f:clientConfig": {"f:caBundle": {}}, "f:name": {}});
    assert_eq!(own["fieldsV1"], json!({"f:webhooks": {entry: field}}));

    // What is deleted comes back as it was, and what is blanked is filled again.
    cluster.kubectl(&["delete", "secret", "spark-swap-tls", "-n", &installed.namespace]);
    wait::until("Secret", wait::LIMIT, || match installed.kept("ca.crt") {
        kept if kept == authority => Ok(()),
        other => Err(other),
    });
    for blank in ["", "\n"] {
        installed.put_ca_bundle(blank);
        wait::until("caBundle", wait::LIMIT, || match installed.ca_bundle() {
            bundle if bundle == authority => Ok(()),
            other => Err(other + &replicas[0].process.tail()),
        });
    }
    assert_all_serve_one_of(&installed, &replicas, &authority);
    wait_until_called(cluster, &installed);

    let rights = ["secrets", "mutatingwebhookconfigurations"]
        .iter()
        .flat_map(|resource| ["get", "list", "watch", "patch"].map(|verb| format!("{verb} {resource}")))
        // Deleted by somebody else, it is created again; the first one was, too.
        .chain(["create secrets".to_owned()])
        .collect::<BTreeSet<_>>();
    // So that the Secret is patched, too.
    annotate(cluster, &installed, "spark-swap.io/rotate=leaf");
    wait::until("use of every right", wait::LIMIT, || {
        let requests = cluster.requests_of(&installed.user());
        let is_refused =
            |request: &&Request| request.status == FORBIDDEN && request.resource != "swapclasses/status";
        let refused: Vec<_> = requests.iter().filter(is_refused).collect();
        assert!(refused.is_empty(), "{refused:?}");
        let used = requests.iter().map(|request| format!("{} {}", request.verb, request.resource));
        let used: BTreeSet<_> =
            used.filter(|right| right.ends_with("secrets") || right.ends_with("configurations")).collect();
        if used == rights { Ok(()) } else { Err(format!("{used:?}")) }
    });
}

#[test]
fn a_rotation_that_is_asked_for_goes_through_every_stage_without_an_executor_missed() {
    let cluster = shared();
    let installed = Installation::new(cluster, |_| {});
    // Created empty, as the manifests do.
    cluster.create(&json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "spark-swap-tls", "namespace": installed.namespace, "labels": {"kept": "yes"}},
    }));
    let replicas = ["one", "two", "three"].map(|name| installed.start(name, &["--ca-propagation=1s"]));
    replicas.iter().for_each(Replica::wait_until_ready);
    wait_until_called(cluster, &installed);
    let first = installed.kept("ca.crt");
    let executor = installed.executor("");
    let load = Load::start(cluster, &installed.executors, move |name| {
        let mut pod = executor.clone();
        pod["metadata"]["name"] = json!(name);
        pod
    });
    load.wait_for(5, &Created::is_planned);

    annotate(cluster, &installed, "spark-swap.io/rotate=ca");
    let second = wait::until("new authority", wait::LIMIT, || {
        let kept = installed.kept("ca.crt");
        if kept == first { Err(replicas[0].process.tail()) } else { Ok(kept) }
    });
    load.wait_for(20, &Created::is_planned);
    assert_all_serve_one_of(&installed, &replicas, &second);
    assert_eq!(installed.ca_bundle().matches("BEGIN CERTIFICATE").count(), 2, "both, for a while");
    // Until nothing that the old one signed is valid any more: a date that is written down.
    annotate(cluster, &installed, "spark-swap.io/previous-ca-until=2026-01-01T00:00:00Z");
    wait::until("end of the old authority", wait::LIMIT, || {
        let (bundle, previous) = (installed.ca_bundle(), installed.kept("previous-ca.crt"));
        if bundle == second && previous.is_empty() {
            Ok(())
        } else {
            Err(bundle + &replicas[0].process.tail())
        }
    });
    load.wait_for(20, &Created::is_planned);
    let created = load.stop();
    let missed = created.iter().filter(|created| !created.is_planned()).count();
    assert_eq!(missed, 0, "of {}", created.len());
    for step in ["create", "stage_ca", "confirm", "promote_ca", "drop_previous_ca"] {
        let taken: u64 = replicas.iter().map(|replica| replica.steps(step)).sum();
        assert_eq!(taken, 1, "{step}");
    }
    let secret = installed.secret();
    assert_eq!(secret["metadata"]["labels"]["kept"], "yes");
    assert!(secret["metadata"]["annotations"].as_object().is_none_or(serde_json::Map::is_empty), "{secret}");
    assert_eq!(secret["data"].as_object().unwrap().len(), 4, "{secret}");
}

#[test]
fn where_somebody_else_keeps_the_ca_bundle_it_is_never_written() {
    let cluster = shared();
    let installed = Installation::new(cluster, |_| {});
    let replica = installed.start("one", &["--manage-ca-bundle=false"]);
    replica.wait_until_ready();
    assert_eq!(installed.ca_bundle(), "");
    // What the API server would not trust is not ready.
    installed.put_ca_bundle(&authority().certificate_pem());
    wait::until("distrust", wait::LIMIT, || {
        let Answer { status, body } = replica.readiness();
        let is_told = body.contains("the API server would not trust the served certificate")
            && body.contains(&format!("caBundle of mutatingwebhookconfiguration/{}", installed.namespace));
        if status == 503 && is_told { Ok(()) } else { Err(body) }
    });
    installed.put_ca_bundle(&installed.kept("ca.crt"));
    replica.wait_until_ready();
    wait_until_called(cluster, &installed);
    let writes = cluster.requests_of(&installed.user()).into_iter().filter(|request| request.verb == "patch");
    let writes: Vec<_> =
        writes.filter(|request| request.resource == "mutatingwebhookconfigurations").collect();
    assert!(writes.is_empty(), "{writes:?}");
}

#[test]
fn a_right_that_is_missing_is_named_by_readiness_and_log() {
    let cluster = shared();
    for (resource, named) in [
        ("secrets", r#"cannot list resource "secrets""#),
        ("mutatingwebhookconfigurations", r#"cannot list resource "mutatingwebhookconfigurations""#),
    ] {
        let installed = Installation::new(cluster, |object| {
            if let Some(rules) = object["rules"].as_array_mut() {
                rules.retain(|rule| rule["resources"] != json!([resource]));
            }
        });
        let replica = installed.start("one", &[]);
        wait::until("named right", wait::LIMIT, || {
            let Answer { status, body } = replica.readiness();
            // The log quotes it.
            let log = replica.process.log().replace('\\', "");
            let is_named = body.contains(named) && log.contains(named);
            if status == 503 && is_named { Ok(()) } else { Err(body + &replica.process.tail()) }
        });
    }
}

#[test]
fn in_a_cluster_without_an_installation_it_serves_from_memory_and_says_so() {
    let cluster = shared();
    let dir = tempfile::TempDir::new_in(cluster.dir()).unwrap();
    let replica =
        Replica::start(&cluster.kubeconfig(), dir.path(), "trial", &["--namespace", "nobody-made-this"]);
    replica.wait_until_ready();
    let log = replica.process.log();
    assert!(log.contains("nothing is installed in this cluster"), "{log}");
    assert!(log.contains("-----BEGIN CERTIFICATE-----"), "{log}");
}

#[test]
fn a_secret_that_somebody_else_fills_is_served_and_judged_by_the_ca_bundle() {
    let cluster = shared();
    let installed = Installation::new(cluster, |_| {});
    let replica = installed.start("one", &["--tls-source=secret"]);
    wait::until("reason", wait::LIMIT, || {
        let Answer { status, body } = replica.readiness();
        let is_told = body.contains(&format!("there is no secret {}/spark-swap-tls", installed.namespace));
        if status == 503 && is_told { Ok(()) } else { Err(body) }
    });
    let authority = authority();
    for _ in 0..3 {
        let issued = authority.issue(&[service_name(&installed)], validity()).unwrap();
        cluster.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": "spark-swap-tls", "namespace": installed.namespace},
            "stringData": {"tls.crt": issued.certificate_pem, "tls.key": issued.key_pem},
        }));
        installed.put_ca_bundle(&authority.certificate_pem());
        wait::until("renewed certificate", wait::LIMIT, || {
            let served = (replica.readiness().status == 200).then(|| replica.served());
            let leaf = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap();
            if served.is_some_and(|chain| chain[0] == leaf) { Ok(()) } else { Err(replica.process.tail()) }
        });
        wait_until_called(cluster, &installed);
    }
}

fn shared() -> &'static ControlPlane {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    cluster
}

fn authority() -> Authority {
    Authority::new(validity()).unwrap()
}

fn validity() -> Validity {
    Validity::days_from(OffsetDateTime::now_utc(), 1)
}

fn service_name(installed: &Installation) -> String {
    format!("spark-swap.{}.svc", installed.namespace)
}

fn annotate(cluster: &ControlPlane, installed: &Installation, annotation: &str) {
    let secret = ["secret", "spark-swap-tls", "-n", &installed.namespace];
    cluster.kubectl(&[&["annotate", "--overwrite"], &secret[..], &[annotation]].concat());
}

/// By the Service's name, as the API server asks for it; soon, for each hears of the Secret by its own watch.
fn assert_all_serve_one_of(installed: &Installation, replicas: &[Replica], authority: &str) {
    let authorities = Authorities::from_pem("ca.crt", authority.as_bytes()).unwrap();
    for replica in replicas {
        wait::until("certificate of the authority", wait::LIMIT, || {
            let now = Timestamp::now();
            authorities.verify(&replica.served(), &service_name(installed), now)
        });
    }
}

/// The API server learns of a caBundle by a watch.
fn wait_until_called(cluster: &ControlPlane, installed: &Installation) {
    let probe = installed.executor("probe");
    wait::until("planned executor", wait::LIMIT, || {
        let pod = cluster.try_create(&probe, &["-n", &installed.executors, "--dry-run=server"])?;
        pods::plan(&pod).map(drop).ok_or_else(|| "no plan".to_owned())
    });
}
