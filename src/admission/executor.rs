//! Recognises the Spark executor in a pod and reads what it asked for.

use crate::sizing::executor::{Executor, JvmFlags, Unswappable};
use crate::sizing::kubelet::CRITICAL_PRIORITY;
use crate::sizing::quantity::Quantity;
use crate::sizing::resources::{ContainerKind, ContainerResources, PodResources};
use crate::sizing::spark_memory::jvm_size;

use super::pod::{Container, Pod, Spec};
use super::reason::{Note, Reason};
use super::spark_labels::labelled;
use super::text::{Scalar, Text};

/// The environment variable with the heap; the entrypoint passes it to `-Xms` and `-Xmx`.
pub const HEAP_ENV: &str = "SPARK_EXECUTOR_MEMORY";
/// One JVM option each, by number.
pub const JAVA_OPT_PREFIX: &str = "SPARK_JAVA_OPT_";

/// The Spark container of an executor pod.
#[derive(Clone, Copy, Debug)]
pub struct SparkContainer<'p, 'a> {
    /// Its place in `spec.containers`.
    pub index: usize,
    /// The container.
    pub container: &'p Container<'a>,
    /// The pod's spec.
    pub spec: &'p Spec<'a>,
}

/// Finds the Spark container: by args and environment, never by name or place, which pod templates change.
pub fn recognise<'p, 'a>(pod: &'p Pod<'a>) -> Result<SparkContainer<'p, 'a>, Reason> {
    let spec = pod.spec.as_ref().filter(|_| pod.label("spark-role") == Some("executor"));
    let spec = spec.ok_or(Reason::NotExecutor)?;
    let mut found = spec.containers().iter().enumerate().filter(|(_, container)| is_spark(container));
    let (index, container) = found.next().ok_or(Reason::NotExecutor)?;
    match found.next() {
        Some(_) => Err(Reason::AmbiguousContainer),
        None => Ok(SparkContainer { index, container, spec }),
    }
}

/// Reads what the executor asked for, or why it cannot be planned for.
pub fn read(
    pod: &Pod<'_>,
    spark: &SparkContainer<'_, '_>,
    allowed_runtime_classes: &[String],
    notes: &mut Vec<Note>,
) -> Result<Executor, Reason> {
    refuse_kind(pod, spark.spec, allowed_runtime_classes)?;
    let resources = pod_resources(spark);
    let (request, limit) = memory(spark.container)?;
    let heap = heap(spark.container);
    if heap.is_some_and(|heap| heap >= limit) {
        return Err(Reason::HeapExceedsLimit);
    }
    let options = JavaOptions::read(spark.container);
    Ok(Executor {
        heap,
        received_request: request,
        received_limit: limit,
        labelled: labelled(pod, heap, notes),
        unswappable: unswappable(spark, options.uses_large_pages),
        jvm: options.flags,
        resources,
    })
}

/// The sizes that a pod has now, bytes; `None` where they are absent or not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentSizes {
    /// The memory request.
    pub request: Option<u64>,
    /// The memory limit.
    pub limit: Option<u64>,
    /// The heap.
    pub heap: Option<u64>,
}

/// Reads the sizes without judging them.
pub fn present_sizes(container: &Container<'_>) -> PresentSizes {
    let bytes = |text: Option<&str>| text?.parse::<Quantity>().ok()?.bytes();
    PresentSizes {
        request: bytes(container.request("memory")),
        limit: bytes(container.limit("memory")),
        heap: heap(container),
    }
}

/// The number of the next unused `SPARK_JAVA_OPT_<n>`; `None` when numbers run out.
pub fn next_java_opt(container: &Container<'_>) -> Option<u64> {
    let numbers = container
        .env()
        .iter()
        .filter_map(|variable| variable.name.as_str().strip_prefix(JAVA_OPT_PREFIX)?.parse::<u64>().ok());
    numbers.max().map_or(Some(0), |highest| highest.checked_add(1))
}

