//! The JSON patch (RFC 6902): built directly from the plan, never by comparing pods.
//!
//! A patch that does not apply rejects the pod even under `failurePolicy: Ignore`. So: `replace` only members that are
//! there, `add` missing ones to parents that are there, in one operation, and never `test`, `remove`, `move` or `copy`.

use std::collections::BTreeMap;

use crate::sizing::arithmetic::mib;
use crate::sizing::class::{Backend, Enforcement, SwapClass};
use crate::sizing::plan::Plan;
use crate::sizing::quantity::Quantity;

use super::executor::{HEAP_ENV, JAVA_OPT_PREFIX, SparkContainer, next_java_opt};
use super::operation::{
    NewAffinity, NewEnvVar, NewExpression, NewNodeAffinity, NewNodeSelector, NewTerm, NewToleration,
    Operation, Value,
};
use super::plan_annotation::{self, PLAN_ANNOTATION};
use super::pod::{Pod, WireTerm};
use super::pod_placement::{missing_tolerations, required_terms};
use super::reason::Reason;
use super::swap_annotation;
use super::text::{Text, TextMap};

/// The operations that turn the pod into what the plan says. An Audit plan is only recorded.
///
/// `PinConflict` where the pod already carries another value of an annotation that the backend needs.
pub fn patch(
    pod: &Pod<'_>,
    spark: &SparkContainer<'_, '_>,
    class: &SwapClass,
    plan: &Plan,
) -> Result<Vec<Operation>, Reason> {
    let mut patch = Patch { pod, spark, operations: Vec::with_capacity(8) };
    let mut annotations = vec![(PLAN_ANNOTATION.to_owned(), plan_annotation::write(plan))];
    // Audit records no plan that Enforce would not apply.
    let of_backend = patch.backend_annotations(class.swap.via, plan)?;
    if plan.enforcement == Enforcement::Enforce {
        patch.resources(plan);
        patch.environment(plan);
        patch.placement(class, plan);
        annotations.extend(of_backend);
    }
    patch.annotations(annotations);
    Ok(patch.operations)
}

/// Escapes a key for a JSON pointer.
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

struct Patch<'p, 'a> {
    pod: &'p Pod<'a>,
    spark: &'p SparkContainer<'p, 'a>,
    operations: Vec<Operation>,
}

impl Patch<'_, '_> {
    fn resources(&mut self, plan: &Plan) {
        let resources = self.spark.container.resources.as_ref();
        let bytes = |bytes: u64| Quantity::from_bytes(bytes).to_string();
        if plan.request.to != plan.request.from || self.spark.container.request("memory").is_none() {
            let requests = resources.and_then(|resources| resources.requests.as_ref());
            self.member("resources/requests", requests, "memory", bytes(plan.request.to));
        }
        let limits = resources.and_then(|resources| resources.limits.as_ref());
        if plan.limit.to != plan.limit.from {
            self.member("resources/limits", limits, "memory", bytes(plan.limit.to));
        }
        if let Some(cpu) = plan.cpu_limit {
            self.member("resources/limits", limits, "cpu", cpu.to_string());
        }
    }

    /// Sets one member of a map of the Spark container, which is added whole where it is missing.
    fn member(&mut self, map_path: &str, map: Option<&TextMap<'_>>, key: &str, value: String) {
        let path = self.container_path(map_path);
        match map.map(|map| map.get(key)) {
            None => self.push("add", path, Value::Map(BTreeMap::from([(key.to_owned(), value)]))),
            Some(None) => self.push("add", format!("{path}/{key}"), Value::Text(value)),
            Some(Some(_)) => self.push("replace", format!("{path}/{key}"), Value::Text(value)),
        }
    }

    fn environment(&mut self, plan: &Plan) {
        let container = self.spark.container;
        if let Some(heap) = plan.heap.filter(|heap| heap.from != heap.to)
            && let Some((place, _)) = container.last_env(HEAP_ENV)
        {
            let path = self.container_path(&format!("env/{place}/value"));
            self.push("replace", path, Value::Text(format!("{}m", mib(heap.to))));
        }
        if let Some(size) = plan.young_generation_mib
            && let Some(number) = next_java_opt(container)
        {
            let path = self.container_path("env/-");
            let name = format!("{JAVA_OPT_PREFIX}{number}");
            self.push("add", path, Value::Env(NewEnvVar { name, value: format!("-Xmn{size}m") }));
        }
    }

