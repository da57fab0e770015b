//! An API server that is away: killed and started again under load, or not there yet when the webhook starts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use spark_swap::cluster::api::definition::definition;

use crate::classes::{CLASS_LABEL, class_for, density, install, judged, swap_node};
use crate::control_plane::ControlPlane;
use crate::load::{Created, Load};
use crate::nodes;
use crate::pods::{self, MIB};
use crate::service_account::least_rights;
use crate::wait;
use crate::webhook::Webhook;

#[test]
fn killing_the_api_server_under_load_loses_no_mutation_once_it_is_back() {
    let (cluster, _turn) = ControlPlane::to_disturb();
    install(cluster, &definition().unwrap());
    let namespace = cluster.namespace("outage", json!({}));
    nodes::join(cluster, &swap_node(&namespace), &namespace);
    cluster.apply(&class_for(&namespace, &namespace, density()));
    let webhook = Webhook::start_live(cluster, &[&namespace]);
    judged(cluster, &namespace);
    assert!(is_current(&webhook));

    let class = namespace.clone();
    let load = Load::start(cluster, &namespace, move |name| executor(name, &class));
    load.wait_for(10, &Created::is_planned);
    cluster.kill_api_server();
    load.wait_for(5, &|created| *created == Created::Failed);
    let noticed = wait::until("age of the state", wait::LIMIT, || {
        if is_current(&webhook) { Err(webhook.log()) } else { Ok(age(&webhook)) }
    });
    assert!(age(&webhook) > noticed, "it goes on to rise");
    // What was known is still decided from.
    assert_eq!(webhook.readiness().status, 200);
    let plan = reviewed_plan(&webhook, &namespace, &executor("asked-directly", &namespace)).expect("a plan");
    assert_eq!(plan["request"]["to"], 6008 * MIB);

    cluster.restart_api_server();
    load.wait_for(30, &Created::is_planned);
    wait_until_current(&webhook);
    // What changes from now on arrives.
    cluster.kubectl(&["label", "node", &namespace, "--overwrite", "spark-swap.io/limited-swap-permille=400"]);
    load.wait_for(1, &|created| matches!(created, Created::Stored(Some(request)) if *request > 6008 * MIB));

    let created = load.stop();
    let unplanned = created.iter().filter(|created| **created == Created::Stored(None)).count();
    assert_eq!(unplanned, 0, "of {}", created.len());
    // Nor was any stored whose answer was lost.
    let stored = cluster.list("pods", &namespace, "spark-role=executor");
    assert!(stored.iter().all(|pod| pods::plan(pod).is_some()));
}

#[test]
fn a_webhook_that_starts_before_its_api_server_and_its_crd_takes_them_up_when_they_come() {
    let (cluster, _turn) = ControlPlane::to_disturb();
    let namespace = cluster.namespace("early", json!({}));
    nodes::join(cluster, &swap_node(&namespace), &namespace);
    let mut webhook = Webhook::watching(cluster, &[&namespace], &least_rights(cluster));
    cluster.kill_api_server();
    webhook.start_server();

    let readiness = webhook.readiness();
    assert_eq!(readiness.status, 503);
    for kind in ["swapclasses", "nodes", "namespaces", "limitranges", "resourcequotas"] {
        assert!(readiness.body.contains(&format!("waiting for {kind}")), "{}", readiness.body);
    }
    let classless = pods::executor("early", 8192, 819);
    let plan = reviewed_plan(&webhook, &namespace, &classless).expect("a plan of the built-in class");
    assert_eq!((&plan["class"], &plan["strategy"]), (&json!("safety-net"), &json!("SafetyNet")));
    assert_eq!(reviewed_plan(&webhook, &namespace, &executor("early", &namespace)), None);
    assert!(!is_current(&webhook));

    cluster.restart_api_server();
    webhook.join();
    let next = || {
        let shown =
            cluster.try_create(&executor("next", &namespace), &["-n", &namespace, "--dry-run=server"]);
        pods::plan(&shown.unwrap())
    };
    assert_eq!(next(), None, "a class of a kind that is not there");
    assert!(
        webhook.log().contains("spark-swap manifests --only crd | kubectl apply -f -"),
        "{}",
        webhook.log()
    );
    assert!(is_current(&webhook));

    // The kind may come, go and come again.
    for _ in 0..2 {
        install(cluster, &definition().unwrap());
        cluster.apply(&class_for(&namespace, &namespace, density()));
        judged(cluster, &namespace);
        assert_eq!(next().expect("a plan")["request"]["to"], 6008 * MIB);
        cluster.kubectl(&["delete", "crd", "swapclasses.spark-swap.io"]);
        wait::until("end of the class", wait::LIMIT, || match next() {
            None => Ok(()),
            Some(plan) => Err(plan.to_string()),
        });
    }
    wait_until_current(&webhook);
    // Said each time when the kind is found missing, not each time when it is asked for.
    let log = webhook.log();
    assert!(log.matches("the cluster does not know this kind").count() <= 3, "{log}");
}

/// For how long the API server has not told of changes, in seconds.
fn age(webhook: &Webhook) -> f64 {
    webhook.metric("spark_swap_state_age_seconds").unwrap().parse().unwrap()
}

fn is_current(webhook: &Webhook) -> bool {
    webhook.metric("spark_swap_state_age_seconds").as_deref() == Some("0.0")
}

fn wait_until_current(webhook: &Webhook) {
    wait::until("contact", wait::LIMIT, || if is_current(webhook) { Ok(()) } else { Err(webhook.log()) });
}

fn executor(name: &str, class: &str) -> Value {
    let mut pod = pods::executor(name, 8192, 819);
    pod["metadata"]["labels"][CLASS_LABEL] = json!(class);
    pod
}

/// The plan in the webhook's answer, which no API server asked for.
fn reviewed_plan(webhook: &Webhook, namespace: &str, pod: &Value) -> Option<Value> {
    let answer = webhook.review(namespace, pod);
    assert_eq!(answer["allowed"], true);
    let patch = STANDARD.decode(answer["patch"].as_str()?).unwrap();
    let mut patched = pod.clone();
    json_patch::patch(&mut patched, &serde_json::from_slice::<json_patch::Patch>(&patch).unwrap()).unwrap();
    pods::plan(&patched)
}
