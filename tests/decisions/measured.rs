//! What a pod asks for, measured on its JSON.

use serde_json::Value;
use spark_swap::sizing::quantity::Quantity;

use crate::ask::Place;
use crate::reference::kubernetes::Usage;

fn amount(resources: &Value, path: &str, of: fn(Quantity) -> i64) -> Option<u64> {
    let text = resources.pointer(path)?.as_str()?;
    u64::try_from(of(text.parse().unwrap())).ok()
}

/// cpu and memory of every container, the Spark container first.
pub fn usages(pod: &Value) -> Vec<Usage> {
    let spec = &pod["spec"];
    let usage = |place: Place, container: &Value| {
        let resources = &container["resources"];
        Usage {
            place,
            cpu: (
                amount(resources, "/requests/cpu", Quantity::milli_value),
                amount(resources, "/limits/cpu", Quantity::milli_value),
            ),
            memory: (
                amount(resources, "/requests/memory", Quantity::value),
                amount(resources, "/limits/memory", Quantity::value),
            ),
        }
    };
    let (spark, apps): (Vec<_>, Vec<_>) = spec["containers"]
        .as_array()
        .unwrap()
        .iter()
        .partition(|container| container["args"][0] == "executor");
    let inits = spec["initContainers"].as_array().into_iter().flatten().map(|container| {
        let place = if container["restartPolicy"] == "Always" { Place::NativeSidecar } else { Place::Init };
        usage(place, container)
    });
    let app = |container: &Value| usage(Place::App, container);
    spark.into_iter().map(app).chain(apps.into_iter().map(app)).chain(inits).collect()
}
