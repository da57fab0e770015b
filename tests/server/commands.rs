//! `certs` and `manifests`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::cluster::documents::parse_documents;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spark-swap")).args(arguments).output().unwrap()
}

/// What `manifests` prints as JSON.
fn manifests(arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(&[&["-o", "json"], arguments].concat())).unwrap()
}

/// What `manifests` prints.
fn printed(arguments: &[&str]) -> String {
    let output = run(&[&["manifests"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8(output.stderr).unwrap());
    String::from_utf8(output.stdout).unwrap()
}

fn webhook(arguments: &[&str]) -> Value {
    manifests(&[&["--only", "webhook"], arguments].concat())
}

fn kinds(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|object| object["kind"].as_str().unwrap()).collect()
}

#[test]
fn certs_writes_four_files_with_private_keys_and_says_what_is_next() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("new/certs");
    let flags = ["--san", "a.example,10.0.0.7", "--san", "b.example", "--days", "7"];
    let output = run(&[&["certs", "--out", out.to_str().unwrap()], &flags[..]].concat());
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("spark-swap serve --tls-cert") && text.contains("ca.crt"), "{text}");
    for (name, mode) in [("ca.crt", 0o644), ("ca.key", 0o600), ("tls.crt", 0o644), ("tls.key", 0o600)] {
        let found = fs::metadata(out.join(name)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{name}");
    }
    assert_eq!(fs::read_dir(&out).unwrap().count(), 4);

    let pem = fs::read(out.join("tls.crt")).unwrap();
    let der = x509_parser::pem::parse_x509_pem(&pem).unwrap().1.contents;
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
    for name in ["localhost", "spark-swap.spark-swap.svc", "a.example", "b.example"] {
        assert!(names.contains(&GeneralName::DNSName(name)), "{name}");
    }
    for address in [&[127, 0, 0, 1][..], &[10, 0, 0, 7]] {
        assert!(names.contains(&GeneralName::IPAddress(address)), "{address:?}");
    }
    let life = certificate.validity().not_after.timestamp() - certificate.validity().not_before.timestamp();
    assert_eq!(life, 7 * 86_400 + 300);
}

#[test]
fn certs_for_a_client_come_with_what_makes_the_api_server_show_them() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("mtls");
    let flags =
        ["--client", "--webhook", "spark-swap.tools.svc,10.0.0.7:8443", "--api-server-dir", "/etc/k s"];
    let output = run(&[&["certs", "--out", out.to_str().unwrap()], &flags[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8(output.stderr).unwrap());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("--admission-control-config-file=/etc/k s/admission-configuration.yaml"), "{text}");
    assert!(text.contains("client-ca.crt --client-name kube-apiserver"), "{text}");
    let modes = [
        ("client-ca.crt", 0o644),
        ("client-ca.key", 0o600),
        ("client.crt", 0o644),
        ("client.key", 0o600),
        ("webhook-kubeconfig.yaml", 0o644),
        ("admission-configuration.yaml", 0o644),
    ];
    for (name, mode) in modes {
        let found = fs::metadata(out.join(name)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{name}");
    }
    assert_eq!(fs::read_dir(&out).unwrap().count(), modes.len());

    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    let user = json!({"client-certificate": "/etc/k s/client.crt", "client-key": "/etc/k s/client.key"});
    let users =
        ["spark-swap.tools.svc", "10.0.0.7:8443"].map(|name| json!({"name": name, "user": user.clone()}));
    let kubeconfig: Value = serde_saphyr::from_str(&read("webhook-kubeconfig.yaml")).unwrap();
    assert_eq!(kubeconfig, json!({"apiVersion": "v1", "kind": "Config", "users": users}));
    let admission: Value = serde_saphyr::from_str(&read("admission-configuration.yaml")).unwrap();
    assert_eq!(
        admission["plugins"][0]["configuration"]["kubeConfigFile"],
        "/etc/k s/webhook-kubeconfig.yaml"
    );

    let pem = fs::read(out.join("client.crt")).unwrap();
    let der = x509_parser::pem::parse_x509_pem(&pem).unwrap().1.contents;
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth);
    assert_eq!(certificate.subject().to_string(), "CN=kube-apiserver");
}

#[test]
fn certs_overwrites_only_by_force() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().to_str().unwrap();
    fs::write(directory.path().join("tls.key"), "precious").unwrap();
    let output = run(&["certs", "--out", out]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("tls.key: exists; --force"));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    assert!(run(&["certs", "--out", out, "--force"]).status.success());
    assert!(fs::read_to_string(directory.path().join("tls.key")).unwrap().contains("PRIVATE KEY"));
}

