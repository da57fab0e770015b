//! The cpu and memory of a pod's containers: what QoS classes and LimitRanges are computed from.

use super::limit_range::{Bounds, NamespaceLimits};
use super::quantity::Quantity;

/// A container's own cpu and memory; `None` where not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerResources {
    /// `resources.requests.cpu`.
    pub cpu_request: Option<Quantity>,
    /// `resources.limits.cpu`.
    pub cpu_limit: Option<Quantity>,
    /// `resources.requests.memory`.
    pub memory_request: Option<Quantity>,
    /// `resources.limits.memory`.
    pub memory_limit: Option<Quantity>,
}

/// How a container lives beside the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerKind {
    /// In `spec.containers`.
    App,
    /// In `spec.initContainers`, runs to its end before the others.
    Init,
    /// In `spec.initContainers` with `restartPolicy: Always`.
    Sidecar,
}

/// All containers of a pod, with the Spark container's place among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodResources {
    /// The Spark container.
    pub spark: ContainerResources,
    /// Every other container, init containers in their order.
    pub others: Vec<(ContainerKind, ContainerResources)>,
}

impl PodResources {
    /// The same pod with other resources on the Spark container.
    #[must_use]
    pub fn with_spark(&self, spark: ContainerResources) -> Self {
        Self { spark, others: self.others.clone() }
    }

    /// Every container's resources; order does not matter.
    pub fn containers(&self) -> impl Iterator<Item = &ContainerResources> {
        std::iter::once(&self.spark).chain(self.others.iter().map(|(_, resources)| resources))
    }

    /// The memory of the Spark container and of the pod stays within the LimitRanges with this request and limit.
    pub fn memory_is_allowed(&self, limits: &NamespaceLimits, request: u64, limit: u64) -> bool {
        self.is_allowed(
            &limits.container.memory,
            &limits.pod.memory,
            (Quantity::from_bytes(request), Quantity::from_bytes(limit)),
            |resources| (resources.memory_request, resources.memory_limit),
        )
    }

    /// The same for cpu.
    pub fn cpu_is_allowed(&self, limits: &NamespaceLimits, request: Quantity, limit: Quantity) -> bool {
        self.is_allowed(&limits.container.cpu, &limits.pod.cpu, (request, limit), |resources| {
            (resources.cpu_request, resources.cpu_limit)
        })
    }

    fn is_allowed(
        &self,
        container: &Bounds,
        pod: &Bounds,
        (request, limit): (Quantity, Quantity),
        of: impl Fn(&ContainerResources) -> (Option<Quantity>, Option<Quantity>),
    ) -> bool {
        container.allow(request, limit)
            && (*pod == Bounds::default() || {
                let request = self.pod_total(request, |resources| of(resources).0);
                let limit = self.pod_total(limit, |resources| of(resources).1);
                request.zip(limit).is_some_and(|(request, limit)| pod.allow(request, limit))
            })
    }

    /// The memory that the scheduler reserves for the pod with this request on the Spark container, bytes; `None` when it
    /// is beyond what Kubernetes can count.
    pub fn reserved_memory(&self, spark_request: u64) -> Option<u64> {
        self.pod_total(Quantity::from_bytes(spark_request), |resources| resources.memory_request)?.bytes()
    }

    /// The cpu that the scheduler reserves for the pod.
    pub fn reserved_cpu(&self) -> Option<Quantity> {
        let spark = self.spark.cpu_request.unwrap_or_else(|| Quantity::from_bytes(0));
        self.pod_total(spark, |resources| resources.cpu_request)
    }

    /// The pod's total as the scheduler and the LimitRanger add it up (`podRequests` and `podLimits`): app containers and
    /// sidecars together, and never less than any init container with the sidecars started before it.
    fn pod_total(
        &self,
        spark: Quantity,
        of: impl Fn(&ContainerResources) -> Option<Quantity>,
    ) -> Option<Quantity> {
        let mut running = spark;
        let mut sidecars = Quantity::from_bytes(0);
        let mut largest_init = Quantity::from_bytes(0);
        for (kind, resources) in &self.others {
            let Some(amount) = of(resources) else { continue };
            let starting = match kind {
                ContainerKind::App => {
                    running = running.checked_add(amount)?;
                    continue;
                }
                ContainerKind::Sidecar => {
                    running = running.checked_add(amount)?;
                    sidecars = sidecars.checked_add(amount)?;
                    sidecars
                }
                ContainerKind::Init => amount.checked_add(sidecars)?,
            };
            if starting.cmp_amount(largest_init).is_gt() {
                largest_init = starting;
            }
        }
        Some(if largest_init.cmp_amount(running).is_gt() { largest_init } else { running })
    }
}
