//! A SwapClass object as a user typed it becomes a valid [`SwapClass`], or the list of everything wrong with it.
//!
//! The defaults are those of [`SwapClass::built_in`]. The CRD's schema and CEL rules say the same in the cluster.

use std::borrow::Cow;

use serde_json::Value;

use super::class::{Backend, ClassNodes, Enforcement, LimitMode, QosMode, Strategy, SwapBackend, SwapClass};
use super::field_values::{bytes, flag, integer, percent, text, text_with, word};
use super::fields::{Fields, Listed, Problem, describe, read_object};
use super::kubelet::PAGE;
use super::label_syntax::{MAX_LABEL_LENGTH, check_dns_subdomain, check_label_key, check_label_value};
use super::placement::Toleration;
use super::state::OPT_OUT;

/// The annotation that makes a class the default one; its value must be `true`.
pub const DEFAULT_CLASS_ANNOTATION: &str = "spark-swap.io/is-default-class";

impl SwapClass {
    /// Reads a SwapClass object (`metadata` and `spec`; `apiVersion`, `kind` and `status` are not looked at).
    ///
    /// # Errors
    /// Every problem, with its path.
    pub fn from_object(object: &Value) -> Result<Self, Vec<Problem>> {
        read_object(object, |class| {
            let metadata = class.object("metadata", |metadata| {
                let name = metadata.required("name", class_name);
                let annotations = metadata.map("annotations", |_, value| text(value));
                Ok((name?, annotations?.get(DEFAULT_CLASS_ANNOTATION) == Some(&"true")))
            });
            let spec = class.object("spec", read_spec);
            class.only_known(&["apiVersion", "kind", "status"]);
            let (name, is_default) = metadata?;
            Ok(Self { name, is_default, ..spec? })
        })
    }
}

/// A class name is also the value of a label.
fn class_name(value: &Value) -> Result<String, String> {
    let name = text_with(check_dns_subdomain)(value)?;
    if name.len() > MAX_LABEL_LENGTH {
        return Err(format!("{} has more than 63 characters and cannot be a label value", describe(value)));
    }
    if name == OPT_OUT {
        return Err("none is reserved: as a label it opts out; choose another name".to_owned());
    }
    Ok(name.to_owned())
}

/// The built-in class with what the spec says instead.
fn read_spec(spec: &mut Fields<'_>) -> Result<SwapClass, Listed> {
    let default = SwapClass::built_in();
    let enforcement = spec.read_or("enforcement", default.enforcement, word(Enforcement::ALL));
    let rollout_percent = spec.read_or("rolloutPercent", default.rollout_percent, percent(0..=100));
    let strategy = spec.read_or("strategy", default.strategy, word(Strategy::ALL));
    let working_set_percent =
        spec.read_or("workingSetPercent", default.working_set_percent, percent(1..=100));
    let peak_percent = spec.read_or("peakPercent", default.peak_percent, percent(1..=100));
    if let (Ok(working_set), Ok(peak)) = (working_set_percent, peak_percent)
        && working_set > peak
    {
        let origin = if spec.has("workingSetPercent") { "" } else { ", the default," };
        let problem = format!(
            "{working_set}{origin} is above spec.peakPercent, which is {peak}; set it to at most {peak}"
        );
        spec.problem("workingSetPercent", problem);
    }
    let margin_percent = spec.read_or("marginPercent", default.margin_percent, percent(0..=100));
    let peak_margin_percent = spec.read_or("peakMarginPercent", default.peak_margin_percent, percent(0..=50));
    let limit = spec.read_or("limit", default.limit, word(LimitMode::ALL));
    let minimum_request = spec.read_or("minimumRequest", default.minimum_request, positive_bytes);
    let qos_class = spec.read_or("qosClass", default.qos_class, word(QosMode::ALL));
    let mut backend = None;
    let swap = spec.object("swap", |swap| {
        let via = swap.read_or("via", default.swap.via, word(Backend::ALL));
        backend = via.ok();
        read_swap(swap, via)
    });
    if qos_class == Ok(QosMode::Guaranteed) && backend == Some(Backend::Kubelet) {
        spec.problem(
            "qosClass",
            "Guaranteed needs an explicit backend in spec.swap.via: CrioAnnotation or NriMemoryQos",
        );
    }
    let nodes = spec.object("nodes", |nodes| read_nodes(nodes, &default.nodes));
    let heap = spec.object("heap", |heap| {
        let growth = heap.read_or("growthPercent", default.heap_growth_percent, percent(0..=100));
        let young = heap.read_or("youngGenerationPercent", default.young_generation_percent, percent(0..=50));
        heap.only_known(&[]);
        Ok((growth?, young?))
    });
    let overrides = spec.object("overrides", |overrides| {
        let working_set =
            overrides.read_or("minWorkingSetPercent", default.min_working_set_percent, percent(1..=100));
        let peak = overrides.read_or("minPeakPercent", default.min_peak_percent, percent(1..=100));
        overrides.only_known(&[]);
        Ok((working_set?, peak?))
    });
    spec.only_known(&[]);
    let (heap_growth_percent, young_generation_percent) = heap?;
    let (min_working_set_percent, min_peak_percent) = overrides?;
    Ok(SwapClass {
        name: default.name,
        is_default: default.is_default,
        enforcement: enforcement?,
        rollout_percent: rollout_percent?,
        strategy: strategy?,
        working_set_percent: working_set_percent?,
        peak_percent: peak_percent?,
        margin_percent: margin_percent?,
        peak_margin_percent: peak_margin_percent?,
        limit: limit?,
        minimum_request: minimum_request?,
        qos_class: qos_class?,
        swap: swap?,
        nodes: nodes?,
        heap_growth_percent,
        young_generation_percent,
        min_working_set_percent,
        min_peak_percent,
    })
}