#[test]
fn manifests_prints_a_narrow_webhook_that_fails_open() {
    let configuration = webhook(&["--service", "tools/swap", "--name", "swap"]);
    assert_eq!(configuration["apiVersion"], "admissionregistration.k8s.io/v1");
    assert_eq!(configuration["kind"], "MutatingWebhookConfiguration");
    assert_eq!(configuration["metadata"]["name"], "swap");
    assert_eq!(configuration["metadata"]["labels"]["app.kubernetes.io/name"], "spark-swap");
    let webhooks = configuration["webhooks"].as_array().unwrap();
    let [webhook] = webhooks.as_slice() else { panic!("one webhook") };
    let service = json!({"namespace": "tools", "name": "swap", "port": 443, "path": "/mutate"});
    assert_eq!(webhook["clientConfig"], json!({"service": service}));
    assert_eq!(
        webhook["rules"],
        json!([{
            "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
            "scope": "Namespaced",
        }])
    );
    let opted_in = json!({"key": "spark-swap.io/class", "operator": "NotIn", "values": ["none"]});
    assert_eq!(
        webhook["objectSelector"],
        json!({"matchLabels": {"spark-role": "executor"}, "matchExpressions": [opted_in]})
    );
    let never = ["kube-system", "kube-node-lease", "tools"];
    let namespaces = json!({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": never});
    assert_eq!(webhook["namespaceSelector"], json!({"matchExpressions": [namespaces, opted_in]}));
    for (key, value) in [
        ("failurePolicy", json!("Ignore")),
        ("timeoutSeconds", json!(2)),
        ("reinvocationPolicy", json!("IfNeeded")),
        ("sideEffects", json!("NoneOnDryRun")),
        ("matchPolicy", json!("Equivalent")),
        ("admissionReviewVersions", json!(["v1"])),
    ] {
        assert_eq!(webhook[key], value, "{key}");
    }
    let conditions = webhook["matchConditions"].as_array().unwrap();
    assert_eq!(conditions.len(), 3);
    for condition in conditions {
        let expression = condition["expression"].as_str().unwrap();
        assert!(expression.starts_with("!has(object.metadata."), "{expression}");
    }
}

#[test]
fn everything_is_printed_in_the_order_in_which_it_is_applied() {
    let list = manifests(&[]);
    assert_eq!((&list["apiVersion"], &list["kind"]), (&json!("v1"), &json!("List")));
    let all = kinds(&list);
    let rbac = manifests(&["--only", "rbac"]);
    assert!(kinds(&rbac).starts_with(&["Namespace", "ServiceAccount"]));
    let server = manifests(&["--only", "server"]);
    let of_the_server =
        ["PriorityClass", "Secret", "Service", "Deployment", "PodDisruptionBudget", "NetworkPolicy"];
    assert_eq!(kinds(&server), of_the_server);
    assert_eq!(
        all,
        [&["CustomResourceDefinition"], &*kinds(&rbac), &of_the_server, &["MutatingWebhookConfiguration"]]
            .concat()
    );
    assert_eq!(manifests(&["--only", "webhook,server,rbac,crd"]), list);
    let two = manifests(&["--only", "webhook", "--only", "crd"]);
    assert_eq!(kinds(&two), ["CustomResourceDefinition", "MutatingWebhookConfiguration"]);
}

#[rstest]
#[case::service(&["--service", "tools/swap:8443"], true)]
#[case::url(&["--url", "https://localhost:8443"], false)]
#[case::service_elsewhere(&["--service", "a/b", "--namespace", "c"], false)]
#[case::asked_for(&["--url", "https://localhost:8443", "--only", "server,webhook"], true)]
fn a_server_that_runs_elsewhere_is_not_printed(#[case] flags: &[&str], #[case] is_printed: bool) {
    assert_eq!(kinds(&manifests(flags)).contains(&"Deployment"), is_printed);
}

#[test]
fn the_server_is_called_what_the_webhook_configuration_calls() {
    let flags = ["--service", "5/swap:8443", "--name", "swap-hook", "--image", "a.example/swap:2@sha256:00"];
    let list = manifests(&flags);
    let items = list["items"].as_array().unwrap();
    let found = |kind: &str| items.iter().find(|object| object["kind"] == kind).unwrap();
    let called = &found("MutatingWebhookConfiguration")["webhooks"][0]["clientConfig"]["service"];
    assert_eq!(*called, json!({"namespace": "5", "name": "swap", "port": 8443, "path": "/mutate"}));
    for kind in ["Secret", "Service", "Deployment", "PodDisruptionBudget", "NetworkPolicy"] {
        assert_eq!(found(kind)["metadata"]["namespace"], "5", "{kind}");
    }
    let service = found("Service");
    assert_eq!(
        (&service["metadata"]["name"], &service["spec"]["ports"][0]["port"]),
        (&json!("swap"), &json!(8443))
    );
    let of_configurations = json!(["mutatingwebhookconfigurations"]);
    let mut rules = found("ClusterRole")["rules"].as_array().unwrap().iter();
    let rule = rules.find(|rule| rule["resources"] == of_configurations).unwrap();
    assert_eq!(rule["resourceNames"], json!(["swap-hook"]));
    let container = &found("Deployment")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "a.example/swap:2@sha256:00");
    assert_eq!(
        container["args"],
        json!(["serve", "--service-name=swap", "--webhook-configuration=swap-hook"])
    );
    // The kubelet says in which namespace it runs.
    assert_eq!(container["env"][0]["valueFrom"]["fieldRef"]["fieldPath"], "metadata.namespace");
}

#[test]
fn yaml_and_json_say_the_same() {
    let flags = ["--url", "https://localhost:8443", "--namespace", "tools"];
    let documents = parse_documents(&printed(&flags)).unwrap();
    assert_eq!(json!(documents), manifests(&flags)["items"]);
}

#[test]
fn one_object_is_printed_as_itself() {
    let definition = manifests(&["--only", "crd"]);
    assert_eq!(definition["kind"], "CustomResourceDefinition");
    let committed = fs::read_to_string("manifests/base/crd.yaml").unwrap();
    assert_eq!(parse_documents(&committed).unwrap(), [definition]);
}

#[rstest]
#[case::by_default(&[], "spark-swap", json!({"namespace": "spark-swap", "name": "spark-swap", "port": 443}))]
#[case::named(&["--namespace", "tools"], "tools", json!({"namespace": "tools", "name": "spark-swap", "port": 443}))]
#[case::number(&["--namespace", "5"], "5", json!({"namespace": "5", "name": "spark-swap", "port": 443}))]
#[case::of_the_service(&["--service", "a/b:1"], "a", json!({"namespace": "a", "name": "b", "port": 1}))]
#[case::apart(&["--service", "a/b", "--namespace", "c"], "c", json!({"namespace": "a", "name": "b", "port": 443}))]
fn the_namespace_of_the_installation_is_the_same_everywhere(
    #[case] flags: &[&str],
    #[case] namespace: &str,
    #[case] mut service: Value,
) {
    let list = manifests(flags);
    let items = list["items"].as_array().unwrap();
    let found = |kind: &str| items.iter().find(|object| object["kind"] == kind).unwrap();
    let (account, role, binding) =
        (found("ServiceAccount"), found("ClusterRole"), found("ClusterRoleBinding"));
    assert_eq!(found("Namespace")["metadata"]["name"], namespace);
    let (own_role, own_binding) = (found("Role"), found("RoleBinding"));
    assert_eq!(own_role["metadata"]["namespace"], namespace);
    assert_eq!(own_binding["metadata"]["namespace"], namespace);
    assert_eq!(own_binding["subjects"], binding["subjects"]);
    assert_eq!(account["metadata"]["namespace"], namespace);
    assert_eq!(
        binding["subjects"],
        json!([{"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": namespace}])
    );
    assert_eq!(
        binding["roleRef"],
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role["metadata"]["name"]})
    );
    let webhook = found("MutatingWebhookConfiguration");
    service["path"] = json!("/mutate");
    assert_eq!(webhook["webhooks"][0]["clientConfig"], json!({"service": service}));
    let namespaces = &webhook["webhooks"][0]["namespaceSelector"]["matchExpressions"][0]["values"];
    assert_eq!(namespaces[2], namespace);
}

