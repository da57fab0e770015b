//! A pod with a plan as it was before: what the patch of an enforced plan changed, taken back. So an executor that runs
//! can be decided about anew.
//!
//! The plan annotation says the sizes. What else was written is known by its form, and by the class where that is still
//! there; in doubt it stays, as it may be the user's own.

use serde_json::{Map, Value, json};

use crate::admission::executor::{HEAP_ENV, JAVA_OPT_PREFIX, recognise};
use crate::admission::operation::NewToleration;
use crate::admission::plan_annotation::{FoundPlan, PLAN_ANNOTATION};
use crate::admission::pod::Pod;
use crate::admission::swap_annotation;
use crate::sizing::arithmetic::{mib, percent_floor};
use crate::sizing::class::{Backend, SwapClass};
use crate::sizing::spark_memory::MIB;
use crate::sizing::state::State;

const NODE_AFFINITY: &str = "/spec/affinity/nodeAffinity";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// Takes the plan back; `false` where the pod carries none.
pub fn take_back_plan(pod: &mut Value, state: &State) -> bool {
    let annotation = object(pod, "/metadata/annotations").and_then(|all| all.remove(PLAN_ANNOTATION));
    let Some(annotation) = annotation else { return false };
    let plan = FoundPlan::read(annotation.as_str().unwrap_or_default());
    if let Some(index) = spark_container(pod).filter(|_| plan.is_enforced()) {
        let class = state.class(&plan.class);
        let path = format!("/spec/containers/{index}");
        take_back_annotations(pod, &path);
        if let Some(container) = pod.pointer_mut(&path) {
            take_back_sizes(container, &plan);
            take_back_young_generation(container, &plan, class.as_deref());
        }
        if plan.needed_permille > 0 {
            take_back_pin(pod, plan.needed_permille);
        }
        if let Some(class) = class {
            take_back_placement(pod, &class);
        }
    }
    true
}

fn spark_container(pod: &Value) -> Option<usize> {
    let text = pod.to_string();
    let pod: Pod<'_> = serde_json::from_str(&text).ok()?;
    recognise(&pod).ok().map(|spark| spark.index)
}

/// What an explicit backend reads.
fn take_back_annotations(pod: &mut Value, container: &str) {
    let name = pod.pointer(container).map_or("", |container| text(container, "name")).to_owned();
    let Some(annotations) = object(pod, "/metadata/annotations") else { return };
    for key in Backend::ALL.iter().flat_map(|via| swap_annotation::keys(*via, &name)) {
        annotations.remove(&key);
    }
}

fn take_back_sizes(container: &mut Value, plan: &FoundPlan) {
    for (change, path) in
        [(plan.request, "/resources/requests/memory"), (plan.limit, "/resources/limits/memory")]
    {
        let received = change.and_then(|change| change.from);
        if let Some((amount, received)) = container.pointer_mut(path).zip(received) {
            *amount = Value::String(received.to_string());
        }
    }
    let Some(heap) = plan.heap.filter(|heap| heap.from != heap.to) else { return };
    let variable = list(container, "/env")
        .and_then(|env| env.iter_mut().rev().find(|variable| text(variable, "name") == HEAP_ENV))
        .and_then(Value::as_object_mut);
    if let Some((variable, received)) = variable.zip(heap.from) {
        // A heap that was changed was of whole Mi, as Spark writes it.
        let mib = received.checked_div(MIB).unwrap_or(0);
        variable.insert("value".to_owned(), json!(format!("{mib}m")));
    }
}

/// The last of the numbered options, where it is the share of the heap that the class says: another one is the user's own.
fn take_back_young_generation(container: &mut Value, plan: &FoundPlan, class: Option<&SwapClass>) {
    let percent = class.map_or(0, |class| class.young_generation_percent);
    let Some(heap) = plan.heap.and_then(|heap| heap.to).filter(|_| percent > 0) else { return };
    let Some(env) = list(container, "/env") else { return };
    let number = |variable: &Value| text(variable, "name").strip_prefix(JAVA_OPT_PREFIX)?.parse::<u64>().ok();
    let places = env.iter().enumerate();
    let numbered = places.filter_map(|(place, variable)| Some((number(variable)?, place, variable)));
    let last = numbered.max_by_key(|(number, ..)| *number);
    let written = format!("-Xmn{}m", mib(percent_floor(heap, percent)));
    if let Some((_, place, _)) = last.filter(|(.., option)| text(option, "value") == written) {
        env.remove(place);
    }
}

/// The requirement on the evidence label, as the plan has it: another one is the user's own.
fn take_back_pin(pod: &mut Value, needed_permille: u64) {
    let Some(terms) = list(pod, &format!("{NODE_AFFINITY}/{REQUIRED}/nodeSelectorTerms")) else { return };
    terms.retain_mut(|term| !take_pin_out(term, needed_permille));
    if terms.is_empty()
        && let Some(affinity) = object(pod, NODE_AFFINITY)
    {
        affinity.remove(REQUIRED);
    }
}

/// `true` where the term had nothing else in it.
fn take_pin_out(term: &mut Value, needed_permille: u64) -> bool {
    let least = json!([needed_permille.saturating_sub(1).to_string()]);
    let is_pin = |requirement: &Value| {
        let key = text(requirement, "key");
        text(requirement, "operator") == "Gt"
            && requirement.get("values") == Some(&least)
            && Backend::ALL.iter().any(|via| key == via.evidence_label())
    };
    let Some(expressions) = list(term, "/matchExpressions") else { return false };
    let before = expressions.len();
    expressions.retain(|requirement| !is_pin(requirement));
    let is_bare = expressions.is_empty() && expressions.len() < before;
    is_bare && term.get("matchFields").is_none_or(Value::is_null)
}

/// What the class adds to the nodeSelector and the tolerations.
fn take_back_placement(pod: &mut Value, class: &SwapClass) {
    if let Some(selector) = object(pod, "/spec/nodeSelector") {
        selector.retain(|key, value| class.nodes.selector.get(key).is_none_or(|ours| value != ours));
    }
    if let Some(tolerations) = list(pod, "/spec/tolerations") {
        let ours: Vec<Value> =
            class.nodes.tolerations.iter().map(|ours| json!(NewToleration::from(ours))).collect();
        tolerations.retain(|toleration| !ours.contains(toleration));
    }
}

fn object<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Map<String, Value>> {
    value.pointer_mut(path)?.as_object_mut()
}

fn list<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Vec<Value>> {
    value.pointer_mut(path)?.as_array_mut()
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}
