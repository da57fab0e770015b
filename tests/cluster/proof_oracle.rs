//! Plans and patches for random executors in random clusters, judged by Kubernetes: what a plan
//! promises is true for every node that the scheduler may choose.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use spark_swap::admission::answer::answer;
use spark_swap::sizing::kubelet::floor_to_page;

use crate::oracle::{Random, answers};
use crate::pods::{self, PLAN};
use crate::scenario::{EVIDENCE, Scenario};

#[test]
fn plans_hold_on_every_node_that_the_scheduler_may_choose() {
    const SCENARIOS: usize = 10_000;
    const BATCH: usize = 2_000;
    let mut random = Random::new();
    let mut outcomes = BTreeMap::<String, usize>::new();
    let mut broken = Vec::new();
    for _ in 0..SCENARIOS / BATCH {
        let scenarios: Vec<_> = (0..BATCH).map(|_| Scenario::new(&mut random)).collect();
        for (scenario, case) in scenarios.iter().zip(cases(&scenarios)) {
            *outcomes.entry(case.outcome(scenario)).or_default() += 1;
            if let Err(promise) = case.check(scenario) {
                let Scenario { nodes, limit_ranges, class, pod } = scenario;
                let input = json!({"nodes": nodes, "limitRanges": limit_ranges, "class": class, "pod": pod});
                broken.push(format!("{promise}\n  patch {}\n  scenario {input}", case.patch));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "{} of {SCENARIOS}:\n{}",
        broken.len(),
        broken[..broken.len().min(4)].join("\n")
    );
    // The scenarios are worth something: all of these are common.
    for outcome in [
        "Planned SafetyNet Kubelet",
        "Planned SafetyNet CrioAnnotation",
        "Planned SafetyNet NriMemoryQos",
        "Planned Density Kubelet",
        "Planned Density CrioAnnotation",
        "Planned Density NriMemoryQos",
        "Planned HeapGrowth Kubelet",
        "Audited",
        "NoSwapNode",
        "LimitRange",
        "AlreadyBelowLimit",
        "WouldLoseGuaranteed",
        "NotGuaranteed",
        "CriticalPod",
        "PinConflict",
    ] {
        assert!(
            outcomes.get(outcome).is_some_and(|&count| count >= 20),
            "too little {outcome}: {outcomes:?}"
        );
    }
    assert_eq!(outcomes.get("ProofFailed"), None);
}

/// A decision with Kubernetes' view of the pod before and after it.
struct Case {
    reason: String,
    patch: Value,
    before: Judged,
    after: Judged,
}

/// A pod as the API server holds it, with what becomes of it.
struct Judged {
    pod: Value,
    valid: Value,
    within_limits: bool,
    /// For each node of the scenario: the scheduler's view and the kubelet's.
    nodes: Vec<(Value, Value)>,
}

fn cases(scenarios: &[Scenario]) -> Vec<Case> {
    // What the API server sends is decoded and defaulted already.
    let nothing = vec![json!([]); scenarios.len()];
    let sent = patched(scenarios.iter().map(|scenario| &scenario.pod), &nothing);
    let (mut reasons, mut patches) = (Vec::new(), Vec::new());
    for (scenario, pod) in scenarios.iter().zip(&sent) {
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "namespace": "default", "operation": "CREATE", "object": pod,
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
        }});
        let answer = answer(review.to_string().as_bytes(), &scenario.state()).unwrap();
        reasons.push(answer.record.reason.to_string());
        patches.push(patch_of(&answer.body));
    }
    let stored = patched(sent.iter(), &patches);
    let before = judge(scenarios, sent);
    let after = judge(scenarios, stored);
    let cases = reasons.into_iter().zip(patches).zip(before.into_iter().zip(after));
    cases.map(|((reason, patch), (before, after))| Case { reason, patch, before, after }).collect()
}

fn patch_of(body: &[u8]) -> Value {
    let response = &serde_json::from_slice::<Value>(body).unwrap()["response"];
    assert_eq!(response["allowed"], true);
    response["patch"].as_str().map_or_else(
        || json!([]),
        |patch| serde_json::from_slice(&BASE64_STANDARD.decode(patch).unwrap()).unwrap(),
    )
}

