//! What the fuzz targets share: a cluster to decide in, and what must be true of every answer.


use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use spark_swap::admission::answer::{Answer, Malformed, answer};
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::class::{Backend, QosMode, Strategy, SwapBackend, SwapClass};
use spark_swap::sizing::labels::Labels;
use spark_swap::sizing::nodes::Node;
use spark_swap::sizing::state::{Settings, State, StateParts};

/// A cluster with a class of every kind; the default class is Density.
pub fn cluster() -> State {
    let class = |name: &str, strategy: Strategy| SwapClass {
        name: name.to_owned(),
        strategy,
        heap_growth_percent: 50,
        young_generation_percent: 10,
        ..SwapClass::built_in()
    };
    let explicit = |class: SwapClass, via: Backend, qos_class: QosMode| SwapClass {
        swap: SwapBackend { via, max_per_executor: None },
        qos_class,
        ..class
    };
    let classes = vec![
        SwapClass { is_default: true, ..class("density", Strategy::Density) },
        class("growth", Strategy::HeapGrowth),
        explicit(class("crio", Strategy::Density), Backend::CrioAnnotation, QosMode::Guaranteed),
        explicit(class("nri", Strategy::SafetyNet), Backend::NriMemoryQos, QosMode::Burstable),
    ];
    let evidence = ["limited", "crio", "nri"].map(|backend| (format!("spark-swap.io/{backend}-swap-permille"), "500"));
    let labels = Labels::from_iter(evidence);
    let node = |name: &str, gib: u64| Node {
        name: name.to_owned(),
        memory: gib << 30,
        swap: gib << 29,
        labels: labels.clone(),
        taints: vec![],
    };
    let parts =
        StateParts { classes, nodes: vec![node("small", 16), node("large", 256)], ..StateParts::default() };
    State::new(parts, Settings::default())
}

/// The review of a pod's creation.
pub fn review_of(pod: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "namespace": "default",
            "operation": "CREATE",
            "object": pod
        }
    })
}

/// Answers, and checks that the API server can take the answer: allowed, whole, and a patch that applies.
pub fn check(body: &[u8], state: &State) -> Result<Answer, Malformed> {
    let answer = answer(body, state)?;
    let response: Value = serde_json::from_slice(&answer.body).expect("the answer is JSON");
    let response = &response["response"];
    assert_eq!(response["allowed"], true);
    assert_eq!(response["uid"], answer.record.uid.as_str());
    assert!(!answer.record.uid.is_empty());
    assert_ne!(answer.record.reason, Reason::ProofFailed, "{:?}", answer.record.failed_proof);
    assert_eq!(response.get("patch").is_some(), response.get("patchType").is_some());
    assert_eq!(response.get("patch").is_some(), answer.record.patched);
    let warnings = response["warnings"].as_array().into_iter().flatten();
    for warning in warnings {
        assert!(warning.as_str().expect("a text").chars().count() <= 120, "{warning}");
    }
    if let Some(patch) = response["patch"].as_str() {
        let patch = STANDARD.decode(patch).expect("base64");
        let patch: json_patch::Patch = serde_json::from_slice(&patch).expect("a JSON patch");
        // Our reader takes what serde_json's does not, such as numbers beyond f64: then there is no oracle.
        if let Ok(mut review) = serde_json::from_slice::<Value>(body) {
            let pod = &mut review["request"]["object"];
            json_patch::patch(pod, &patch).expect("the patch applies");
            assert!(pod["metadata"]["annotations"]["spark-swap.io/plan"].is_string());
        }
    }
    Ok(answer)
}
