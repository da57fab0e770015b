//! What is installed is the same by kustomize, by the chart and by `spark-swap manifests`.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::cluster::documents::parse_documents;

use crate::helm::template;
use crate::webhook::program;
use crate::{parts, process};

const MANIFESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests");

/// The objects of an installation by kind and name, without what only Helm writes.
#[derive(Debug, PartialEq)]
struct Objects(BTreeMap<(String, String), Value>);

impl Objects {
    fn of(manifest: &str) -> Self {
        let documents = parse_documents(manifest).unwrap_or_else(|error| panic!("{error} in\n{manifest}"));
        let keyed = documents.into_iter().map(|mut object| {
            forget_helm(&mut object);
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            ((text(&object["kind"]), text(&object["metadata"]["name"])), object)
        });
        Self(keyed.collect())
    }

    fn of_kustomization(directory: &str) -> Self {
        let mut kubectl = Command::new(parts::control_plane_binary());
        kubectl.args(["kubectl", "kustomize", directory]);
        Self::of(&process::run(&mut kubectl, "").unwrap_or_else(|error| panic!("{directory}: {error}")))
    }

    fn of_the_chart(values: &[&str]) -> Self {
        Self::of(&template("spark-swap", values).unwrap_or_else(|error| panic!("{values:?}: {error}")))
    }

    fn get(&self, kind: &str, name: &str) -> &Value {
        self.0
            .get(&(kind.to_owned(), name.to_owned()))
            .unwrap_or_else(|| panic!("no {kind} {name} in {self:?}"))
    }

    /// The Namespace is Helm's own affair (`--create-namespace`).
    fn without_namespace(mut self) -> Self {
        self.0.remove(&("Namespace".to_owned(), "spark-swap".to_owned())).expect("a Namespace");
        self
    }

    #[track_caller]
    fn assert_same(&self, other: &Self) {
        let [ours, theirs] = [self, other].map(|objects| objects.0.keys().collect::<Vec<_>>());
        assert_eq!(ours, theirs);
        for (key, object) in &self.0 {
            let other = &other.0[key];
            // The first line that differs says more than two objects.
            let [ours, theirs] = [object, other].map(|object| format!("{object:#}"));
            let differing = ours.lines().zip(theirs.lines()).find(|(our, their)| our != their);
            assert!(object == other, "{key:?}: {differing:?}");
        }
    }
}

fn forget_helm(object: &mut Value) {
    for map in ["labels", "annotations"] {
        let entries = object["metadata"].get_mut(map).and_then(Value::as_object_mut);
        let Some(entries) = entries else { continue };
        entries.retain(|key, _| !key.starts_with("helm.sh/") && key != "app.kubernetes.io/managed-by");
        if entries.is_empty() {
            object["metadata"].as_object_mut().unwrap().remove(map);
        }
    }
}

#[rstest]
#[case("self-managed", &[])]
#[case("high-availability", &["--set", "highAvailability=true"])]
#[case("cert-manager", &["--set", "certificates.mode=certManager"])]
#[case("openshift", &["--set", "openshift=true"])]
fn the_chart_renders_the_objects_of_an_overlay(#[case] overlay: &str, #[case] values: &[&str]) {
    let overlay = Objects::of_kustomization(&format!("{MANIFESTS}/overlays/{overlay}"));
    Objects::of_the_chart(values).assert_same(&overlay.without_namespace());
}

#[rstest]
#[case(&["service-monitor"], &["--set", "serviceMonitor.enabled=true"])]
#[case(&["miss-detector"], &["--set", "missDetector.enabled=true"])]
#[case(
    &["cert-manager", "high-availability", "openshift", "service-monitor", "miss-detector"],
    &["--set", "certificates.mode=certManager,highAvailability=true,openshift=true",
      "--set", "serviceMonitor.enabled=true,missDetector.enabled=true"]
)]
fn components_go_together_as_values_do(#[case] components: &[&str], #[case] values: &[&str]) {
    let directory = tempfile::tempdir_in(parts::work_dir()).unwrap();
    // A kustomization has relative paths only.
    let up = "../".repeat(directory.path().components().count());
    let component = |name: &&str| format!("{up}{MANIFESTS}/components/{name}");
    let kustomization = json!({
        "resources": [format!("{up}{MANIFESTS}/base")],
        "components": components.iter().map(component).collect::<Vec<_>>(),
    });
    fs::write(directory.path().join("kustomization.yaml"), kustomization.to_string()).unwrap();
    let kustomized = Objects::of_kustomization(directory.path().to_str().unwrap());
    Objects::of_the_chart(values).assert_same(&kustomized.without_namespace());
}

