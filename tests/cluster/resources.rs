//! Pods of the oracle's questions as our library sees them.

use serde_json::Value;
use spark_swap::sizing::quantity::Quantity;
use spark_swap::sizing::resources::{ContainerKind, ContainerResources, PodResources};

use crate::oracle::Random;

/// Init containers first, as the oracle lists them.
pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let of = |field: &str| pod["spec"][field].as_array().into_iter().flatten();
    of("initContainers").chain(of("containers"))
}

/// The first app container stands for Spark's.
pub(crate) fn pod_resources(pod: &Value) -> PodResources {
    let spark = &pod["spec"]["containers"][0];
    let init = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    let init = init.map(|container| {
        let kind = if is_sidecar(container) { ContainerKind::Sidecar } else { ContainerKind::Init };
        (kind, resources_of(container))
    });
    let apps = pod["spec"]["containers"].as_array().into_iter().flatten().skip(1);
    let apps = apps.map(|container| (ContainerKind::App, resources_of(container)));
    PodResources { spark: resources_of(spark), others: init.chain(apps).collect() }
}

/// A container's resources after the API server's defaulting: a limit without a request is the request too.
pub(crate) fn resources_of(container: &Value) -> ContainerResources {
    let of = |kind: &str, resource: &str| quantity(&container["resources"][kind][resource]);
    let (cpu_limit, memory_limit) = (of("limits", "cpu"), of("limits", "memory"));
    ContainerResources {
        cpu_request: of("requests", "cpu").or(cpu_limit),
        cpu_limit,
        memory_request: of("requests", "memory").or(memory_limit),
        memory_limit,
    }
}

pub(crate) fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"] == "Always"
}

pub(crate) fn quantity(value: &Value) -> Option<Quantity> {
    let text = value.as_str()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{text} {error}")))
}

/// One of the many ways to write a number of bytes.
pub(crate) fn memory_quantity(random: &mut Random, bytes: u64) -> String {
    match random.below(6) {
        0 => format!("{bytes}000m"),
        1 => format!("{}Ki", bytes >> 10),
        2 => format!("{}Mi", bytes >> 20),
        3 => format!("{}.{}Mi", bytes >> 20, random.below(1000)),
        4 => format!("{}e3", bytes / 1000),
        _ => bytes.to_string(),
    }
}
