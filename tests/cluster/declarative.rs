//! What people try and apply from files: a try leaves nothing behind, and what is applied again stays as it is.

use serde_json::{Value, json};

use crate::classes::{CLASS_LABEL, class, class_for, density, judged, swap_class_crd, swap_node};
use crate::control_plane::ControlPlane;
use crate::nodes;
use crate::pods::{self, MIB};
use crate::webhook::Webhook;

#[test]
fn a_dry_run_or_a_diff_shows_the_plan_and_leaves_nothing_behind() {
    let cluster = ControlPlane::shared();
    let (namespace, webhook) = dense_namespace(cluster);
    let pod = executor("tried", &namespace);
    let before = (cluster.get("swapclass", "", &namespace), webhook.reviews("Planned", &namespace));

    let shown = cluster.try_create(&pod, &["--dry-run=server"]).unwrap();
    assert_eq!(pods::request(&shown), 6008 * MIB);
    for options in [&[][..], &["--server-side"]] {
        let difference = cluster.diff(&pod, options).expect("a pod that is not there");
        for line in ["+        memory: 6008Mi", "+    spark-swap.io/plan: '{", r#"+            - "499""#] {
            assert!(difference.contains(line), "{line} is not in\n{difference}");
        }
    }
    assert_eq!(webhook.reviews("Planned", &namespace), before.1 + 3);
    assert_eq!(cluster.list("pods", &namespace, "spark-role=executor"), Vec::<Value>::new());
    assert_eq!(cluster.get("swapclass", "", &namespace), before.0);

    // Nor do classes come into force by being looked at.
    let tried = format!("tried-{namespace}");
    let class = class_for(&namespace, &tried, density());
    cluster.try_create(&class, &["--dry-run=server"]).unwrap();
    assert!(cluster.diff(&class, &[]).expect("a class that is not there").contains("+  strategy: Density"));
    assert!(cluster.try_kubectl(&["get", "swapclass", &tried]).unwrap_err().contains("not found"));
    assert_eq!(webhook.metric("spark_swap_state_problems").as_deref(), Some("0"));
}

/// Defaults, conditions and whatever else is added to a class is no difference to the file that it came from.
#[test]
fn a_class_that_is_applied_again_stays_as_it_is() {
    let cluster = ControlPlane::shared();
    let (namespace, _webhook) = dense_namespace(cluster);
    let sized = json!({
        "minimumRequest": "1024Mi", "swap": {"via": "NriMemoryQos", "maxPerExecutor": 4_294_967_296_u64},
    });
    let server_side = &["--server-side"][..];
    for (name, spec, options) in [
        ("bare", Value::Null, &[][..]),
        ("empty", json!({}), server_side),
        ("sized", sized.clone(), &[]),
        ("sized-by-server", sized, server_side),
    ] {
        let name = format!("{name}-{namespace}");
        let file = class(&name, spec);
        let apply = || {
            let arguments = [&["apply", "-f", "-"], options].concat();
            cluster.try_kubectl_with(&arguments, &file.to_string()).unwrap();
            let mut class = judged(cluster, &name);
            // The API server may note who applied it.
            class["metadata"].as_object_mut().unwrap().remove("resourceVersion");
            class
        };
        let first = apply();
        assert_eq!(first["status"]["conditions"][0]["status"], "True");
        assert_eq!(cluster.diff(&file, options), None);
        assert_eq!(apply(), first);
    }
}

#[test]
fn a_planned_executor_is_what_was_stored_and_sparks_own_file_cannot_undo_it() {
    let cluster = ControlPlane::shared();
    let (namespace, _webhook) = dense_namespace(cluster);
    for options in [&[][..], &["--server-side"]] {
        let name = format!("executor{}", options.concat());
        let apply = |pod: &Value| {
            cluster.try_kubectl_with(&[&["apply", "-f", "-"], options].concat(), &pod.to_string())
        };
        let file = executor(&name, &namespace);
        apply(&file).unwrap();
        let stored = cluster.get("pod", &namespace, &name);
        assert_eq!(pods::request(&stored), 6008 * MIB);
        assert_eq!(cluster.diff(&stored, options), None);
        apply(&stored).unwrap();

        // Of any pod that was changed on its way in: its file does not say what it is, and resources cannot change.
        assert!(apply(&file).unwrap_err().contains("pod updates may not change fields"));
        assert_eq!(cluster.get("pod", &namespace, &name)["spec"], stored["spec"]);
    }
}

/// A namespace, a class of its name for it, and a webhook that knows both.
fn dense_namespace(cluster: &ControlPlane) -> (String, Webhook<'_>) {
    swap_class_crd(cluster);
    let namespace = cluster.namespace("declarative", json!({}));
    nodes::join(cluster, &swap_node(&namespace), &namespace);
    cluster.apply(&class_for(&namespace, &namespace, density()));
    let webhook = Webhook::start_live(cluster, &[&namespace]);
    judged(cluster, &namespace);
    (namespace, webhook)
}

fn executor(name: &str, namespace: &str) -> Value {
    let mut pod = pods::executor(name, 8192, 819);
    pod["metadata"]["namespace"] = json!(namespace);
    pod["metadata"]["labels"][CLASS_LABEL] = json!(namespace);
    pod
}