/// The pods after their patches. One that does not apply would cost the user his pod.
fn patched<'a>(pods: impl Iterator<Item = &'a Value>, patches: &[Value]) -> Vec<Value> {
    let questions: Vec<_> = pods
        .zip(patches)
        .map(|(pod, patch)| json!({"op": "applyPatch", "object": pod, "patch": patch}))
        .collect();
    let answers = answers(&questions);
    let objects = questions.iter().zip(answers).map(|(question, mut answer)| {
        assert_eq!(answer["ok"], true, "{answer} to {question}");
        answer["object"].take()
    });
    objects.collect()
}

fn judge(scenarios: &[Scenario], pods: Vec<Value>) -> Vec<Judged> {
    let mut questions = Vec::new();
    for (scenario, pod) in scenarios.iter().zip(&pods) {
        questions.push(json!({"op": "podValid", "pod": pod}));
        questions.push(json!({"op": "limitRange", "limitRanges": scenario.limit_ranges, "pod": pod}));
        for node in &scenario.nodes {
            let (memory, swap) = (pods::bytes(&node["status"]["capacity"]["memory"]), swap_of(node));
            questions.push(json!({"op": "nodeMatch", "pod": pod, "node": node}));
            questions.push(json!({"op": "pod", "pod": pod, "memory": memory, "swap": swap}));
        }
    }
    let mut answers = answers(&questions).into_iter();
    let mut next = || answers.next().unwrap();
    let judged = scenarios.iter().zip(pods).map(|(scenario, pod)| Judged {
        pod,
        valid: next(),
        within_limits: next()["ok"] == true,
        nodes: scenario.nodes.iter().map(|_| (next(), next())).collect(),
    });
    judged.collect()
}

impl Case {
    /// The reason, and what kind of plan it was where there is one in force.
    fn outcome(&self, scenario: &Scenario) -> String {
        match pods::plan(&self.after.pod) {
            Some(plan) if self.reason == "Planned" => {
                format!("Planned {} {}", plan["strategy"].as_str().unwrap(), via(scenario))
            }
            _ => self.reason.clone(),
        }
    }

    fn check(&self, scenario: &Scenario) -> Result<(), String> {
        let (before, after) = (&self.before, &self.after);
        demand(before.valid["ok"] == true, "a scenario that the API server accepts")?;
        demand(after.valid["ok"] == true, "a patched pod that the API server accepts")?;
        demand(after.within_limits || !before.within_limits, "a patched pod within its LimitRanges")?;
        demand(rest_of(&before.pod) == rest_of(&after.pod), "that nothing else changes")?;
        demand(pods::request(&after.pod) <= pods::request(&before.pod), "that requests never grow")?;
        demand(pods::limit(&after.pod) <= pods::limit(&before.pod), "that limits never grow")?;

        let Some(plan) = pods::plan(&after.pod) else {
            return demand(before.pod == after.pod, "that a pod without a plan is unchanged");
        };
        if plan["enforcement"] != "Enforce" {
            return demand(spec(&before.pod) == spec(&after.pod), "that an audit changes nothing");
        }
        demand(pods::request(&after.pod) == plan["request"]["to"], "the plan's request")?;
        demand(pods::limit(&after.pod) == plan["limit"]["to"], "the plan's limit")?;
        self.check_nodes(scenario, &plan)
    }

    fn check_nodes(&self, scenario: &Scenario, plan: &Value) -> Result<(), String> {
        let number = |field: &str| plan[field].as_u64().unwrap();
        let (request, limit) = (pods::request(&self.after.pod), pods::limit(&self.after.pod));
        // The declared total may be above what the pod pays for, by the application's own wish.
        let declared = plan["heap"]["to"].as_u64().map(|heap| heap + number("nonHeap"));
        let grows = declared > plan["limit"]["from"].as_u64();
        let backed = plan["strategy"] != "SafetyNet" || grows;
        let mut smallest: Option<(u64, &Value)> = None;
        for (node, (scheduler, kubelet)) in scenario.nodes.iter().zip(&self.after.nodes) {
            let memory = pods::bytes(&node["status"]["capacity"]["memory"]);
            demand(kubelet["qosClass"] == plan["qosClass"], "the plan's QoS class")?;
            if scheduler["affinity"] != true || scheduler["taints"] != true || memory < request {
                continue;
            }
            let spark = spark_container_of(kubelet);
            let granted = self.granted(scenario, node, spark);
            demand(number("expectedSwap") <= granted, "the expected swap")?;
            demand(number("peak") <= limit + granted, "a peak within limit and swap")?;
            if backed {
                demand(number("peak") <= request + granted, "a peak within request and swap")?;
            }
            if smallest.is_none_or(|(least, _)| memory < least) {
                smallest = Some((memory, spark));
            }
        }
        match smallest {
            Some((_, spark)) => demand(spark["oomScoreAdj"] == plan["oomScoreAdj"], "the plan's OOM score"),
            // SafetyNet asks for no node; the others would keep the pod from running for ever.
            None => demand(!backed, "a node that matches"),
        }
    }

