//! Other mutating webhooks, before and after ours, that change the same fields: the executor is always admitted, planned
//! at most once, and the last word counts.

use serde_json::{Value, json};

use crate::classes::{CLASS_LABEL, class_for, density, judged, swap_class_crd, swap_node};
use crate::control_plane::ControlPlane;
use crate::nodes;
use crate::other_webhook::{Neighbour, OtherWebhook};
use crate::pods::{self, MIB};
use crate::webhook::{Verdict, Webhook};

/// One that runs before ours.
struct Before;

/// One that runs before ours, and again when ours changed the pod.
struct BeforeAndAgain;

/// One that runs after ours.
struct After;

impl Neighbour for Before {
    const FIRST_LETTER: char = 'a';
    const REINVOCATION_POLICY: &str = "Never";

    fn change(pod: &mut Value) {
        do_what_it_says(pod, "before");
    }
}

impl Neighbour for BeforeAndAgain {
    const FIRST_LETTER: char = 'b';
    const REINVOCATION_POLICY: &str = "IfNeeded";

    fn change(pod: &mut Value) {
        do_what_it_says(pod, "before-and-again");
    }
}

impl Neighbour for After {
    const FIRST_LETTER: char = 'z';
    const REINVOCATION_POLICY: &str = "Never";

    fn change(pod: &mut Value) {
        do_what_it_says(pod, "after");
    }
}

/// What a neighbour has to do stands in an annotation of the pod.
fn do_what_it_says(pod: &mut Value, annotation: &str) {
    let Some(change) = pod["metadata"]["annotations"][annotation].as_str() else { return };
    let change: Value = serde_json::from_str(change).unwrap();
    // The Vertical Pod Autoscaler sets the request, and scales the limit with it.
    if let Some(request) = change["request"].as_u64() {
        let limit = pods::limit(pod) / MIB * request / (pods::request(pod) / MIB);
        set_memory(pod, "requests", request);
        set_memory(pod, "limits", limit);
    }
    if let Some(limit) = change["limit"].as_u64() {
        set_memory(pod, "limits", limit);
    }
    if change["sidecar"] == true {
        pod["spec"]["containers"].as_array_mut().unwrap().insert(0, sidecar());
    }
    if let Some(class) = change["class"].as_str() {
        pod["metadata"]["labels"][CLASS_LABEL] = json!(class);
    }
}

fn set_memory(pod: &mut Value, kind: &str, mebibytes: u64) {
    pods::spark_container_mut(pod)["resources"][kind]["memory"] = json!(format!("{mebibytes}Mi"));
}

fn sidecar() -> Value {
    json!({
        "name": "mesh", "image": "mesh:test",
        "resources": {"requests": {"memory": "100Mi"}, "limits": {"memory": "200Mi"}},
    })
}

/// An executor of 9011Mi that names a class of Density, and what becomes of it.
struct Case<'a> {
    name: &'static str,
    /// What the neighbours do.
    changes: Value,
    /// What our first answer was; `None` where we were not called.
    reason: Option<&'static str>,
    /// How often we were called.
    calls: u64,
    /// The class and the request of the plan.
    plan: Option<(&'a str, u64)>,
    /// Request and limit that are stored.
    stored: (u64, u64),
}

fn cases<'a>(dense: &'a str, safe: &'a str) -> Vec<Case<'a>> {
    let case = |name, changes| Case {
        name,
        changes,
        reason: Some("Planned"),
        calls: 1,
        plan: Some((dense, 6008)),
        stored: (6008, 6129),
    };
    vec![
        Case {
            plan: Some((dense, 8193)),
            stored: (8193, 8357),
            ..case("memory-raised-before", json!({"before": {"request": 12288}}))
        },
        Case {
            reason: Some("HeapExceedsLimit"),
            plan: None,
            stored: (8000, 8000),
            ..case("memory-below-the-heap-before", json!({"before": {"request": 8000}}))
        },
        Case {
            plan: Some((dense, 8193)),
            stored: (12288, 12533),
            ..case("memory-raised-again", json!({"before-and-again": {"request": 12288}}))
        },
        Case { stored: (12288, 12535), ..case("memory-raised-after", json!({"after": {"request": 12288}})) },
        Case { stored: (5000, 5100), ..case("memory-lowered-after", json!({"after": {"request": 5000}})) },
        case("sidecar-before", json!({"before": {"sidecar": true}})),
        case("sidecar-after", json!({"after": {"sidecar": true}})),
        Case {
            plan: Some((safe, 9010)),
            stored: (9010, 9011),
            ..case("class-before", json!({"before": {"class": safe}}))
        },
        case("class-after", json!({"after": {"class": safe}})),
        Case {
            reason: None,
            calls: 0,
            plan: None,
            stored: (9011, 9011),
            ..case("opt-out-before", json!({"before": {"class": "none"}}))
        },
        // That is what we asked to be called again for.
        Case {
            reason: Some("NoLimit"),
            calls: 2,
            ..case("no-limit-until-after", json!({"spark": {"no-limit": true}, "after": {"limit": 9011}}))
        },
        Case {
            plan: Some((safe, 12287)),
            stored: (12287, 12288),
            ..case(
                "all-at-once",
                json!({
                    "before": {"request": 12288}, "before-and-again": {"class": safe}, "after": {"sidecar": true},
                }),
            )
        },
    ]
}

