//! Installing, upgrading and removing with the real kubectl and the real helm.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use spark_swap::cluster::certificates::authority::{Authority, Validity};
use time::OffsetDateTime;

use crate::control_plane::ControlPlane;
use crate::deployment::Replicas;
use crate::helm::{CHART, template};
use crate::pods::{self, MIB};
use crate::site::{NAME, Site};
use crate::spark::{Application, SPARK_3, SPARK_4};
use crate::webhook::program;
use crate::{process, wait};

const CONFIGURATION: &str = "mutatingwebhookconfiguration";

/// The path of something in `manifests/`.
pub(crate) fn kustomization(path: &str) -> String {
    format!("{}/manifests/{path}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn kubectl_installs_an_overlay_and_removes_it() {
    for (overlay, replicas) in [("self-managed", 2), ("high-availability", 3), ("openshift", 2)] {
        let site = Site::with_nodes();
        let overlay = kustomization(&format!("overlays/{overlay}"));
        site.cluster.kubectl(&["apply", "-k", &overlay]);
        assert_restricted(site.cluster);
        let pods = site.assert_deployed(replicas);
        let mut nodes: Vec<_> = pods.iter().map(|pod| pod["spec"]["nodeName"].to_string()).collect();
        nodes.sort_unstable();
        nodes.dedup();
        assert_eq!(nodes.len(), replicas, "replicas are apart");
        assert!(pods.iter().all(|pod| pod["spec"]["priority"] == 1_000_000_000));

        site.cluster.kubectl(&["delete", "-k", &overlay, "--wait=false"]);
        site.wait_until_gone();
        assert_nothing_is_left(site.cluster, &["crd"]);
        assert_executors_start(site.cluster);
    }
}

/// The namespace enforces Pod Security, so that the pods of a test that it lets in keep it.
fn assert_restricted(cluster: &ControlPlane) {
    let refusal = cluster.try_create(&pods::executor("loose", 1024, 384), &["-n", NAME]).unwrap_err();
    assert!(refusal.contains("violates PodSecurity \"restricted:latest\""), "{refusal}");
}

#[test]
fn helm_installs_upgrades_and_removes() {
    let site = Site::with_nodes();
    let cluster = site.cluster;
    cluster.helm(&["install", NAME, CHART, "-n", NAME, "--create-namespace"]);
    enforce_restricted(cluster);
    site.assert_deployed(2);

    publish(cluster);
    fill_secret(cluster);
    let values = "highAvailability=true,webhook.timeoutSeconds=3,webhook.failurePolicy=Fail";
    let upgrade = ["upgrade", NAME, CHART, "-n", NAME];
    cluster.helm(&[&upgrade[..], &["--set", values]].concat());
    site.assert_rolled_out(3);
    assert_published(cluster);
    assert_secret_is_filled(cluster);
    let webhook = &cluster.get(CONFIGURATION, "", NAME)["webhooks"][0];
    assert_eq!((&webhook["timeoutSeconds"], &webhook["failurePolicy"]), (&json!(3), &json!("Fail")));
    cluster.helm(&[&upgrade[..], &["--reset-values"]].concat());
    assert_published(cluster);
    assert_eq!(cluster.get(CONFIGURATION, "", NAME)["webhooks"][0]["failurePolicy"], "Ignore");

    cluster.helm(&["uninstall", NAME, "-n", NAME]);
    assert_nothing_is_left(cluster, &[]);
    assert_executors_start(cluster);
    // With the definition would go all classes, and the namespace was not the chart's.
    cluster.get("crd", "", "swapclasses.spark-swap.io");
    site.assert_empty();
}

#[test]
fn what_the_server_writes_outlives_another_apply() {
    for options in [&[][..], &["--server-side"]] {
        let site = Site::clean();
        let cluster = site.cluster;
        let overlay = kustomization("overlays/self-managed");
        let apply = [&["apply", "-k", &overlay], options].concat();
        cluster.kubectl(&apply);
        publish(cluster);
        fill_secret(cluster);
        let again = cluster.kubectl(&apply);
        assert_published(cluster);
        assert_secret_is_filled(cluster);
        let is_settled = |line: &&str| {
            // The client-side kubectl replaces the selector of a disruption budget, changed or not.
            ["unchanged", "serverside-applied", "poddisruptionbudget.policy/spark-swap configured"]
                .iter()
                .any(|end| line.ends_with(end))
        };
        assert_eq!(again.lines().find(|line| !is_settled(line)), None, "{again}");

        // A change of what is around it, too.
        let mut changed = cluster.get(CONFIGURATION, "", NAME);
        for written_by_the_server in
            ["resourceVersion", "uid", "generation", "creationTimestamp", "managedFields"]
        {
            changed["metadata"].as_object_mut().unwrap().remove(written_by_the_server);
        }
        changed["webhooks"][0]["clientConfig"].as_object_mut().unwrap().remove("caBundle");
        changed["webhooks"][0]["timeoutSeconds"] = json!(1);
        let apply = [&["apply", "-f", "-"], options].concat();
        cluster.try_kubectl_with(&apply, &changed.to_string()).unwrap();
        assert_published(cluster);
        assert_eq!(cluster.get(CONFIGURATION, "", NAME)["webhooks"][0]["timeoutSeconds"], 1);
    }
}

#[test]
fn the_chart_with_every_value_is_accepted() {
    let site = Site::clean();
    let cluster = site.cluster;
    cluster.kubectl(&["create", "namespace", NAME]);
    let values = json!({
        "image": {"repository": "registry.example.com/spark-swap", "pullSecrets": [{"name": "registry"}],
                  "digest": format!("sha256:{}", "0".repeat(64))},
        "certificates": {"mode": "files", "files": {"secretName": "tls", "caBundle": authority()}},
        "webhook": {"failurePolicy": "Fail", "timeoutSeconds": 1, "annotations": {"admissions.enforcer/disabled": "true"},
                    "namespaceSelector": {"matchLabels": {"team": "etl"}},
                    "objectSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}},
        "hostNetwork": true, "ports": {"https": 10260, "admin": 10261},
        "tolerations": [{"operator": "Exists"}], "nodeSelector": {"pool": "system"},
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app.kubernetes.io/name": NAME}}}]}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}],
        "priorityClass": {"create": false, "name": "system-cluster-critical"},
        "podDisruptionBudget": {"minAvailable": "50%"},
        "networkPolicy": {"metricsFrom": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]},
        "missDetector": {"enabled": true}, "logLevel": "info,spark_swap::server=debug", "logFormat": "json",
        "extraArgs": ["--transient-taint=a"], "extraEnv": [{"name": "RUST_BACKTRACE", "value": "1"}],
        "podLabels": {"team": "platform"}, "podAnnotations": {"example.com/note": "5"},
    });
    let path = cluster.dir().join("every-value.json");
    std::fs::write(&path, values.to_string()).unwrap();
    let rendered = template(NAME, &["-f", path.to_str().unwrap()]).unwrap();
    cluster
        .try_kubectl_with(
            &["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"],
            &rendered,
        )
        .unwrap();
}

#[test]
fn a_canary_is_the_default_class_for_a_share_of_the_applications() {
    let site = Site::clean();
    let cluster = site.cluster;
    let percent = || cluster.get("swapclass", "", "spark-swap-canary")["spec"]["rolloutPercent"].clone();
    let canary = |verb: &str, percent: &str| {
        let value = format!("canary.rolloutPercent={percent}");
        cluster.helm(&[verb, NAME, CHART, "-n", NAME, "--create-namespace", "--set", &value]);
    };
    canary("install", "10");
    assert_eq!(percent(), 10);
    canary("upgrade", "100");
    assert_eq!(percent(), 100);
    let class = cluster.get("swapclass", "", "spark-swap-canary");
    assert_eq!(class["metadata"]["annotations"]["spark-swap.io/is-default-class"], "true");
    // Nobody loses his class by an upgrade without it.
    canary("upgrade", "null");
    assert_eq!(percent(), 100);
    cluster.helm(&["uninstall", NAME, "-n", NAME]);
    assert_eq!(percent(), 100);
}

/// Certificates of somebody else's making, in the chart's mode `files`.
#[test]
fn an_installation_by_helm_plans_executors_through_its_service() {
    let site = Site::with_nodes();
    let cluster = site.cluster;
    let certificates = tempfile::tempdir_in(cluster.dir()).unwrap();
    let path = |name: &str| certificates.path().join(name).to_str().unwrap().to_owned();
    let mut certs = Command::new(program());
    process::run(certs.arg("certs").arg("--force").arg("--out").arg(certificates.path()), "").unwrap();
    cluster.kubectl(&["create", "namespace", NAME]);
    enforce_restricted(cluster);
    let (certificate, key) = (format!("--cert={}", path("tls.crt")), format!("--key={}", path("tls.key")));
    cluster.kubectl(&["create", "secret", "tls", "own", "-n", NAME, &certificate, &key]);
    let authority = format!("certificates.files.caBundle={}", path("ca.crt"));
    let values = "certificates.mode=files,certificates.files.secretName=own";
    cluster.helm(&["install", NAME, CHART, "-n", NAME, "--set", values, "--set-file", &authority]);
    let _replicas = assert_works(&site);
    cluster.helm(&["uninstall", NAME, "-n", NAME]);
    assert_executors_start(cluster);
}

#[test]
fn an_installation_by_helm_needs_nothing_but_itself() {
    let site = Site::with_nodes();
    let cluster = site.cluster;
    cluster.helm(&["install", NAME, CHART, "-n", NAME, "--create-namespace"]);
    let replicas = assert_works(&site);
    assert_spark_is_planned(cluster, SPARK_4);

    // Under the running server, which owns what it wrote.
    cluster.helm(&["upgrade", NAME, CHART, "-n", NAME, "--set", "webhook.timeoutSeconds=5"]);
    assert_published(cluster);
    planned_executor(cluster);
    cluster.helm(&["uninstall", NAME, "-n", NAME]);
    assert_nothing_is_left(cluster, &[]);
    assert_executors_start(cluster);
    drop(replicas);
    // Not even what a running server could have made again.
    site.assert_empty();
}

#[test]
fn an_installation_by_kubectl_needs_nothing_but_itself() {
    let site = Site::with_nodes();
    let cluster = site.cluster;
    let overlay = kustomization("overlays/self-managed");
    cluster.kubectl(&["apply", "-k", &overlay]);
    let _replicas = assert_works(&site);
    assert_spark_is_planned(cluster, SPARK_3);

    cluster.kubectl(&["apply", "-k", &overlay]);
    assert_published(cluster);
    planned_executor(cluster);
    cluster.kubectl(&["delete", "-k", &overlay, "--wait=false"]);
    site.wait_until_gone();
    assert_nothing_is_left(cluster, &["crd"]);
    assert_executors_start(cluster);
}

/// Runs what is installed: the API server calls it by its Service, and `check` finds nothing wrong.
fn assert_works(site: &Site) -> Replicas {
    let cluster = site.cluster;
    site.assert_deployed(2);
    let replicas = Replicas::run(site);
    let planned = planned_executor(cluster);
    assert_eq!(pods::request(&planned), pods::limit(&planned) - MIB);
    let mut check = Command::new(program());
    check.arg("check").arg("--kubeconfig").arg(cluster.kubeconfig());
    let output = process::output(&mut check, "").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    replicas
}

/// An executor as it comes back with a plan. The API server learns by watches whom to call and to trust.
fn planned_executor(cluster: &ControlPlane) -> Value {
    let executor = pods::executor("executor", 1024, 384);
    wait::until("planned executor", wait::LIMIT, || {
        let pod = cluster.try_create(&executor, &["-n", "default", "--dry-run=server"])?;
        if pods::plan(&pod).is_some() { Ok(pod) } else { Err(pod.to_string()) }
    })
}

fn assert_spark_is_planned(cluster: &ControlPlane, version: &str) {
    let namespace = cluster.namespace("spark", json!({}));
    let executors = Application::new(cluster, version, &namespace).executors(2).executor_pods();
    assert_eq!(executors.len(), 2);
    for executor in executors {
        assert_eq!(pods::plan(&executor).expect("a plan")["class"], "safety-net");
        assert_eq!(pods::request(&executor), pods::limit(&executor) - MIB);
    }
}

/// Writes caBundle, as the running server does.
fn publish(cluster: &ControlPlane) {
    let applied = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": NAME},
        "webhooks": [{"name": "executors.spark-swap.io", "clientConfig": {"caBundle": STANDARD.encode(authority())}}],
    });
    let options =
        ["--server-side", "--field-manager=spark-swap-ca-bundle", "--force-conflicts", "--validate=ignore"];
    cluster.try_kubectl_with(&[&["apply", "-f", "-"], &options[..]].concat(), &applied.to_string()).unwrap();
    assert_published(cluster);
}

