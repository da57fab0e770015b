//! The kubelet's rules, to the bit: who gets how much swap, QoS classes and OOM scores.
//!
//! Mirrors `pkg/kubelet/kuberuntime/kuberuntime_container_linux.go`, `pkg/apis/core/v1/helper/qos/qos.go` and
//! `pkg/kubelet/qos/policy.go`, which say the same from Kubernetes 1.34 to 1.37. Pod-level resources are not covered:
//! such pods are left alone.

use num_traits::ToPrimitive;

use super::quantity::Quantity;
use super::resources::{ContainerResources, PodResources};
use crate::vocabulary::vocabulary;

/// The kernel keeps `memory.swap.max` in pages of this many bytes.
pub const PAGE: u64 = 4096;
/// Pods from this priority up are critical (`scheduling.SystemCriticalPriority`).
pub const CRITICAL_PRIORITY: i64 = 2_000_000_000;

vocabulary! {
    /// A pod's QoS class.
    QosClass {
        Guaranteed => "Every container has cpu and memory limits equal to its requests.",
        Burstable => "Some container has a request or a limit.",
        BestEffort => "No container has any.",
    }
}

/// Rounds down to whole pages.
pub fn floor_to_page(bytes: u64) -> u64 {
    bytes.checked_div(PAGE).unwrap_or(0).saturating_mul(PAGE)
}

/// s(R, node): what the kubelet writes to `memory.swap.max` of an eligible container, as the kernel keeps it.
///
/// `request` R, `memory` M and `swap` S in bytes. 0 where the kubelet refuses: no memory, or a request above it.
pub fn granted_swap(request: u64, memory: u64, swap: u64) -> u64 {
    floor_to_page(calculated_swap(request, memory, swap))
}

/// `calcSwapForBurstablePods`: the value before the kernel rounds it to pages.
#[allow(clippy::float_arithmetic, reason = "the kubelet computes in float64")]
pub fn calculated_swap(request: u64, memory: u64, swap: u64) -> u64 {
    if memory == 0 || request > memory {
        return 0;
    }
    let (Some(request), Some(memory), Some(swap)) = (request.to_f64(), memory.to_f64(), swap.to_f64()) else {
        return 0;
    };
    ((request / memory) * swap).to_u64().unwrap_or(0)
}

/// `GetContainerSwapBehavior` for a container of a pod that came through the API server, under `LimitedSwap` on
/// cgroup v2: not critical, QoS class Burstable, some memory, and a request that differs from the limit.
pub fn is_swap_eligible(critical: bool, qos_class: QosClass, container: &ContainerResources) -> bool {
    let zero = Quantity::from_bytes(0);
    let request = container.memory_request.unwrap_or(zero);
    let limit = container.memory_limit.unwrap_or(zero);
    !critical && qos_class == QosClass::Burstable && !request.cmp_amount(limit).is_eq()
}

/// `ComputePodQOS` for a pod without pod-level resources. Kubernetes 1.37 compares container by container in place of the
/// sums; for pods that the API server accepts, without a request above its limit, that is the same.
pub fn qos_class(pod: &PodResources) -> QosClass {
    let positive = |quantity: Option<Quantity>| quantity.filter(|quantity| quantity.value() > 0);
    let add = |sum: &mut Option<Quantity>, quantity: Option<Quantity>| {
        if let Some(quantity) = quantity {
            *sum = sum.map_or(Some(quantity), |sum| sum.checked_add(quantity));
        }
    };
    let mut every_limit_is_set = true;
    let mut sums = [None; 4];
    let [cpu_request, cpu_limit, memory_request, memory_limit] = &mut sums;
    for container in pod.containers() {
        let limits = (positive(container.cpu_limit), positive(container.memory_limit));
        every_limit_is_set &= limits.0.is_some() && limits.1.is_some();
        add(cpu_request, positive(container.cpu_request));
        add(cpu_limit, limits.0);
        add(memory_request, positive(container.memory_request));
        add(memory_limit, limits.1);
    }
    let equal = |request: &Option<Quantity>, limit: &Option<Quantity>| match (request, limit) {
        (Some(request), Some(limit)) => request.cmp_amount(*limit).is_eq(),
        (None, None) => true,
        _ => false,
    };
    let guaranteed =
        every_limit_is_set && equal(cpu_request, cpu_limit) && equal(memory_request, memory_limit);
    if sums.iter().all(Option::is_none) {
        QosClass::BestEffort
    } else if guaranteed {
        QosClass::Guaranteed
    } else {
        QosClass::Burstable
    }
}

/// `GetContainerOOMScoreAdjust` for an app container of a pod that is not node-critical.
///
/// `request` and `memory` in bytes; -997 (Guaranteed) to 1000 (BestEffort).
pub fn oom_score_adj(qos_class: QosClass, request: u64, memory: u64) -> i64 {
    match qos_class {
        QosClass::Guaranteed => -997,
        QosClass::BestEffort => 1000,
        QosClass::Burstable => {
            let share = i128::from(request).saturating_mul(1000).checked_div(i128::from(memory)).unwrap_or(0);
            let adjust = 1000_i128.saturating_sub(share);
            i64::try_from(adjust.clamp(3, 999)).unwrap_or(999)
        }
    }
}
