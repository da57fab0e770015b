//! What QoS class Guaranteed asks of the Spark container.

use super::executor::Executor;
use super::plan::Site;
use super::quantity::Quantity;
use super::strategy::{SERVER_CLASS_MEMORY, Sizes};
use crate::admission::reason::Reason;

/// The cpu limit to write, `None` when it is right already. `swap` is the smallest grant, bytes.
pub(super) fn cpu_limit(
    executor: &Executor,
    site: &Site<'_>,
    sizes: &Sizes,
    swap: u64,
) -> Result<Option<Quantity>, Reason> {
    let spark = executor.resources.spark;
    let is_backed =
        sizes.demand.working_set <= sizes.limit && sizes.demand.peak <= sizes.limit.saturating_add(swap);
    // The JDK falls back to SerialGC below two cpus or 1792Mi, unless told otherwise.
    let loses_collector = !executor.jvm.selects_collector
        && sizes.limit < SERVER_CLASS_MEMORY
        && executor.received_limit >= SERVER_CLASS_MEMORY;
    let request = spark.cpu_request.filter(|request| !request.is_zero()).ok_or(Reason::NotGuaranteed)?;
    if !is_backed || loses_collector {
        return Err(Reason::NotGuaranteed);
    }
    if spark.cpu_limit.is_some_and(|limit| limit.cmp_amount(request).is_eq()) {
        return Ok(None);
    }
    let is_whole = request.is_whole() && request.value() >= 2;
    let is_allowed =
        !site.has_cpu_limit_quota && executor.resources.cpu_is_allowed(site.limits, request, request);
    if (is_whole || executor.jvm.selects_collector) && is_allowed {
        Ok(Some(request))
    } else {
        Err(Reason::NotGuaranteed)
    }
}
