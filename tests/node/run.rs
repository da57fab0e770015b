//! What one run came to: a row of `runs.csv`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use spark_swap::sizing::kubelet::granted_swap;
use spark_swap::sizing::quantity::Quantity;

use crate::arm::{Parameters, own};
use crate::measure::Measure;
use crate::record::Record;
use crate::summary::{Container, Pod, Resources, executor_id};
use crate::tenths::Tenths;
use crate::watch_log::What;

/// The numbers of one run. An empty cell: not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Run {
    pub(crate) arm: String,
    pub(crate) repeat: u32,
    /// Those that were not as by default.
    pub(crate) parameters: String,
    /// done, failed or unfinished.
    pub(crate) outcome: String,
    /// Of the whole job; none: unfinished.
    pub(crate) seconds: Option<Tenths>,
    pub(crate) start_seconds: Option<Tenths>,
    pub(crate) task_seconds: Option<Tenths>,
    pub(crate) gc_seconds: Option<Tenths>,
    /// Each with its seconds.
    pub(crate) phases: String,
    /// Of a stream, which always ends after its time: what it took until then, and the longest that it took for a batch.
    pub(crate) rows: Option<u64>,
    pub(crate) slowest_batch_seconds: Option<Tenths>,
    pub(crate) executors: u64,
    /// The plans of executors: `STRATEGY/BOUND`, or none.
    pub(crate) plan: String,
    #[serde(rename = "requestMiB")]
    pub(crate) request_mib: Option<u64>,
    #[serde(rename = "limitMiB")]
    pub(crate) limit_mib: Option<u64>,
    /// The executors' different values of memory.swap.max, bytes.
    pub(crate) swap_max: String,
    /// Whether all of them are what they have to be; none: none was seen.
    pub(crate) exact: Option<bool>,
    pub(crate) oom_killed: u64,
    pub(crate) jvm_oom: u64,
    /// The kernel's kills by kind; none: its log is missing.
    pub(crate) cgroup_oom: Option<u64>,
    pub(crate) node_oom: Option<u64>,
    /// The least that was in use at a kill for a pod's own limit.
    #[serde(rename = "usedAtKillMiB")]
    pub(crate) used_at_kill_mib: Option<u64>,
    pub(crate) evicted: u64,
    pub(crate) heartbeat_lost: u64,
    pub(crate) lost: u64,
    pub(crate) not_ready: u64,
    pub(crate) memory_pressure: u64,
    #[serde(rename = "memoryPeakMiB")]
    pub(crate) memory_peak_mib: u64,
    #[serde(rename = "swapPeakMiB")]
    pub(crate) swap_peak_mib: u64,
    /// The largest sum of the two of one executor. They need not coincide.
    #[serde(rename = "footprintMiB")]
    pub(crate) footprint_mib: u64,
    #[serde(rename = "swapInMiB")]
    pub(crate) swap_in_mib: u64,
    #[serde(rename = "swapOutMiB")]
    pub(crate) swap_out_mib: u64,
    #[serde(rename = "lowestAvailableMiB")]
    pub(crate) lowest_available_mib: u64,
    #[serde(rename = "nodeMemoryMiB")]
    pub(crate) node_memory_mib: u64,
    #[serde(rename = "nodeSwapMiB")]
    pub(crate) node_swap_mib: u64,
}