    /// The swap that the Spark container really gets on a node, if the node's label tells the truth.
    fn granted(&self, scenario: &Scenario, node: &Value, spark: &Value) -> u64 {
        let via = via(scenario);
        let (_, label) = EVIDENCE.iter().find(|(backend, _)| *backend == via).unwrap();
        let promised = node["metadata"]["labels"][label].as_str().unwrap_or("0");
        if promised == "0" {
            return 0;
        }
        if via == "Kubelet" {
            return floor_to_page(spark["swap"].as_u64().unwrap());
        }
        written_swap(&self.after.pod).min(swap_of(node))
    }
}

/// The backend of the scenario's class.
fn via(scenario: &Scenario) -> &str {
    scenario.class["spec"]["swap"]["via"].as_str().unwrap_or("Kubelet")
}

/// What the annotation of an explicit backend sets for the Spark container.
fn written_swap(pod: &Value) -> u64 {
    let container = pods::spark_container(pod)["name"].as_str().unwrap();
    let annotation = |key: String| pod["metadata"]["annotations"][&key].as_str();
    if let Some(bytes) = annotation(format!("memory.swap.max.memory-qos.nri.io/{container}")) {
        return bytes.parse().unwrap();
    }
    let unified =
        annotation(format!("unified-cgroup.crio.io/{container}")).expect("an annotation of the backend");
    let encoded = unified.strip_prefix("memory.swap.max=").unwrap();
    String::from_utf8(BASE64_STANDARD.decode(encoded).unwrap()).unwrap().parse().unwrap()
}

fn spark_container_of(kubelet: &Value) -> &Value {
    let containers = kubelet["containers"].as_array().unwrap();
    containers.iter().find(|container| container["name"] == "spark-kubernetes-executor").unwrap()
}

fn swap_of(node: &Value) -> u64 {
    // The kubelet says nothing of swap that is not there.
    node["status"]["nodeInfo"]["swap"]["capacity"].as_u64().unwrap_or(0)
}

fn spec(pod: &Value) -> &Value {
    &pod["spec"]
}

/// The pod without everything that a patch may write.
fn rest_of(pod: &Value) -> Value {
    let mut pod = pod.clone();
    let name = pods::spark_container(&pod)["name"].as_str().unwrap().to_owned();
    let container = pods::spark_container_mut(&mut pod);
    for (kind, resource) in [("requests", "memory"), ("limits", "memory"), ("limits", "cpu")] {
        container["resources"][kind].as_object_mut().unwrap().remove(resource);
    }
    let env = container["env"].as_array_mut().unwrap();
    env.retain(|variable| {
        let is_young = variable["value"].as_str().is_some_and(|value| value.starts_with("-Xmn"));
        variable["name"] != "SPARK_EXECUTOR_MEMORY" && !is_young
    });
    let spec = pod["spec"].as_object_mut().unwrap();
    for field in ["nodeSelector", "tolerations", "affinity"] {
        spec.remove(field);
    }
    let annotations = pod["metadata"]["annotations"].take();
    let ours = [
        PLAN.to_owned(),
        format!("unified-cgroup.crio.io/{name}"),
        format!("io.kubernetes.cri-o.UnifiedCgroup.{name}"),
        format!("memory.swap.max.memory-qos.nri.io/{name}"),
    ];
    let others = annotations.as_object().into_iter().flatten().filter(|(key, _)| !ours.contains(key));
    pod["metadata"]["annotations"] = others.map(|(key, value)| (key.clone(), value.clone())).collect();
    pod
}

fn demand(holds: bool, promise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("broken: {promise}")) }
}
