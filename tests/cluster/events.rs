//! What `kubectl describe pod DRIVER` shows of the application's executors.

use serde_json::{Value, json};

use crate::classes::{CLASS_LABEL, swap_class_crd, swap_node};
use crate::control_plane::ControlPlane;
use crate::nodes::{self, RESERVED_FOR};
use crate::pods;
use crate::service_account::least_rights;
use crate::wait;
use crate::webhook::Webhook;

#[test]
fn replicas_together_tell_a_driver_once_for_each_reason_and_nothing_of_dry_runs() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let namespace = cluster.namespace("events", json!({}));
    nodes::join(cluster, &swap_node(&namespace), &namespace);
    let called = Webhook::start_live(cluster, &[&namespace]);
    // The API server calls the one, and the test itself the other, as a Service would.
    let mut other = Webhook::watching(cluster, &[], &least_rights(cluster));
    other.start_server();
    other.become_ready();
    let [first, second] = ["driver", "second"].map(|name| driver(cluster, &namespace, name));

    for index in 0..10 {
        cluster.try_create(&executor(&first, &format!("etl-{index}")), &["-n", &namespace]).unwrap();
        let answer = other.review(&namespace, &executor(&first, &format!("etl-{}", index + 10)));
        assert_eq!(answer["allowed"], true);
    }
    let mut mistaken = executor(&first, "mistaken");
    mistaken["metadata"]["labels"][CLASS_LABEL] = json!("no-such-class");
    cluster.try_create(&mistaken, &["-n", &namespace]).unwrap();

    let dry = executor(&second, "dry");
    cluster.try_create(&dry, &["-n", &namespace, "--dry-run=server"]).unwrap();
    let mut no_owner = executor(&second, "client-mode");
    no_owner["metadata"].as_object_mut().unwrap().remove("ownerReferences");
    cluster.try_create(&no_owner, &["-n", &namespace]).unwrap();

    // Each replica counts what became of the one Event of the first application.
    wait::until("events", wait::LIMIT, || {
        let [of_called, of_other] = [&called, &other]
            .map(|webhook| ["created", "already_there"].map(|outcome| count(webhook, outcome)));
        let is_done = of_called.iter().sum::<u64>() == 2 && of_other.iter().sum::<u64>() == 1;
        if is_done { Ok(()) } else { Err(format!("{of_called:?} {of_other:?}\n{}", called.log())) }
    });
    let told = |driver: &str| -> Vec<(String, String)> {
        let events = events_about(cluster, &namespace, driver);
        let mut told: Vec<_> =
            events.iter().map(|event| (text(&event["reason"]), text(&event["type"]))).collect();
        told.sort();
        told
    };
    let expected = [("Planned", "Normal"), ("UnknownClass", "Warning")];
    assert_eq!(told("driver"), expected.map(|(reason, kind)| (reason.to_owned(), kind.to_owned())));
    assert_eq!(told("second"), []);
    assert_eq!([&called, &other].map(|webhook| count(webhook, "created")).iter().sum::<u64>(), 2);

    cluster.try_create(&executor(&second, "real"), &["-n", &namespace]).unwrap();
    wait::until("event of another application", wait::LIMIT, || match &*told("second") {
        [(reason, _)] if reason == "Planned" => Ok(()),
        told => Err(format!("{told:?}\n{}", called.log())),
    });

    let described = cluster.kubectl(&["describe", "pod", "driver", "-n", &namespace]);
    let listed = cluster.kubectl(&["events", "--for", "pod/driver", "-n", &namespace]);
    for shown in [&described, &listed] {
        assert!(shown.contains("memory request 1408Mi -> 1407Mi"), "{shown}");
        assert!(shown.contains(r#"there is no valid SwapClass "no-such-class""#), "{shown}");
    }
    assert!(described.contains("spark-swap.io/webhook"), "{described}");
}

fn driver(cluster: &ControlPlane, namespace: &str, name: &str) -> Value {
    let mut driver = pods::executor(name, 1024, 384);
    driver["metadata"]["labels"] = json!({"spark-role": "driver"});
    cluster.try_create(&driver, &["-n", namespace]).unwrap()
}

/// An executor as a driver in cluster mode posts it.
fn executor(driver: &Value, name: &str) -> Value {
    let mut executor = pods::executor(name, 1024, 384);
    let owner = &driver["metadata"];
    executor["metadata"]["labels"]["spark-app-selector"] = json!(format!("spark-{}", text(&owner["name"])));
    // Only there, whatever nodes other tests have.
    let namespace = text(&owner["namespace"]);
    executor["spec"]["nodeSelector"] = json!({RESERVED_FOR: namespace});
    executor["spec"]["tolerations"] = json!([nodes::toleration(&namespace)]);
    executor["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "Pod", "name": owner["name"], "uid": owner["uid"], "controller": true,
    }]);
    executor
}

/// Ours, for the scheduler has its own to say.
fn events_about(cluster: &ControlPlane, namespace: &str, pod: &str) -> Vec<Value> {
    let events = cluster.list("events.events.k8s.io", namespace, "");
    events
        .into_iter()
        .filter(|event| {
            event["reportingController"] == "spark-swap.io/webhook" && event["regarding"]["name"] == pod
        })
        .collect()
}

fn count(webhook: &Webhook<'_>, outcome: &str) -> u64 {
    let series = format!("spark_swap_events_total{{outcome=\"{outcome}\"}}");
    webhook.metric(&series).and_then(|value| value.parse().ok()).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