impl Run {
    /// Its name: ARM-REPEAT.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.arm, self.repeat)
    }

    pub(crate) fn of(record: &Record, defaults: &Parameters) -> Self {
        let Record { driver, watch, summary, kernel, .. } = record;
        let end = driver.end.as_ref();
        let outcome = match end {
            Some(end) if end.is_done => "done",
            Some(_) => "failed",
            None => "unfinished",
        };
        let phases = driver.phases.iter().map(|phase| format!("{} {}", phase.name, phase.duration));
        let size = |kind: fn(&Resources) -> Option<u64>| {
            summary.executors().filter_map(|(_, pod)| kind(&pod.resources)).max().map(mib)
        };
        let containers: Vec<_> = summary.executor_containers().collect();
        let largest = |bytes: fn(&Container) -> u64| {
            mib(containers.iter().map(|(_, container)| bytes(container)).max().unwrap_or(0))
        };
        let grants: BTreeSet<u64> =
            containers.iter().filter_map(|(_, container)| container.swap_max.parse().ok()).collect();
        let states = |word: &str| summary.executors().filter(|(_, pod)| has_state(pod, word)).count();
        Self {
            arm: record.arm.clone(),
            repeat: record.repeat,
            parameters: own(&record.parameters, defaults),
            outcome: outcome.to_owned(),
            seconds: end.map(|end| end.seconds),
            start_seconds: driver.start(),
            task_seconds: end.and_then(|end| end.task_seconds),
            gc_seconds: end.and_then(|end| end.gc_seconds),
            phases: phases.collect::<Vec<_>>().join(" "),
            rows: driver.rows,
            slowest_batch_seconds: driver.slowest_batch,
            executors: watch.executors_at_once,
            plan: plans(record),
            request_mib: size(request),
            limit_mib: size(limit),
            swap_max: grants.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            exact: is_exact(record),
            oom_killed: count(states(":terminated:OOMKilled")),
            jvm_oom: jvm_oom(record),
            cgroup_oom: kernel.map(|kernel| kernel.own_limit),
            node_oom: kernel.map(|kernel| kernel.node),
            used_at_kill_mib: kernel.and_then(|kernel| kernel.used_at_kill).map(mib),
            evicted: watch.times(What::Evicted),
            heartbeat_lost: count(driver.heartbeat_lost.len()),
            lost: count(driver.lost.len()),
            not_ready: watch.times(What::NotReady),
            memory_pressure: watch.times(What::MemoryPressure),
            memory_peak_mib: largest(memory_peak),
            swap_peak_mib: largest(swap_peak),
            footprint_mib: largest(|container| memory_peak(container) + swap_peak(container)),
            swap_in_mib: pages(summary.node.pswpin),
            swap_out_mib: pages(summary.node.pswpout),
            lowest_available_mib: mib(summary.node.lowest_available),
            node_memory_mib: mib(summary.node.memory),
            node_swap_mib: mib(summary.node.swap),
        }
    }

    /// What was measured; none: not known.
    pub(crate) fn measured(&self, measure: Measure) -> Option<u64> {
        let tenths = |tenths: Option<Tenths>| tenths.map(|Tenths(tenths)| tenths);
        match measure {
            Measure::Seconds => tenths(self.seconds),
            Measure::JobSeconds => Some(tenths(self.seconds)?.saturating_sub(tenths(self.start_seconds)?)),
            Measure::TaskSeconds => tenths(self.task_seconds),
            Measure::GcSeconds => tenths(self.gc_seconds),
            Measure::JobsPerHourPerGib => self.jobs_per_hour_per_gib(),
            Measure::Rows => self.rows,
            Measure::SlowestBatchSeconds => tenths(self.slowest_batch_seconds),
            Measure::Executors => Some(self.executors),
            Measure::RequestMib => self.request_mib,
            Measure::LimitMib => self.limit_mib,
            Measure::Exact => self.exact.map(u64::from),
            Measure::OomKilled => Some(self.oom_killed),
            Measure::JvmOom => Some(self.jvm_oom),
            Measure::CgroupOom => self.cgroup_oom,
            Measure::NodeOom => self.node_oom,
            Measure::UsedAtKillPercent => self.percent_of_granted(self.used_at_kill_mib?),
            Measure::Evicted => Some(self.evicted),
            Measure::HeartbeatLost => Some(self.heartbeat_lost),
            Measure::Lost => Some(self.lost),
            Measure::NotReady => Some(self.not_ready),
            Measure::MemoryPressure => Some(self.memory_pressure),
            Measure::MemoryPeakMib => Some(self.memory_peak_mib),
            Measure::SwapPeakMib => Some(self.swap_peak_mib),
            Measure::FootprintMib => Some(self.footprint_mib),
            Measure::UsedPercent => self.percent_of_granted(self.footprint_mib),
            Measure::SwapInMib => Some(self.swap_in_mib),
            Measure::SwapOutMib => Some(self.swap_out_mib),
            Measure::LowestAvailableMib => Some(self.lowest_available_mib),
        }
    }

    /// Of limit and swap. None: executors differ in what they were granted.
    fn percent_of_granted(&self, mib: u64) -> Option<u64> {
        let swap = self::mib(self.swap_max.parse().ok()?);
        (mib * 100).checked_div(self.limit_mib? + swap)
    }

    /// In tenths; a job that was not done counts as none.
    fn jobs_per_hour_per_gib(&self) -> Option<u64> {
        if self.outcome != "done" {
            return Some(0);
        }
        let tenths = self.seconds?.0;
        // 10 tenths of a job x 36000 tenths of a second an hour x 1024 MiB.
        (10 * 36_000 * 1024u64).checked_div(tenths * self.node_memory_mib)
    }
}

