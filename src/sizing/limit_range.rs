//! LimitRanges: composed per namespace, checked as the API server does.
//!
//! Mirrors `plugin/pkg/admission/limitranger/admission.go` of Kubernetes.

use std::collections::BTreeMap;

use num_traits::ToPrimitive;

use super::quantity::Quantity;

/// A LimitRange object, reduced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRange {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.limits`.
    pub items: Vec<LimitRangeItem>,
}

/// One entry of `spec.limits`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitRangeItem {
    /// `type`: `Container`, `Pod` or another that does not matter here.
    pub kind: String,
    /// `min` by resource name.
    pub min: BTreeMap<String, Quantity>,
    /// `max` by resource name.
    pub max: BTreeMap<String, Quantity>,
    /// `maxLimitRequestRatio` by resource name.
    pub max_limit_request_ratio: BTreeMap<String, Quantity>,
}

/// The LimitRanges of one namespace, composed: highest min, lowest max, lowest ratio.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceLimits {
    /// What binds each container.
    pub container: ResourceBounds,
    /// What binds the sums over a pod.
    pub pod: ResourceBounds,
}

/// The bounds of one scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceBounds {
    /// On memory, bytes.
    pub memory: Bounds,
    /// On cpu, cores.
    pub cpu: Bounds,
}

/// The bounds of one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Request and limit may not be below it.
    pub min: Option<Quantity>,
    /// Request and limit may not be above it.
    pub max: Option<Quantity>,
    /// Limit divided by request may not be above it.
    pub max_ratio: Option<Quantity>,
}

impl NamespaceLimits {
    /// Adds one more LimitRange.
    pub fn add(&mut self, range: &LimitRange) {
        for item in &range.items {
            let scope = match item.kind.as_str() {
                "Container" => &mut self.container,
                "Pod" => &mut self.pod,
                _ => continue,
            };
            scope.memory.tighten(item, "memory");
            scope.cpu.tighten(item, "cpu");
        }
    }

    /// The same minimums and nothing else.
    #[must_use]
    pub fn minimums(&self) -> Self {
        let of = |bounds: &ResourceBounds| ResourceBounds {
            memory: Bounds { min: bounds.memory.min, ..Bounds::default() },
            cpu: Bounds { min: bounds.cpu.min, ..Bounds::default() },
        };
        Self { container: of(&self.container), pod: of(&self.pod) }
    }
}

impl Bounds {
    /// A request and limit stay within the bounds; both are set.
    pub fn allow(&self, request: Quantity, limit: Quantity) -> bool {
        self.min.is_none_or(|min| at_most(min, request) && at_most(min, limit))
            && self.max.is_none_or(|max| at_most(request, max) && at_most(limit, max))
            && self.max_ratio.is_none_or(|ratio| ratio_is_at_most(request, limit, ratio))
    }

    fn tighten(&mut self, item: &LimitRangeItem, resource: &str) {
        let tightest = |current: Option<Quantity>, new: Option<&Quantity>, higher: bool| match (current, new)
        {
            (Some(current), Some(new)) if current.cmp_amount(*new).is_lt() == higher => Some(*new),
            (Some(current), _) => Some(current),
            (None, new) => new.copied(),
        };
        self.min = tightest(self.min, item.min.get(resource), true);
        self.max = tightest(self.max, item.max.get(resource), false);
        self.max_ratio = tightest(self.max_ratio, item.max_limit_request_ratio.get(resource), false);
    }
}

fn at_most(low: Quantity, high: Quantity) -> bool {
    low.cmp_amount(high).is_le()
}

/// `limitRequestRatioConstraint`: the API server divides float64s, and so do we, bit for bit.
#[allow(clippy::float_arithmetic, reason = "the API server compares float64 ratios in thousandths")]
fn ratio_is_at_most(request: Quantity, limit: Quantity, ratio: Quantity) -> bool {
    const MAX_MILLI_VALUE: i64 = i64::MAX / 1000;
    let in_millis = [request, limit, ratio].iter().all(|quantity| quantity.value() <= MAX_MILLI_VALUE);
    let (request, limit) = if in_millis {
        (request.milli_value(), limit.milli_value())
    } else {
        (request.value(), limit.value())
    };
    if request == 0 || limit == 0 {
        return false;
    }
    let (Some(request), Some(limit)) = (request.to_f64(), limit.to_f64()) else { return false };
    let observed = limit / request;
    if ratio.value() <= MAX_MILLI_VALUE {
        ratio.milli_value().to_f64().is_some_and(|most| observed * 1000.0 <= most)
    } else {
        ratio.value().to_f64().is_some_and(|most| observed <= most)
    }
}
