//! Any state file is read or refused, and whatever is read can be decided with.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use spark_swap::cluster::documents::for_each_document;
use spark_swap::cluster::objects::read_document;
use spark_swap::sizing::state::{Settings, State, StateParts};
use spark_swap_fuzz::{check, review_of};

fuzz_target!(|text: &str| {
    let mut parts = StateParts::default();
    for_each_document(text, |document| match document {
        Ok(document) => {
            for found in read_document(&document, "the document") {
                match found.object {
                    Ok(object) => object.add_to(&mut parts),
                    Err(problems) => assert!(!problems.is_empty()),
                }
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    });
    // Names are unique in a cluster.
    parts.classes.sort_by(|one, other| one.name.cmp(&other.name));
    parts.classes.dedup_by(|one, other| one.name == other.name);
    parts.nodes.sort_by(|one, other| one.name.cmp(&other.name));
    parts.nodes.dedup_by(|one, other| one.name == other.name);
    let state = State::new(parts, Settings::default());
    let memory = json!({"memory": "9011Mi", "cpu": "4"});
    let pod = json!({
        "metadata": {"labels": {"spark-role": "executor"}},
        "spec": {"containers": [{
            "name": "spark",
            "args": ["executor"],
            "env": [
                {"name": "SPARK_EXECUTOR_ID", "value": "1"},
                {"name": "SPARK_EXECUTOR_MEMORY", "value": "8192m"}
            ],
            "resources": {"requests": memory, "limits": {"memory": "9011Mi"}}
        }]}
    });
    check(review_of(&pod).to_string().as_bytes(), &state).expect("it is a review");
});