/// What the executors were planned as.
fn plans(record: &Record) -> String {
    let plan = |pod: &Pod| {
        pod.plan
            .as_ref()
            .map_or_else(|| "none".to_owned(), |plan| format!("{}/{}", plan.strategy, plan.bound))
    };
    let plans: BTreeSet<String> = record.summary.executors().map(|(_, pod)| plan(pod)).collect();
    plans.into_iter().collect::<Vec<_>>().join(" ")
}

/// Whether every executor's cgroup has the limit that its pod says, and the swap that its plan says; where there is no
/// plan, what the kubelet's formula says.
fn is_exact(record: &Record) -> Option<bool> {
    let node = &record.summary.node;
    let has_plugin = record.parameters.get("NRI").is_some_and(|nri| nri == "yes");
    let is_limited = record.parameters.get("SWAP_BEHAVIOR").is_some_and(|behavior| behavior == "LimitedSwap");
    let swap = |pod: &Pod| match (&pod.plan, request(&pod.resources), limit(&pod.resources)) {
        (Some(plan), ..) if plan.enforcement == "Enforce" && (is_limited || has_plugin) => plan.possible_swap,
        (_, Some(request), Some(limit)) if is_limited && request != limit => {
            granted_swap(request, node.memory, node.swap)
        }
        _ => 0,
    };
    // A cgroup that was gone while it was read has empty values.
    let containers =
        record.summary.executor_containers().filter(|(_, container)| !container.swap_max.is_empty());
    let is_exact = |(pod, container): (&Pod, &Container)| {
        container.swap_max.parse().ok() == Some(swap(pod))
            && container.max.parse().ok() == limit(&pod.resources)
    };
    containers.map(is_exact).reduce(|all, one| all && one)
}

/// Executors whose JVM ran out of memory, whoever said so.
fn jvm_oom(record: &Record) -> u64 {
    let exit_code = record.summary.executors().filter(|(_, pod)| has_state(pod, ":terminated:Error:52"));
    let by_pod = exit_code.map(|(name, _)| name).chain(record.pods_out_of_heap.iter().map(String::as_str));
    let mut ids: BTreeSet<u64> = by_pod.filter_map(executor_id).collect();
    ids.extend(&record.driver.jvm_oom);
    count(ids.len())
}

fn has_state(pod: &Pod, word: &str) -> bool {
    pod.states.iter().any(|state| state.contains(word))
}

fn request(resources: &Resources) -> Option<u64> {
    resources.requests.get("memory")?.parse::<Quantity>().ok()?.bytes()
}

fn limit(resources: &Resources) -> Option<u64> {
    resources.limits.get("memory")?.parse::<Quantity>().ok()?.bytes()
}

fn memory_peak(container: &Container) -> u64 {
    container.peak.parse().unwrap_or(0)
}

fn swap_peak(container: &Container) -> u64 {
    container.swap_peak.parse().unwrap_or(0)
}

fn pages(number: Option<u64>) -> u64 {
    mib(number.unwrap_or(0) * 4096)
}

fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