#[test]
fn the_roles_write_nothing_but_events_the_status_of_classes_the_ca_bundle_and_one_secret() {
    let list = manifests(&["--only", "rbac"]);
    let roles = list["items"].as_array().unwrap().iter().filter_map(|object| object["rules"].as_array());
    let writes = |rule: &&Value| {
        let mut verbs = rule["verbs"].as_array().unwrap().iter();
        verbs.any(|verb| !["get", "list", "watch"].contains(&verb.as_str().unwrap()))
    };
    let writing: Vec<&Value> = roles.flatten().filter(writes).collect();
    assert_eq!(
        writing,
        [
            &json!({"apiGroups": ["spark-swap.io"], "resources": ["swapclasses/status"], "verbs": ["patch"]}),
            &json!({"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]}),
            &json!({
                "apiGroups": ["admissionregistration.k8s.io"], "resources": ["mutatingwebhookconfigurations"],
                "resourceNames": ["spark-swap"], "verbs": ["get", "list", "watch", "patch"],
            }),
            &json!({
                "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["spark-swap-tls"],
                "verbs": ["get", "list", "watch", "patch"],
            }),
            &json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}),
        ]
    );
    assert!(printed(&["--only", "rbac"]).contains("  # "), "the reasons stay beside the rules");
}

#[rstest]
#[case("https://localhost:8443", "https://localhost:8443/mutate")]
#[case("https://localhost:8443/", "https://localhost:8443/mutate")]
#[case("https://[2001:db8::7]:8443/", "https://[2001:db8::7]:8443/mutate")]
#[case("https://192.0.2.7/mutate", "https://192.0.2.7/mutate")]
#[case("https://proxy.example/swap/mutate", "https://proxy.example/swap/mutate")]
fn a_url_gets_the_path_when_it_has_none(#[case] given: &str, #[case] url: &str) {
    assert_eq!(webhook(&["--url", given])["webhooks"][0]["clientConfig"], json!({"url": url}));
}

