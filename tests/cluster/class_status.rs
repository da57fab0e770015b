//! The condition Ready of SwapClasses: what it says, and how often it is written.

use serde_json::{Value, json};
use spark_swap::cluster::api::definition::definition;

use crate::audit::Request;
use crate::classes::{CLASS_LABEL, class, class_for, density, install, judged, swap_node};
use crate::control_plane::ControlPlane;
use crate::nodes;
use crate::pods::{self, MIB};
use crate::service_account::SPARK_SWAP;
use crate::wait;
use crate::webhook::Webhook;

const GENERATIONS: usize = 5;

/// Replicas do not coordinate, so each of them would write; and each sees what the other wrote.
#[test]
fn two_replicas_write_each_status_once() {
    let (cluster, _turn) = ControlPlane::to_disturb();
    install(cluster, &definition().unwrap());
    let replicas = ["one", "two"].map(|name| {
        let namespace = cluster.namespace(name, json!({}));
        Webhook::start_live(cluster, &[&namespace])
    });
    // Whatever they have to say about the classes before is said when both know of one more.
    let settle = |last: &str, classes: &str| {
        cluster.apply(&class(last, json!({})));
        judged(cluster, last);
        wait::until("news in both replicas", wait::LIMIT, || {
            let known = replicas
                .each_ref()
                .map(|replica| replica.metric(r#"spark_swap_state_objects{kind="SwapClass"}"#));
            if known.iter().all(|known| known.as_deref() == Some(classes)) {
                Ok(())
            } else {
                Err(format!("{known:?}"))
            }
        });
    };

    for percent in 1..=GENERATIONS {
        cluster.apply(&class("contested", json!({"workingSetPercent": percent})));
        let status = judged(cluster, "contested")["status"].take();
        let ready = &status["conditions"][0];
        assert_eq!(
            (&ready["type"], &ready["status"], &ready["reason"]),
            (&json!("Ready"), &json!("True"), &json!("Valid"))
        );
        assert_eq!(
            (&status["observedGeneration"], &ready["observedGeneration"]),
            (&json!(percent), &json!(percent))
        );
    }
    settle("first-witness", "2");
    let version = |class: &Value| class["metadata"]["resourceVersion"].clone();
    let settled = cluster.get("swapclass", "", "contested");
    settle("second-witness", "3");
    assert_eq!(version(&cluster.get("swapclass", "", "contested")), version(&settled));

    let writes = |status: u64| {
        let requests = cluster.requests_of(SPARK_SWAP).into_iter();
        let is_write =
            |request: &Request| request.resource == "swapclasses/status" && request.name == "contested";
        requests.filter(|request| is_write(request) && request.status == status).count()
    };
    assert_eq!(writes(200), GENERATIONS);
    // Who comes second is told so, and gives in.
    assert!(writes(409) <= GENERATIONS, "{}", writes(409));
    let managers = cluster.kubectl(&["get", "swapclass", "contested", "--show-managed-fields", "-o", "json"]);
    let class: Value = serde_json::from_str(&managers).unwrap();
    let fields = class["metadata"]["managedFields"].as_array().unwrap().iter();
    let of_status: Vec<_> =
        fields.filter(|fields| fields["subresource"] == "status").map(|fields| &fields["manager"]).collect();
    assert_eq!(of_status, ["spark-swap"]);
}

#[test]
fn a_second_default_class_is_told_that_another_is_the_default() {
    let (cluster, _turn) = ControlPlane::to_disturb();
    install(cluster, &definition().unwrap());
    let namespace = cluster.namespace("defaults", json!({}));
    let _webhook = Webhook::start_live(cluster, &[&namespace]);
    let message = |name: &str| judged(cluster, name)["status"]["conditions"][0]["message"].clone();
    let becomes = |name: &str, text: &str| {
        wait::until("message", wait::LIMIT, || {
            let message = message(name);
            if message == text { Ok(()) } else { Err(message.to_string()) }
        });
    };
    let default = |name: &str| {
        let mut class = class(name, json!({}));
        class["metadata"]["annotations"] = json!({"spark-swap.io/is-default-class": "true"});
        cluster.apply(&class);
    };
    let class_of_next = || {
        let pod = pods::executor("next", 8192, 819);
        let shown = cluster.try_create(&pod, &["-n", &namespace, "--dry-run=server"]).unwrap();
        pods::plan(&shown).expect("a plan")["class"].clone()
    };

    default("b-default");
    becomes("b-default", "in force");
    assert_eq!(class_of_next(), "b-default");
    // The generation is the same, yet there is something else to say.
    default("a-default");
    becomes("b-default", "in force; not as the default class, which a-default is already");
    becomes("a-default", "in force");
    assert_eq!(class_of_next(), "a-default");
    cluster.kubectl(&["delete", "swapclass", "a-default"]);
    becomes("b-default", "in force");
    assert_eq!(class_of_next(), "b-default");
}

/// Such a class can come from a cluster whose CRD is older than spark-swap, or newer.
#[test]
fn a_class_that_the_crd_lets_through_is_told_every_problem_and_its_last_good_version_counts() {
    let (cluster, _turn) = ControlPlane::to_disturb();
    let mut relaxed = definition().unwrap();
    relax(&mut relaxed);
    install(cluster, &relaxed);
    let namespace = cluster.namespace("relaxed", json!({}));
    nodes::join(cluster, &swap_node(&namespace), &namespace);
    let webhook = Webhook::start_live(cluster, &[&namespace]);
    let wrong = class_for(
        &namespace,
        "strict",
        json!({"peakPercent": 60, "marginPercent": 101, "qosClass": "Guaranteed"}),
    );
    let plan = || {
        let mut pod = pods::executor("next", 8192, 819);
        pod["metadata"]["labels"][CLASS_LABEL] = json!("strict");
        pods::plan(&cluster.try_create(&pod, &["-n", &namespace, "--dry-run=server"]).unwrap())
    };
    let problems = |class: &Value| {
        let ready = &class["status"]["conditions"][0];
        assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("Invalid")));
        insta::allow_duplicates!(insta::assert_snapshot!(ready["message"].as_str().unwrap(), @r"
        spec.workingSetPercent: 70 is above spec.peakPercent, which is 60; set it to at most 60
        spec.marginPercent: 101 is not between 0 and 100
        spec.qosClass: Guaranteed needs an explicit backend in spec.swap.via: CrioAnnotation or NriMemoryQos
        "));
    };

    cluster.apply(&wrong);
    problems(&judged(cluster, "strict"));
    assert_eq!(plan(), None, "never in force");
    assert_eq!(webhook.metric("spark_swap_state_problems").as_deref(), Some("3"));
    // Nor is it told again when the condition is written.
    assert_eq!(webhook.log().matches("101 is not between").count(), 1, "{}", webhook.log());

    for class in
        [class_for(&namespace, "strict", density()), wrong, class_for(&namespace, "strict", density())]
    {
        cluster.apply(&class);
        let judged = judged(cluster, "strict");
        if class["spec"]["qosClass"] == "Guaranteed" {
            problems(&judged);
        } else {
            assert_eq!(judged["status"]["conditions"][0]["status"], "True");
            assert_eq!(webhook.metric("spark_swap_state_problems").as_deref(), Some("0"));
        }
        assert_eq!(plan().expect("a plan")["request"]["to"], 6008 * MIB);
    }
}

/// Types alone are left.
fn relax(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for rule in ["x-kubernetes-validations", "minimum", "maximum"] {
                members.remove(rule);
            }
            members.values_mut().for_each(relax);
        }
        Value::Array(items) => items.iter_mut().for_each(relax),
        _ => {}
    }
}
