//! What Spark asked for: the sizes and JVM flags of one executor, read from its pod.

use super::resources::PodResources;

/// One executor before any decision. All sizes are bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executor {
    /// H: the heap that the pod's environment sets; `None` when it cannot be known.
    pub heap: Option<u64>,
    /// R0: the memory request as received.
    pub received_request: u64,
    /// L0, which is T0: the memory limit as received.
    pub received_limit: u64,
    /// What the Spark conf labels add up to; `None` without such labels.
    pub labelled: Option<Labelled>,
    /// Memory that cannot be swapped.
    pub unswappable: Unswappable,
    /// What the JVM options say.
    pub jvm: JvmFlags,
    /// cpu and memory of all containers.
    pub resources: PodResources,
}

/// The executor as its Spark conf labels describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// H by `spark.executor.memory`, or the pod's own.
    pub heap: u64,
    /// H + O + F + Y as Spark would compute it.
    pub total: u64,
}

/// U: memory of the Spark container that cannot be swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unswappable {
    /// The known part.
    pub bytes: u64,
    /// There is no more than that: no memory emptyDir without a sizeLimit, no huge pages.
    pub is_bounded: bool,
}

/// What the JVM options of the Spark container say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JvmFlags {
    /// A `-XX:+Use*GC` flag selects the collector.
    pub selects_collector: bool,
    /// `-XX:+AlwaysPreTouch`.
    pub always_pre_touch: bool,
    /// The size of the young generation is set.
    pub sets_young_generation: bool,
}

impl Default for Unswappable {
    fn default() -> Self {
        Self { bytes: 0, is_bounded: true }
    }
}