#[test]
fn the_ca_bundle_holds_the_certificates_of_the_file_and_no_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    assert!(run(&["certs", "--out", directory.path().to_str().unwrap()]).status.success());
    let read = |name: &str| fs::read_to_string(path(name)).unwrap();
    fs::write(path("mixed.pem"), ["comment\n", &read("ca.crt"), &read("ca.key"), &read("tls.crt")].concat())
        .unwrap();
    let configuration = webhook(&["--service", "a/b:8443", "--ca", path("mixed.pem").to_str().unwrap()]);
    let client = &configuration["webhooks"][0]["clientConfig"];
    let bundle = STANDARD.decode(client["caBundle"].as_str().unwrap()).unwrap();
    let expected = (read("ca.crt") + &read("tls.crt")).replace('\r', "");
    assert_eq!(String::from_utf8(bundle).unwrap(), expected);
    assert_eq!(client["service"]["port"], 8443);
}

#[rstest]
#[case::part(&["--only", "deployment"], "possible values: crd, rbac, server, webhook")]
#[case::image(&["--image", "spark swap"], "expected [REGISTRY/]NAME")]
#[case::both(&["--url", "https://a", "--service", "a/b"], "cannot be used with")]
#[case::plain_http(&["--url", "http://a"], "expected https://")]
#[case::user(&["--url", "https://me@a/"], "expected https://")]
#[case::query(&["--url", "https://a/mutate?x=1"], "expected https://")]
#[case::no_host(&["--url", "https:///mutate"], "expected https://")]
#[case::port_too_high(&["--url", "https://a:99999/mutate"], "expected https://")]
#[case::port_with_a_sign(&["--url", "https://a:+443"], "expected https://")]
#[case::no_host_but_a_port(&["--url", "https://:8443"], "expected https://")]
#[case::after_the_address(&["--url", "https://[::1]x:8443"], "expected https://")]
#[case::no_address(&["--url", "https://[abc]"], "expected https://")]
#[case::no_namespace(&["--service", "b"], "expected NAMESPACE/NAME")]
#[case::port(&["--service", "a/b:0"], "expected NAMESPACE/NAME")]
#[case::upper_case(&["--service", "A/b"], "expected NAMESPACE/NAME")]
#[case::no_file(&["--service", "a/b", "--ca", "/nowhere"], "/nowhere: No such file")]
#[case::no_certificate(&["--service", "a/b", "--ca", "Cargo.toml"], "Cargo.toml: there is no certificate")]
#[case::name(&["--service", "a/b", "--name", "Swap"], "expected lower-case")]
fn bad_input_is_exit_2(#[case] arguments: &[&str], #[case] message: &str) {
    assert!(Path::new("Cargo.toml").exists(), "tests run in the repository");
    let output = run(&[&["manifests"], arguments].concat());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains(message), "{errors}");
}