fn is_spark(container: &Container<'_>) -> bool {
    let first = container.args.as_deref().and_then(<[Text<'_>]>::first);
    first.is_some_and(|argument| argument.as_str() == "executor")
        && container.env().iter().any(|variable| variable.name.as_str() == "SPARK_EXECUTOR_ID")
}

/// A critical, static or mirror pod, to which the kubelet grants no swap.
pub fn is_critical(pod: &Pod<'_>, spec: &Spec<'_>) -> bool {
    let class_is_critical = matches!(
        spec.priority_class_name.as_ref().map(Text::as_str),
        Some("system-node-critical" | "system-cluster-critical")
    );
    let is_critical = spec.priority.map_or(class_is_critical, |priority| priority >= CRITICAL_PRIORITY);
    let is_static = pod.annotation("kubernetes.io/config.source").is_some_and(|source| source != "api");
    is_critical || is_static || pod.annotation("kubernetes.io/config.mirror").is_some()
}

/// Pods to which the kubelet grants no swap, or whose plan could not be proven.
fn refuse_kind(pod: &Pod<'_>, spec: &Spec<'_>, allowed_runtime_classes: &[String]) -> Result<(), Reason> {
    if is_critical(pod, spec) {
        return Err(Reason::CriticalPod);
    }
    let has_pod_level = spec.resources.as_ref().is_some_and(|resources| {
        [&resources.requests, &resources.limits].into_iter().flatten().any(|list| !list.0.is_empty())
    });
    if has_pod_level {
        return Err(Reason::PodLevelResources);
    }
    match spec.runtime_class_name.as_ref().map(Text::as_str) {
        Some(name) if !name.is_empty() && !allowed_runtime_classes.iter().any(|allowed| allowed == name) => {
            Err(Reason::RuntimeClass)
        }
        _ => Ok(()),
    }
}

/// R0 and L0, bytes. A limit alone is the request too, as the API server defaults it.
fn memory(container: &Container<'_>) -> Result<(u64, u64), Reason> {
    let bytes =
        |text: &str| text.parse::<Quantity>().ok().and_then(Quantity::bytes).filter(|bytes| *bytes > 0);
    match (container.request("memory"), container.limit("memory")) {
        (None, None) => Err(Reason::NoMemory),
        (Some(request), None) => Err(bytes(request).map_or(Reason::NoMemory, |_| Reason::NoLimit)),
        (None, Some(limit)) => bytes(limit).map(|limit| (limit, limit)).ok_or(Reason::NoMemory),
        (Some(request), Some(limit)) => {
            let request = bytes(request).ok_or(Reason::NoMemory)?;
            bytes(limit).map(|limit| (request, limit)).ok_or(Reason::NoLimit)
        }
    }
}

/// H, bytes; `None` when the pod does not say, or `_JAVA_OPTIONS` has the last word.
fn heap(container: &Container<'_>) -> Option<u64> {
    let overridden = container.last_env("_JAVA_OPTIONS").is_some_and(|(_, variable)| {
        variable.literal().is_none_or(|options| {
            options
                .split_whitespace()
                .any(|option| option.starts_with("-Xmx") || option.starts_with("-XX:MaxHeapSize="))
        })
    });
    let (_, variable) = container.last_env(HEAP_ENV).filter(|_| !overridden)?;
    jvm_size(variable.literal()?)
}

/// What all JVM options of a container say together.
#[derive(Default)]
struct JavaOptions {
    flags: JvmFlags,
    uses_large_pages: bool,
}

impl JavaOptions {
    fn read(container: &Container<'_>) -> Self {
        let mut read = Self::default();
        let variables = container.env().iter().filter(|variable| holds_java_options(variable.name.as_str()));
        for variable in variables {
            let Some(options) = variable.literal() else {
                // Whatever comes from elsewhere may set it, so it is not set twice.
                read.flags.sets_young_generation = true;
                continue;
            };
            // Spark's own lists are mostly module options and properties, which say nothing here.
            let is_one_option = variable.name.as_str().starts_with(JAVA_OPT_PREFIX) && !options.contains(' ');
            if is_one_option && (options.starts_with("--") || options.starts_with("-D")) {
                continue;
            }
            let last = container.last_env(variable.name.as_str());
            if last.is_some_and(|(_, last)| std::ptr::eq(last, variable)) {
                options.split_whitespace().for_each(|option| read.add(option));
            }
        }
        read
    }

    fn add(&mut self, option: &str) {
        match option {
            "-XX:+AlwaysPreTouch" => self.flags.always_pre_touch = true,
            "-XX:+UseLargePages" => self.uses_large_pages = true,
            _ if option.starts_with("-XX:+Use") && option.ends_with("GC") => {
                self.flags.selects_collector = true;
            }
            _ => self.flags.sets_young_generation |= sets_young_generation(option),
        }
    }
}

fn holds_java_options(name: &str) -> bool {
    name.starts_with(JAVA_OPT_PREFIX)
        || matches!(name, "JAVA_TOOL_OPTIONS" | "JDK_JAVA_OPTIONS" | "_JAVA_OPTIONS")
}

fn sets_young_generation(option: &str) -> bool {
    const SETTINGS: [&str; 5] =
        ["NewSize", "MaxNewSize", "NewRatio", "G1NewSizePercent", "G1MaxNewSizePercent"];
    option.starts_with("-Xmn")
        || option
            .strip_prefix("-XX:")
            .and_then(|option| option.split_once('='))
            .is_some_and(|(name, _)| SETTINGS.contains(&name))
}

/// U: memory-backed emptyDirs that the Spark container mounts, and huge pages.
fn unswappable(spark: &SparkContainer<'_, '_>, large_pages: bool) -> Unswappable {
    let resources = spark.container.resources.as_ref();
    let has_huge_pages = resources.is_some_and(|resources| {
        [&resources.requests, &resources.limits].into_iter().flatten().flat_map(|list| &list.0).any(
            |(name, amount)| {
                name.as_str().starts_with("hugepages-")
                    && amount.as_str().parse::<Quantity>().is_ok_and(|amount| !amount.is_zero())
            },
        )
    });
    let mut sum = Unswappable { bytes: 0, is_bounded: !has_huge_pages && !large_pages };
    let mounts = spark.container.volume_mounts.as_deref().unwrap_or_default();
    for volume in spark.spec.volumes.as_deref().unwrap_or_default() {
        let Some(empty_dir) = volume.empty_dir.as_ref() else { continue };
        let medium = empty_dir.medium.as_ref().map_or("", Text::as_str);
        if medium.is_empty() || !mounts.iter().any(|mount| mount.name == volume.name) {
            continue;
        }
        let size = empty_dir.size_limit.as_ref().and_then(|Scalar(size)| {
            size.as_str().parse::<Quantity>().ok()?.bytes().filter(|bytes| *bytes > 0)
        });
        match size.filter(|_| medium == "Memory") {
            Some(size) => sum.bytes = sum.bytes.saturating_add(size),
            None => sum.is_bounded = false,
        }
    }
    sum
}

/// The cpu and memory of all containers.
pub fn pod_resources(spark: &SparkContainer<'_, '_>) -> PodResources {
    let apps = spark.spec.containers().iter().enumerate().filter(|(index, _)| *index != spark.index);
    let inits = spark.spec.init_containers.as_deref().unwrap_or_default().iter().map(|container| {
        let is_sidecar = container.restart_policy.as_ref().is_some_and(|policy| policy.as_str() == "Always");
        let kind = if is_sidecar { ContainerKind::Sidecar } else { ContainerKind::Init };
        (kind, container_resources(container))
    });
    PodResources {
        spark: container_resources(spark.container),
        others: apps
            .map(|(_, container)| (ContainerKind::App, container_resources(container)))
            .chain(inits)
            .collect(),
    }
}

/// A limit alone is the request too, as the API server defaults it.
fn container_resources(container: &Container<'_>) -> ContainerResources {
    let parse = |text: Option<&str>| text.and_then(|text| text.parse::<Quantity>().ok());
    let cpu_limit = parse(container.limit("cpu"));
    let memory_limit = parse(container.limit("memory"));
    ContainerResources {
        cpu_request: parse(container.request("cpu")).or(cpu_limit),
        cpu_limit,
        memory_request: parse(container.request("memory")).or(memory_limit),
        memory_limit,
    }
}
