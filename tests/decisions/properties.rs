//! What holds for every executor, class, cluster and namespace.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};
use spark_swap::admission::answer::answer;
use spark_swap::admission::decision::Decision;
use spark_swap::admission::reason::Reason;
use spark_swap::sizing::bound::Bound;
use spark_swap::sizing::class::{Backend, Enforcement, QosMode, Strategy as Use};
use spark_swap::sizing::nodes::Node;
use spark_swap::sizing::plan::Plan;

use crate::ask::{Case, Range};
use crate::cluster::{admit, plan_of, review_of};
use crate::differences::differences;
use crate::measured::usages;
use crate::placed::may_land;
use crate::random::{case, joining_node};
use crate::reference::kubernetes::{grant, qos, ranges_allow};
use crate::reference::{Expected, expected, normalised, patched, plan_json};

/// `PROPTEST_CASES` asks for more.
fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    ProptestConfig { cases, failure_persistence: None, ..default }
}

fn agrees_with_the_reference(case: &Case) -> Result<(), TestCaseError> {
    let pod = case.ask.pod();
    let (decision, after) = admit(&pod, &case.state());
    let Expected { reasons, planned } = expected(case);
    let Some(plan) = decision.plan else {
        prop_assert!(reasons.contains(&decision.reason), "{} but {reasons:?} {planned:?}", decision.reason);
        prop_assert_eq!(after, pod);
        return Ok(());
    };
    prop_assert!(planned.is_some(), "planned for {}, but {reasons:?}", plan.bound);
    let planned = planned.unwrap();
    let found = plan_of(&after);
    let node = &found["node"];
    let annotated = differences(&found, &plan_json(case, &planned, plan.bound.as_str(), node));
    prop_assert!(annotated.is_empty(), "plan {annotated:?}");
    prop_assert!(planned.bounds.contains(&plan.bound), "{} but {:?}", plan.bound, planned.bounds);
    let sizes = (node["memory"].as_u64(), node["swap"].as_u64());
    let is_smallest = planned.smallest.iter().any(|shape| sizes == (Some(shape.memory), Some(shape.swap)));
    let is_unknown = planned.smallest.is_empty() && node.is_null();
    prop_assert!(is_smallest || is_unknown, "{node} is not of {:?}", planned.smallest);
    let annotation = after["metadata"]["annotations"]["spark-swap.io/plan"].as_str().unwrap();
    let written = differences(&normalised(after.clone()), &normalised(patched(case, &planned, annotation)));
    prop_assert!(written.is_empty(), "pod {written:?}");
    Ok(())
}

/// Section 5, "Proof": what the plan claims, checked on the numbers of the plan and on the patched pod.
fn is_proven(case: &Case, plan: &Plan, after: &Value) -> Result<(), TestCaseError> {
    let (request, limit) = (plan.request.to, plan.limit.to);
    let guaranteed = case.class.qos_class == QosMode::Guaranteed;
    let in_order = if guaranteed { request == limit } else { request < limit };
    prop_assert!(0 < request && in_order);
    prop_assert!(request <= case.ask.request && limit <= case.ask.limit);
    let resident = plan.working_set + plan.unswappable;
    let fits = if plan.strategy == Use::Density { resident <= request } else { plan.working_set <= limit };
    prop_assert!(fits);
    prop_assert_eq!(plan.request.from, case.ask.request);
    prop_assert_eq!(plan.limit.from, case.ask.limit);
    if case.class.enforcement == Enforcement::Audit {
        return Ok(());
    }
    let containers = usages(after);
    prop_assert_eq!(containers[0].memory, (Some(request), Some(limit)));
    prop_assert_eq!(qos(&containers), plan.qos_class.as_str());
    prop_assert!(ranges_allow(
        &case.ranges,
        &containers,
        |usage| usage.memory,
        |range: &Range| &range.memory
    ));
    if plan.cpu_limit.is_some() {
        prop_assert!(ranges_allow(&case.ranges, &containers, |usage| usage.cpu, |range: &Range| &range.cpu));
    }
    for node in case.nodes.iter().filter(|node| may_land(after, node, request)) {
        holds_the_peak(plan, node)?;
    }
    Ok(())
}

fn holds_the_peak(plan: &Plan, node: &Node) -> Result<(), TestCaseError> {
    let swap = plan.written_swap.unwrap_or_else(|| grant(plan.request.to, node));
    prop_assert!(plan.peak <= plan.limit.to + swap, "the limit and {swap} of {node:?}");
    let all_at_once = plan.strategy != Use::SafetyNet || plan.bound == Bound::Growth;
    prop_assert!(!all_at_once || plan.peak <= plan.request.to + swap, "the request and {swap} of {node:?}");
    prop_assert!(swap <= grant(plan.request.to, node), "{swap} of {node:?} is more than its share");
    Ok(())
}

/// Section 7: the whole list of what may be written, as JSON pointers.
fn may_be_written(path: &str, place: usize) -> bool {
    let container = format!("/spec/containers/{place}/");
    let in_container = path.strip_prefix(&container).is_some_and(|rest| {
        ["resources/requests/memory", "resources/limits/memory", "resources/limits/cpu"].contains(&rest)
            || rest.starts_with("env/")
    });
    let prefixes = [
        "/metadata/annotations/spark-swap.io~1plan",
        "/metadata/annotations/unified-cgroup.crio.io~1",
        "/metadata/annotations/io.kubernetes.cri-o.UnifiedCgroup.",
        "/metadata/annotations/memory.swap.max.memory-qos.nri.io~1",
        "/spec/nodeSelector/pool",
        "/spec/tolerations/-",
        "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution",
    ];
    let parents = ["/metadata/annotations", "/spec/nodeSelector", "/spec/tolerations", "/spec/affinity"];
    in_container || parents.contains(&path) || prefixes.iter().any(|prefix| path.starts_with(prefix))
}