/// As the API server takes it: a quantity in quotes, or a whole number.
fn whole_or_quantity(value: &Value) -> Result<u64, String> {
    let bytes = bytes(value)?;
    if value.is_f64() {
        return Err(format!(
            "expected a whole number or a quantity such as 512Mi, found {}",
            describe(value)
        ));
    }
    Ok(bytes)
}

fn positive_bytes(value: &Value) -> Result<u64, String> {
    match whole_or_quantity(value)? {
        0 => Err(format!("{} is not above 0", describe(value))),
        bytes => Ok(bytes),
    }
}

fn read_swap(swap: &mut Fields<'_>, via: Result<Backend, Listed>) -> Result<SwapBackend, Listed> {
    let max_per_executor = swap.read("maxPerExecutor", |value| match whole_or_quantity(value)? {
        bytes if bytes < PAGE => Err(format!("{} is less than a page of {PAGE} bytes", describe(value))),
        bytes => Ok(bytes),
    });
    if via == Ok(Backend::Kubelet) && swap.has("maxPerExecutor") {
        swap.problem(
            "maxPerExecutor",
            "only for explicit backends; remove it, or set spec.swap.via to CrioAnnotation or NriMemoryQos",
        );
    }
    swap.only_known(&[]);
    Ok(SwapBackend { via: via?, max_per_executor: max_per_executor? })
}

fn read_nodes(nodes: &mut Fields<'_>, default: &ClassNodes) -> Result<ClassNodes, Listed> {
    let selector = nodes.map("selector", |key, value| {
        let value = text_with(check_label_value)(value);
        match (check_label_key(key), value) {
            (Ok(()), value) => value.map(str::to_owned),
            (Err(problem), Ok(_)) => Err(format!("the key {problem}")),
            (Err(problem), Err(of_value)) => Err(format!("the key {problem}, and {of_value}")),
        }
    });
    let tolerations = nodes.list("tolerations", read_toleration);
    let only_with_swap = nodes.read_or("onlyWithSwap", default.only_with_swap, flag);
    let minimum_swap_percent =
        nodes.read_or("minimumSwapPercent", default.minimum_swap_percent, percent(0..=1000));
    nodes.only_known(&[]);
    Ok(ClassNodes {
        selector: selector?,
        tolerations: tolerations?,
        only_with_swap: only_with_swap?,
        minimum_swap_percent: minimum_swap_percent?,
    })
}

/// Mirrors `ValidateTolerations` of `pkg/apis/core/validation/validation.go`, with the feature gate
/// `TaintTolerationComparisonOperators` off: where it is off, `Lt` and `Gt` would have every executor refused.
fn read_toleration(toleration: &mut Fields<'_>) -> Result<Toleration<'static>, Listed> {
    let key = toleration.read_or(
        "key",
        "",
        text_with(|key| if key.is_empty() { Ok(()) } else { check_label_key(key) }),
    );
    let operator = toleration.read_or("operator", "", |value| match text(value)? {
        known @ ("" | "Equal" | "Exists") => Ok(known),
        "Lt" | "Gt" => Err(format!(
            "{} needs the feature gate TaintTolerationComparisonOperators, without which every executor would be \
             refused; use Equal or Exists",
            describe(value)
        )),
        _ => Err(format!("{} is not one of Equal, Exists", describe(value))),
    });
    if key == Ok("") && operator.is_ok_and(|operator| operator != "Exists") {
        toleration
            .problem("key", "is required unless the operator is Exists, which then matches every taint");
    }
    let value = toleration.read_or("value", "", text_with(check_label_value));
    if operator == Ok("Exists") && value.is_ok_and(|value| !value.is_empty()) {
        toleration.problem("value", "must be empty when the operator is Exists");
    }
    let effect = toleration.read_or("effect", "", |value| match text(value)? {
        known @ ("" | "NoSchedule" | "PreferNoSchedule" | "NoExecute") => Ok(known),
        _ => Err(format!("{} is not one of NoSchedule, PreferNoSchedule, NoExecute", describe(value))),
    });
    let seconds = toleration.read("tolerationSeconds", integer(i64::MIN..=i64::MAX));
    if toleration.has("tolerationSeconds") && effect.is_ok_and(|effect| effect != "NoExecute") {
        toleration.problem("effect", "must be NoExecute when tolerationSeconds is set");
    }
    toleration.only_known(&[]);
    let owned = |text: &str| Cow::Owned(text.to_owned());
    Ok(Toleration {
        key: owned(key?),
        operator: owned(operator?),
        value: owned(value?),
        effect: owned(effect?),
        seconds: seconds?,
    })
}
