//! The examples load without a problem, and say what their comments say.

use std::path::PathBuf;

use spark_swap::cluster::state_files::load;
use spark_swap::sizing::class::{Enforcement, Strategy};

use super::repository;

#[test]
fn the_examples_load() {
    let paths: Vec<PathBuf> = ["examples/classes", "examples/state"].map(repository).into();
    let parts = load(&paths).unwrap_or_else(|problems| panic!("{problems}"));
    let classes: Vec<_> = parts.classes.iter().map(|class| (class.name.as_str(), class.strategy)).collect();
    assert_eq!(
        classes,
        [
            ("batch", Strategy::Density),
            ("canary", Strategy::Density),
            ("notebooks", Strategy::SafetyNet),
            ("streaming", Strategy::HeapGrowth),
        ]
    );
    let defaults: Vec<_> =
        parts.classes.iter().filter(|class| class.is_default).map(|class| &class.name).collect();
    assert_eq!(defaults, ["notebooks"]);
    assert_eq!(parts.classes[1].enforcement, Enforcement::Audit);
    assert_eq!(parts.classes[3].young_generation_percent, 12);

    let nodes: Vec<_> =
        parts.nodes.iter().map(|node| (node.name.as_str(), node.memory >> 30, node.swap >> 30)).collect();
    assert_eq!(nodes, [("plain-1", 64, 0), ("swap-1", 64, 32), ("swap-2", 64, 32)]);
    let label = parts.classes[0].swap.via.evidence_label();
    assert_eq!(parts.nodes[2].labels[label], "500");
    for taint in &parts.nodes[1].taints {
        assert!(parts.classes[0].nodes.tolerations.iter().any(|toleration| toleration.tolerates(taint)));
    }
    assert_eq!(parts.limit_ranges[0].namespace, parts.namespaces[0].name);
    assert_eq!(parts.namespaces[0].labels[spark_swap::sizing::state::CLASS_LABEL], "batch");
}