fn authority() -> String {
    Authority::new(Validity::days_from(OffsetDateTime::now_utc(), 100)).unwrap().certificate_pem()
}

/// That caBundle is there, and still the server's.
fn assert_published(cluster: &ControlPlane) {
    let shown = ["get", CONFIGURATION, NAME, "-o", "json", "--show-managed-fields"];
    let configuration: Value = serde_json::from_str(&cluster.kubectl(&shown)).unwrap();
    let webhook = &configuration["webhooks"][0];
    assert!(webhook["clientConfig"]["caBundle"].is_string(), "{webhook}");
    let owns = |fields: &Value| {
        let entry = &fields["fieldsV1"]["f:webhooks"][r#"k:{"name":"executors.spark-swap.io"}"#];
        entry["f:clientConfig"].get("f:caBundle").is_some()
    };
    let managers = configuration["metadata"]["managedFields"].as_array().unwrap();
    let owners: Vec<_> =
        managers.iter().filter(|fields| owns(fields)).map(|fields| &fields["manager"]).collect();
    assert_eq!(owners, ["spark-swap-ca-bundle"]);
}

fn fill_secret(cluster: &ControlPlane) {
    let data = json!({"stringData": {"tls.crt": "certificate"}}).to_string();
    cluster.kubectl(&["patch", "secret", "spark-swap-tls", "-n", NAME, "-p", &data]);
}

fn assert_secret_is_filled(cluster: &ControlPlane) {
    let secret = cluster.get("secret", NAME, "spark-swap-tls");
    assert_eq!(secret["data"], json!({"tls.crt": STANDARD.encode("certificate")}));
}

fn enforce_restricted(cluster: &ControlPlane) {
    cluster.kubectl(&["label", "namespace", NAME, "pod-security.kubernetes.io/enforce=restricted"]);
}

/// Nothing that is not in a namespace, `kinds` included.
fn assert_nothing_is_left(cluster: &ControlPlane, kinds: &[&str]) {
    let always = [
        CONFIGURATION,
        "validatingadmissionpolicy",
        "validatingadmissionpolicybinding",
        "clusterrole",
        "clusterrolebinding",
        "priorityclass",
    ];
    let kinds = [&always, kinds].concat().join(",");
    let left = ["get", &kinds, "-l", "app.kubernetes.io/name=spark-swap", "-o", "name"];
    // A definition goes when its objects are gone.
    wait::until("end of the installation", wait::LIMIT, || {
        let left = cluster.kubectl(&left);
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}

/// Executors are created, as Spark wrote them.
fn assert_executors_start(cluster: &ControlPlane) {
    let namespace = cluster.namespace("afterwards", json!({}));
    let executor = cluster.try_create(&pods::executor("executor", 1024, 384), &["-n", &namespace]).unwrap();
    assert_eq!(pods::plan(&executor), None);
}