fn patch_is_safe(case: &Case, decision: &Decision) -> Result<(), TestCaseError> {
    let pod = case.ask.pod();
    let place = pod["spec"]["containers"].as_array().unwrap().len() - 1;
    for operation in &decision.operations {
        prop_assert!(may_be_written(&operation.path, place), "{operation:?}");
        let is_there = pod.pointer(&operation.path).is_some();
        prop_assert_eq!(operation.op, if is_there { "replace" } else { "add" }, "{}", &operation.path);
    }
    let audited = case.class.enforcement == Enforcement::Audit;
    prop_assert!(!audited || decision.operations.len() <= 1, "{:?}", &decision.operations);
    prop_assert_eq!(decision.plan.is_some(), !decision.operations.is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(cases(2000))]

    /// Among the rest: Density's request is the smallest of all that the text allows.
    #[test]
    fn the_decision_is_the_one_of_the_reference(case in case()) {
        agrees_with_the_reference(&case)?;
    }

    #[test]
    fn every_plan_is_proven_and_every_patch_safe(case in case()) {
        let (decision, after) = admit(&case.ask.pod(), &case.state());
        prop_assert_ne!(decision.reason, Reason::ProofFailed);
        patch_is_safe(&case, &decision)?;
        if let Some(plan) = &decision.plan {
            is_proven(&case, plan, &after)?;
        } else {
            prop_assert_eq!(after, case.ask.pod());
        }
    }

    #[test]
    fn no_node_that_joins_later_voids_a_plan((case, node) in case().prop_flat_map(|case| {
        let node = joining_node(&case);
        (Just(case), node)
    })) {
        let (decision, after) = admit(&case.ask.pod(), &case.state());
        if let Some(plan) = decision.plan.filter(|plan| plan.is_pinned && plan.enforcement == Enforcement::Enforce)
            && may_land(&after, &node, plan.request.to)
        {
            let swap = plan.written_swap.unwrap_or_else(|| grant(plan.request.to, &node));
            prop_assert!(plan.peak <= plan.limit.to + swap);
            prop_assert!(plan.strategy == Use::SafetyNet || plan.peak <= plan.request.to + swap);
        }
    }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn deciding_twice_is_deciding_once(case in case()) {
        let (state, pod) = (case.state(), case.ask.pod());
        let (first, after) = admit(&pod, &state);
        let (again, after_again) = admit(&pod, &case.state());
        prop_assert_eq!((first.reason, &first.plan, &after), (again.reason, &again.plan, &after_again));
        let (second, after_second) = admit(&after, &state);
        if first.plan.is_some() {
            prop_assert_eq!(second.reason, Reason::AlreadyPlanned);
        } else {
            prop_assert_eq!(second.reason, first.reason);
        }
        prop_assert!(second.operations.is_empty());
        prop_assert_eq!(after_second, after);
    }

    #[test]
    fn the_answer_is_what_the_api_server_expects(case in case()) {
        let review = review_of(&case.ask.pod());
        let answer = answer(&serde_json::to_vec(&review).unwrap(), &case.state()).unwrap();
        let (decision, _) = admit(&case.ask.pod(), &case.state());
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        prop_assert_eq!(&body["apiVersion"], "admission.k8s.io/v1");
        prop_assert_eq!(&body["kind"], "AdmissionReview");
        let response = &body["response"];
        prop_assert_eq!(&response["uid"], &review["request"]["uid"]);
        prop_assert_eq!(&response["allowed"], &json!(true));
        match (response.get("patch"), response.get("patchType")) {
            (None, None) => prop_assert!(decision.operations.is_empty()),
            (Some(patch), Some(kind)) => {
                prop_assert_eq!(kind, "JSONPatch");
                let patch: Value = serde_json::from_slice(&STANDARD.decode(patch.as_str().unwrap()).unwrap()).unwrap();
                prop_assert!(!decision.operations.is_empty());
                prop_assert_eq!(patch, serde_json::to_value(&decision.operations).unwrap());
            }
            half => prop_assert!(false, "half a patch: {half:?}"),
        }
        let audit = response["auditAnnotations"].as_object().unwrap();
        prop_assert_eq!(&audit["reason"], decision.reason.as_str());
        prop_assert_eq!(&audit["class"], &decision.class_name);
        prop_assert_eq!(audit.get("bound").is_some(), decision.plan.is_some());
        prop_assert!(audit.keys().all(|key| !key.contains('/')));
        let warnings = response["warnings"].as_array().into_iter().flatten();
        prop_assert!(warnings.into_iter().all(|warning| warning.as_str().unwrap().chars().count() <= 120));
    }

    #[test]
    fn explicit_backends_write_whole_pages_within_the_cap(case in case()) {
        let (decision, after) = admit(&case.ask.pod(), &case.state());
        let written = decision.plan.and_then(|plan| plan.written_swap);
        prop_assert!(written.is_none() || case.class.swap.via != Backend::Kubelet);
        if let Some(bytes) = written {
            prop_assert!(bytes > 0 && bytes % 4096 == 0, "{bytes}");
            prop_assert!(case.class.swap.max_per_executor.is_none_or(|cap| bytes <= cap));
            let annotations = after["metadata"]["annotations"].as_object().unwrap();
            prop_assert_eq!(
                annotations.len() > 1 + usize::from(case.ask.annotated),
                case.class.enforcement == Enforcement::Enforce
            );
        }
    }
}