#[rstest]
#[case::ours("certificates.mode=selfManaged", true)]
#[case::of_cert_manager("certificates.mode=certManager", false)]
#[case::from_files("certificates.mode=files,certificates.files.secretName=tls", false)]
fn who_does_not_make_the_certificates_cannot_write_the_webhook_configuration(
    #[case] mode: &str,
    #[case] writes: bool,
) {
    let rendered = Objects::of_the_chart(&["--set", mode]);
    let rules = rendered.get("ClusterRole", "spark-swap")["rules"].as_array().unwrap();
    let is_about_it = |rule: &&Value| rule["resources"] == json!(["mutatingwebhookconfigurations"]);
    let verbs = rules.iter().find(is_about_it).unwrap()["verbs"].as_array().unwrap();
    assert_eq!(verbs.contains(&json!("patch")), writes, "{verbs:?}");
}

#[test]
fn the_command_prints_the_objects_of_the_default_overlay() {
    let printed = process::run(Command::new(program()).arg("manifests"), "").unwrap();
    Objects::of(&printed)
        .assert_same(&Objects::of_kustomization(&format!("{MANIFESTS}/overlays/self-managed")));
}

#[test]
fn the_chart_installs_into_any_namespace() {
    let values = ["--set", "certificates.mode=certManager"];
    let chart = template("tools", &values).unwrap();
    let elsewhere = Objects::of(&chart);
    let webhook = &elsewhere.get("MutatingWebhookConfiguration", "spark-swap")["webhooks"][0];
    assert_eq!(webhook["clientConfig"]["service"]["namespace"], "tools");
    assert_eq!(
        webhook["namespaceSelector"]["matchExpressions"][0]["values"],
        json!(["kube-system", "kube-node-lease", "tools"])
    );
    assert_eq!(elsewhere.get("ClusterRoleBinding", "spark-swap")["subjects"][0]["namespace"], "tools");
    assert!(
        !chart.contains("namespace: spark-swap\n") && !chart.contains("spark-swap.spark-swap"),
        "{chart}"
    );
}

#[test]
fn values_narrow_what_the_webhook_sees_and_never_widen_it() {
    let wide = json!({
        "namespaceSelector": {
            "matchLabels": {"team": "etl"},
            "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["kube-system"]}],
        },
        "objectSelector": {"matchLabels": {"spark-role": "driver", "tier": "batch"}},
    });
    let rendered = Objects::of_the_chart(&["--set-json", &format!("webhook={wide}")]);
    let plain = Objects::of_the_chart(&[]);
    let webhook =
        |objects: &Objects| objects.get("MutatingWebhookConfiguration", "spark-swap")["webhooks"][0].clone();
    let mut expected = webhook(&plain);
    expected["namespaceSelector"]["matchLabels"] = json!({"team": "etl"});
    let always = expected["namespaceSelector"]["matchExpressions"].as_array_mut().unwrap();
    always.extend(wide["namespaceSelector"]["matchExpressions"].as_array().unwrap().clone());
    expected["objectSelector"]["matchLabels"] = json!({"spark-role": "executor", "tier": "batch"});
    assert_eq!(webhook(&rendered), expected);
}

#[test]
fn ports_and_the_network_of_the_host_are_values() {
    let values = ["--set", "hostNetwork=true,ports.https=10260,ports.admin=10261,logFormat=json"];
    let rendered = Objects::of_the_chart(&values);
    let pod = &rendered.get("Deployment", "spark-swap")["spec"]["template"]["spec"];
    assert_eq!((&pod["hostNetwork"], &pod["dnsPolicy"]), (&json!(true), &json!("ClusterFirstWithHostNet")));
    let container = &pod["containers"][0];
    assert_eq!(
        container["args"],
        json!(["serve", "--listen=0.0.0.0:10260", "--admin-listen=0.0.0.0:10261", "--log-format=json"])
    );
    assert_eq!(container["ports"][0], json!({"name": "https", "containerPort": 10260}));
    assert_eq!(container["ports"][1], json!({"name": "admin", "containerPort": 10261}));
    // Whoever calls does so by the names of ports.
    assert_eq!(rendered.get("Service", "spark-swap")["spec"]["ports"][0]["targetPort"], "https");
    assert_eq!(container["readinessProbe"]["httpGet"]["port"], "admin");
}

#[rstest]
#[case::unknown("replica=3", "additional properties 'replica' not allowed")]
#[case::unknown_below("image.tags=1", "additional properties 'tags' not allowed")]
#[case::failure_policy("webhook.failurePolicy=ignore", "one of 'Ignore', 'Fail'")]
#[case::mode("certificates.mode=self", "one of 'selfManaged', 'certManager', 'files'")]
#[case::files("certificates.mode=files", "/certificates/files/secretName")]
#[case::no_certificate("certificates.files.caBundle=ca.crt", "/certificates/files/caBundle")]
#[case::percent("canary.rolloutPercent=101", "/canary/rolloutPercent")]
#[case::privileged_port("ports.https=443", "/ports/https")]
#[case::no_replica("replicas=0", "/replicas")]
#[case::argument("extraArgs={serve}", "/extraArgs/0")]
fn a_value_that_is_none_is_refused(#[case] value: &str, #[case] problem: &str) {
    let refusal = template("spark-swap", &["--set", value]).unwrap_err();
    assert!(refusal.contains(problem), "{refusal}");
}
