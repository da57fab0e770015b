//! What is measured of a run, by the names that expectations and `runs.csv` use.

use crate::tenths::Tenths;

/// A number that is measured of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Seconds,
    JobSeconds,
    TaskSeconds,
    GcSeconds,
    JobsPerHourPerGib,
    Rows,
    SlowestBatchSeconds,
    Executors,
    RequestMib,
    LimitMib,
    Exact,
    OomKilled,
    JvmOom,
    CgroupOom,
    NodeOom,
    UsedAtKillPercent,
    Evicted,
    HeartbeatLost,
    Lost,
    NotReady,
    MemoryPressure,
    MemoryPeakMib,
    SwapPeakMib,
    FootprintMib,
    UsedPercent,
    SwapInMib,
    SwapOutMib,
    LowestAvailableMib,
}

impl Measure {
    /// All of them.
    pub(crate) const ALL: [Self; 28] = [
        Self::Seconds,
        Self::JobSeconds,
        Self::TaskSeconds,
        Self::GcSeconds,
        Self::JobsPerHourPerGib,
        Self::Rows,
        Self::SlowestBatchSeconds,
        Self::Executors,
        Self::RequestMib,
        Self::LimitMib,
        Self::Exact,
        Self::OomKilled,
        Self::JvmOom,
        Self::CgroupOom,
        Self::NodeOom,
        Self::UsedAtKillPercent,
        Self::Evicted,
        Self::HeartbeatLost,
        Self::Lost,
        Self::NotReady,
        Self::MemoryPressure,
        Self::MemoryPeakMib,
        Self::SwapPeakMib,
        Self::FootprintMib,
        Self::UsedPercent,
        Self::SwapInMib,
        Self::SwapOutMib,
        Self::LowestAvailableMib,
    ];

    /// Its name in `arms.yaml`, and what it says.
    pub(crate) const fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::Seconds => ("seconds", "the whole job, with the start of its executors"),
            Self::JobSeconds => ("jobSeconds", "the job without that start"),
            Self::TaskSeconds => {
                ("taskSeconds", "the time of all tasks that ended while their executor was there")
            }
            Self::GcSeconds => ("gcSeconds", "the time that executors collected garbage"),
            Self::JobsPerHourPerGib => {
                ("jobsPerHourPerGiB", "jobs that one GiB of node memory gets done in an hour")
            }
            Self::Rows => ("rows", "what a stream took until its time was over"),
            Self::SlowestBatchSeconds => ("slowestBatchSeconds", "the longest that it took for a batch"),
            Self::Executors => ("executors", "executors that ran at once, at most"),
            Self::RequestMib => ("requestMiB", "the memory request of the largest executor"),
            Self::LimitMib => ("limitMiB", "its memory limit"),
            Self::Exact => ("exact", "every memory.swap.max is what it had to be: yes or no"),
            Self::OomKilled => ("oomKilled", "executors that Kubernetes says were OOMKilled"),
            Self::JvmOom => ("jvmOom", "executors that died of java.lang.OutOfMemoryError"),
            Self::CgroupOom => ("cgroupOom", "kills by the kernel for a pod's own limit"),
            Self::NodeOom => {
                ("nodeOom", "kills by the kernel because the node, or what it has for pods, was full")
            }
            Self::UsedAtKillPercent => (
                "usedAtKillPercent",
                "the least of limit + memory.swap.max in use at a kill for a pod's own limit",
            ),
            Self::Evicted => {
                ("evicted", "pods that the kubelet evicted, or that had to go because it was away")
            }
            Self::HeartbeatLost => ("heartbeatLost", "executors whose heartbeat the driver missed"),
            Self::Lost => ("lost", "executors that the driver lost"),
            Self::NotReady => ("notReady", "times that the node went NotReady"),
            Self::MemoryPressure => ("memoryPressure", "times that it reported MemoryPressure"),
            Self::MemoryPeakMib => ("memoryPeakMiB", "the largest memory.peak of an executor"),
            Self::SwapPeakMib => ("swapPeakMiB", "the largest memory.swap.peak of an executor"),
            Self::FootprintMib => ("footprintMiB", "the largest sum of these two of one executor"),
            Self::UsedPercent => ("usedPercent", "this sum in percent of limit + memory.swap.max"),
            Self::SwapInMib => ("swapInMiB", "read from swap by the node"),
            Self::SwapOutMib => ("swapOutMiB", "written to swap by the node"),
            Self::LowestAvailableMib => {
                ("lowestAvailableMiB", "the least memory that the node had available")
            }
        }
    }

    /// The measure of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.described().0 == name)
    }

    /// Whether it is counted in tenths.
    pub(crate) const fn is_in_tenths(self) -> bool {
        matches!(
            self,
            Self::Seconds
                | Self::JobSeconds
                | Self::TaskSeconds
                | Self::GcSeconds
                | Self::JobsPerHourPerGib
                | Self::SlowestBatchSeconds
        )
    }

    /// A value of it, as people read it.
    pub(crate) fn shown(self, value: u64) -> String {
        match self {
            Self::Exact => (if value == 1 { "yes" } else { "no" }).to_owned(),
            _ if self.is_in_tenths() => Tenths(value).to_string(),
            _ => value.to_string(),
        }
    }
}
