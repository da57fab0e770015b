//! LimitRanges in place: what spark-swap plans is what the API server's own check lets through.

use serde_json::{Value, json};

use crate::classes::{CLASS_LABEL, class_for, density, judged, swap_class_crd, swap_node};
use crate::control_plane::ControlPlane;
use crate::nodes;
use crate::pods::{self, MIB};
use crate::webhook::Webhook;

/// An executor of 9011Mi, for which Density alone would request 6008Mi.
struct Case {
    name: &'static str,
    /// Of the class. A tight limit would be 6129Mi, a loose one stays.
    limit: &'static str,
    /// The items of LimitRanges, each in an object of its own.
    limits: Value,
    /// Beside the executor a container that asks for nothing and gets 512Mi.
    sidecar: bool,
    /// The API server would refuse the executor as Spark wrote it.
    refuses_spark: bool,
    reason: &'static str,
    /// Request and limit in MiB.
    expected: (u64, u64),
}

fn cases() -> Vec<Case> {
    let case = Case {
        name: "",
        limit: "Tight",
        limits: json!([]),
        sidecar: false,
        refuses_spark: false,
        reason: "Planned",
        expected: (6008, 6129),
    };
    let memory = |size: &str| json!({"memory": size});
    vec![
        Case {
            name: "the highest minimum counts",
            limits: json!([
                {"type": "Container", "min": memory("100Mi")},
                {"type": "Container", "min": memory("6500Mi")},
            ]),
            expected: (6500, 6630),
            ..case
        },
        Case {
            name: "the lowest maximum and the lowest ratio count",
            limit: "Loose",
            limits: json!([
                {"type": "Container", "max": memory("9100Mi"), "maxLimitRequestRatio": memory("1.2")},
                {"type": "Container", "max": memory("16Gi"), "maxLimitRequestRatio": memory("2")},
            ]),
            // 9011 / 1.2.
            expected: (7510, 9011),
            ..case
        },
        Case {
            name: "what is between Spark's size and ours is no obstacle",
            limits: json!([{"type": "Container", "max": memory("8Gi")}]),
            refuses_spark: true,
            ..case
        },
        Case {
            name: "the sums over the pod count",
            limits: json!([
                // Without a default of its own, a maximum is one.
                {"type": "Container", "max": memory("9100Mi"), "default": memory("512Mi")},
                {"type": "Pod", "min": memory("7300Mi")},
                {"type": "Pod", "min": memory("1Gi"), "max": memory("12Gi")},
            ]),
            sidecar: true,
            // 7300 - 512.
            expected: (6788, 6924),
            ..case
        },
        Case {
            name: "so does the ratio of the sums",
            limit: "Loose",
            limits: json!([
                {"type": "Container", "default": memory("512Mi")},
                {"type": "Pod", "maxLimitRequestRatio": memory("1.25")},
                {"type": "Container", "maxLimitRequestRatio": memory("1.5")},
            ]),
            sidecar: true,
            // (9011 + 512) / 1.25 - 512.
            expected: (7107, 9011),
            ..case
        },
        Case {
            name: "a ratio of 1 leaves no room for swap",
            limits: json!([
                {"type": "Container", "maxLimitRequestRatio": memory("2")},
                {"type": "Container", "maxLimitRequestRatio": memory("1")},
            ]),
            reason: "LimitRange",
            expected: (9011, 9011),
            ..case
        },
        Case {
            name: "nor does a ratio of 1 over the pod",
            limits: json!([
                {"type": "Container", "default": memory("512Mi")},
                {"type": "Pod", "maxLimitRequestRatio": memory("1")},
            ]),
            sidecar: true,
            reason: "LimitRange",
            expected: (9011, 9011),
            ..case
        },
    ]
}

#[test]
fn several_limit_ranges_at_once_let_the_planned_executor_through() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    let home = cluster.namespace("limits", json!({}));
    nodes::join(cluster, &swap_node(&home), &home);
    for limit in ["Tight", "Loose"] {
        let mut spec = density();
        spec["limit"] = json!(limit);
        cluster.apply(&class_for(&home, &class_name(&home, limit), spec));
    }
    let cases: Vec<(String, Case)> =
        cases().into_iter().map(|case| (namespace_with(cluster, &case.limits), case)).collect();
    for (namespace, case) in &cases {
        let as_spark_wrote_it =
            cluster.try_create(&executor("plain", case, &home), &["-n", namespace, "--dry-run=server"]);
        assert_eq!(as_spark_wrote_it.is_err(), case.refuses_spark, "{}: {as_spark_wrote_it:?}", case.name);
    }

    let namespaces: Vec<&str> = cases.iter().map(|(namespace, _)| &**namespace).collect();
    let webhook = Webhook::start_live(cluster, &namespaces);
    judged(cluster, &class_name(&home, "Tight"));
    judged(cluster, &class_name(&home, "Loose"));
    for (namespace, case) in &cases {
        let stored = cluster.try_create(&executor("planned", case, &home), &["-n", namespace]);
        let stored = stored.unwrap_or_else(|refusal| panic!("{}: {refusal}", case.name));
        assert_eq!(
            (pods::request(&stored) / MIB, pods::limit(&stored) / MIB),
            case.expected,
            "{}",
            case.name
        );
        let verdict = webhook.verdict_on(namespace, "planned").unwrap();
        assert_eq!(verdict.reason, case.reason, "{}", case.name);
    }
}

fn class_name(home: &str, limit: &str) -> String {
    format!("{home}-{}", limit.to_lowercase())
}

fn executor(name: &str, case: &Case, home: &str) -> Value {
    let mut pod = pods::executor(name, 8192, 819);
    pod["metadata"]["labels"][CLASS_LABEL] = json!(class_name(home, case.limit));
    if case.sidecar {
        let sidecar = json!({"name": "sidecar", "image": "sidecar:test"});
        pod["spec"]["containers"].as_array_mut().unwrap().insert(0, sidecar);
    }
    pod
}

fn namespace_with(cluster: &ControlPlane, limits: &Value) -> String {
    let namespace = cluster.namespace("limits", json!({}));
    let items = limits.as_array().unwrap().iter().enumerate().map(|(index, item)| {
        json!({
            "apiVersion": "v1", "kind": "LimitRange", "spec": {"limits": [item]},
            "metadata": {"name": format!("limits-{index}"), "namespace": namespace},
        })
    });
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items.collect::<Vec<_>>()});
    cluster.try_kubectl_with(&["create", "-f", "-"], &list.to_string()).unwrap();
    namespace
}