#[test]
fn beside_other_webhooks_an_executor_is_planned_once_and_the_last_word_counts() {
    let cluster = ControlPlane::shared();
    let neighbourhood = Neighbourhood::new(cluster);
    let Neighbourhood { webhook, namespace, safe, .. } = &neighbourhood;
    for Case { name, changes, reason, calls, plan, stored } in cases(namespace, safe) {
        let calls_before = webhook.all_reviews();
        let pod = neighbourhood.create(name, &changes);
        assert_eq!((pods::request(&pod) / MIB, pods::limit(&pod) / MIB), stored, "{name}");
        let made = pods::plan(&pod);
        let made = made
            .as_ref()
            .map(|plan| (plan["class"].as_str().unwrap(), plan["request"]["to"].as_u64().unwrap() / MIB));
        assert_eq!(made, plan, "{name}");
        let verdict = webhook.verdict_on(namespace, name).map(|verdict| verdict.reason);
        assert_eq!(verdict.as_deref(), reason, "{name}");
        assert_eq!(webhook.all_reviews() - calls_before, calls, "{name}");
    }
}

/// An installation that was changed, or an API server too old for match conditions.
#[test]
fn a_second_call_says_what_became_of_the_plan_and_changes_nothing() {
    let cluster = ControlPlane::shared();
    let neighbourhood = Neighbourhood::new(cluster);
    let Neighbourhood { webhook, namespace, .. } = &neighbourhood;
    webhook.be_called_for_planned_pods();
    for (name, changes, second, stored) in [
        ("memory-raised", json!({"after": {"request": 12288}}), "ChangedSince", (12288, 12535)),
        ("memory-lowered", json!({"after": {"request": 5000}}), "ChangedSince", (5000, 5100)),
        ("sidecar", json!({"after": {"sidecar": true}}), "AlreadyPlanned", (6008, 6129)),
    ] {
        // The class that a pod came with is anybody's word, and no label of a metric.
        let counts = || (webhook.all_reviews(), webhook.reviews(second, "unknown"));
        let before = counts();
        let pod = neighbourhood.create(name, &changes);
        assert_eq!((pods::request(&pod) / MIB, pods::limit(&pod) / MIB), stored, "{name}");
        assert_eq!(pods::plan(&pod).unwrap()["request"]["to"], 6008 * MIB, "{name}");
        assert_eq!(counts(), (before.0 + 2, before.1 + 1), "{name}");
        let planned = Verdict { mutated: true, reason: "Planned".to_owned() };
        assert_eq!(webhook.verdict_on(namespace, name), Some(planned), "{name}");
    }
}

/// Our webhook between others.
struct Neighbourhood<'a> {
    cluster: &'a ControlPlane,
    /// Also the name of a class of Density.
    namespace: String,
    /// The name of a class of SafetyNet.
    safe: String,
    webhook: Webhook<'a>,
    _neighbours: [OtherWebhook<'a>; 3],
}

impl<'a> Neighbourhood<'a> {
    fn new(cluster: &'a ControlPlane) -> Self {
        swap_class_crd(cluster);
        let namespace = cluster.namespace("neighbours", json!({}));
        let safe = format!("safe-{namespace}");
        nodes::join(cluster, &swap_node(&namespace), &namespace);
        cluster.apply(&class_for(&namespace, &namespace, density()));
        cluster.apply(&class_for(&namespace, &safe, json!({"strategy": "SafetyNet"})));
        let webhook = Webhook::start_live(cluster, &[&namespace]);
        for class in [&namespace, &safe] {
            judged(cluster, class);
        }
        let neighbours = [
            OtherWebhook::start::<Before>(cluster, &namespace),
            OtherWebhook::start::<BeforeAndAgain>(cluster, &namespace),
            OtherWebhook::start::<After>(cluster, &namespace),
        ];
        Self { cluster, namespace, safe, webhook, _neighbours: neighbours }
    }

    /// Creates an executor that the neighbours change, and returns it as it was stored.
    fn create(&self, name: &str, changes: &Value) -> Value {
        let mut pod = pods::executor(name, 8192, 819);
        pod["metadata"]["labels"][CLASS_LABEL] = json!(self.namespace);
        pod["metadata"]["annotations"] = changes
            .as_object()
            .unwrap()
            .iter()
            .map(|(who, change)| (who.clone(), json!(change.to_string())))
            .collect();
        if changes["spark"]["no-limit"] == true {
            let resources = pods::spark_container_mut(&mut pod)["resources"].as_object_mut();
            resources.unwrap().remove("limits");
        }
        let stored = self.cluster.try_create(&pod, &["-n", &self.namespace]);
        let stored = stored.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let containers = stored["spec"]["containers"].as_array().unwrap();
        let is_beside =
            containers[0]["name"] == "mesh" && containers[0]["resources"] == sidecar()["resources"];
        assert_eq!(is_beside, changes.to_string().contains("sidecar"), "{name}: {stored}");
        stored
    }
}