    fn placement(&mut self, class: &SwapClass, plan: &Plan) {
        let spec = self.spark.spec;
        match spec.node_selector.as_ref() {
            None if class.nodes.selector.is_empty() => {}
            None => self.push("add", "/spec/nodeSelector", Value::Map(class.nodes.selector.clone())),
            Some(own) => {
                for (key, value) in class.nodes.selector.iter().filter(|(key, _)| own.get(key).is_none()) {
                    self.push(
                        "add",
                        format!("/spec/nodeSelector/{}", escape(key)),
                        Value::Text(value.clone()),
                    );
                }
            }
        }
        let tolerations = missing_tolerations(spec, &class.nodes);
        if spec.tolerations.is_some() {
            for toleration in tolerations {
                self.push("add", "/spec/tolerations/-", Value::Toleration(NewToleration::from(toleration)));
            }
        } else if !tolerations.is_empty() {
            let list = tolerations.into_iter().map(NewToleration::from).collect();
            self.push("add", "/spec/tolerations", Value::Tolerations(list));
        }
        if plan.is_pinned {
            self.pin(class.swap.via, plan.needed_permille);
        }
    }

    /// The required node affinity that makes the proof travel with the pod.
    fn pin(&mut self, backend: Backend, needed_permille: u64) {
        const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
        let spec = self.spark.spec;
        let expression = NewExpression {
            key: backend.evidence_label(),
            operator: "Gt",
            values: [needed_permille.saturating_sub(1).to_string()],
        };
        let mut is_written = false;
        for (place, term) in required_terms(spec).unwrap_or_default().iter().enumerate() {
            // An empty term matches nothing and must stay so.
            if is_empty(term) {
                continue;
            }
            is_written = true;
            let path =
                format!("/spec/affinity/nodeAffinity/{REQUIRED}/nodeSelectorTerms/{place}/matchExpressions");
            if term.match_expressions.is_some() {
                self.push("add", path + "/-", Value::Expression(expression.clone()));
            } else {
                self.push("add", path, Value::Expressions([expression.clone()]));
            }
        }
        if is_written {
            return;
        }
        let required = NewNodeSelector { node_selector_terms: [NewTerm { match_expressions: [expression] }] };
        if spec.affinity.as_ref().is_some_and(|affinity| affinity.node_affinity.is_some()) {
            let path = format!("/spec/affinity/nodeAffinity/{REQUIRED}");
            return self.push("add", path, Value::NodeSelector(required));
        }
        let node_affinity = NewNodeAffinity { required_during_scheduling_ignored_during_execution: required };
        if spec.affinity.is_some() {
            self.push("add", "/spec/affinity/nodeAffinity", Value::NodeAffinity(node_affinity));
        } else {
            self.push("add", "/spec/affinity", Value::Affinity(NewAffinity { node_affinity }));
        }
    }

    /// The annotations by which an explicit backend learns the swap; none where they are there already.
    fn backend_annotations(&self, backend: Backend, plan: &Plan) -> Result<Vec<(String, String)>, Reason> {
        let Some(swap) = plan.written_swap else { return Ok(Vec::new()) };
        let container = self.spark.container.name.as_ref().map_or("", Text::as_str);
        let mut annotations = swap_annotation::write(backend, container, swap);
        let conflicts =
            annotations.iter().any(|(key, value)| self.pod.annotation(key).is_some_and(|own| own != value));
        annotations.retain(|(key, _)| self.pod.annotation(key).is_none());
        if conflicts { Err(Reason::PinConflict) } else { Ok(annotations) }
    }

    fn annotations(&mut self, annotations: Vec<(String, String)>) {
        let has_map = self.pod.metadata.as_ref().is_some_and(|metadata| metadata.annotations.is_some());
        if has_map {
            for (key, value) in annotations {
                self.push("add", format!("/metadata/annotations/{}", escape(&key)), Value::Text(value));
            }
        } else {
            self.push("add", "/metadata/annotations", Value::Map(annotations.into_iter().collect()));
        }
    }

    fn container_path(&self, below: &str) -> String {
        format!("/spec/containers/{}/{below}", self.spark.index)
    }

    fn push(&mut self, op: &'static str, path: impl Into<String>, value: Value) {
        self.operations.push(Operation { op, path: path.into(), value });
    }
}

fn is_empty(term: &WireTerm<'_>) -> bool {
    [&term.match_expressions, &term.match_fields].into_iter().flatten().all(Vec::is_empty)
}
