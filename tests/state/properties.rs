//! What holds for every input: nothing panics, and no problem hides another.

use proptest::prelude::*;
use serde_json::{Value, json};
use spark_swap::cluster::documents::parse_documents;
use spark_swap::sizing::class::SwapClass;

use super::load_text;

/// The fields of a spec by path, each with a value that is wrong in itself.
const BROKEN: &[(&[&str], &str)] = &[
    (&["enforcement"], "\"enforce\""),
    (&["rolloutPercent"], "101"),
    (&["strategy"], "7"),
    (&["workingSetPercent"], "\"70\""),
    (&["peakPercent"], "0"),
    (&["marginPercent"], "1.5"),
    (&["peakMarginPercent"], "51"),
    (&["limit"], "[]"),
    (&["minimumRequest"], "\"512MiB\""),
    (&["qosClass"], "false"),
    (&["swap", "via"], "\"kubelet\""),
    (&["swap", "maxPerExecutor"], "1"),
    (&["nodes", "selector"], "\"pool=swap\""),
    (&["nodes", "tolerations"], "[3]"),
    (&["nodes", "onlyWithSwap"], "\"yes\""),
    (&["nodes", "minimumSwapPercent"], "-1"),
    (&["heap", "growthPercent"], "{}"),
    (&["heap", "youngGenerationPercent"], "99"),
    (&["overrides", "minWorkingSetPercent"], "0"),
    (&["overrides", "minPeakPercent"], "\"\""),
    (&["unknown"], "1"),
    (&["heap", "unknown"], "1"),
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![0.5, -1.25, 1e30]).prop_map(Value::from),
        "[a-zA-Z0-9/._-]{0,8}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["512Mi", "Exists", "NoExecute", "Density", "Node", "List", "v1"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let names = vec![
            "kind",
            "apiVersion",
            "metadata",
            "name",
            "namespace",
            "labels",
            "spec",
            "status",
            "items",
            "capacity",
            "memory",
            "nodeInfo",
            "swap",
            "taints",
            "key",
            "effect",
            "limits",
            "type",
            "max",
            "hard",
            "nodes",
            "selector",
            "tolerations",
            "tolerationSeconds",
            "operator",
            "value",
            "strategy",
            "heap",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names), inner), 0..6).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn every_broken_field_of_a_spec_is_listed(chosen in prop::sample::subsequence(BROKEN, 0..=BROKEN.len())) {
        let mut spec = json!({});
        for (path, value) in &chosen {
            let field = path.iter().fold(&mut spec, |object, name| &mut object[*name]);
            *field = serde_json::from_str(value).unwrap();
        }
        let object = json!({"metadata": {"name": "a"}, "spec": spec});
        let problems = SwapClass::from_object(&object).err().unwrap_or_default();
        prop_assert_eq!(problems.is_empty(), chosen.is_empty());
        for (path, _) in &chosen {
            let path = format!("spec.{}", path.join("."));
            prop_assert!(problems.iter().any(|problem| problem.path.starts_with(&path)), "{} in {:?}", path, problems);
        }
        prop_assert!(problems.len() <= chosen.len() + 1, "{:?}", problems);
    }

    #[test]
    fn no_object_makes_the_loader_panic(object in any_json(), kind in "(SwapClass|Node|Namespace|LimitRange|ResourceQuota|List|NodeList)") {
        let mut objects = vec![object.clone()];
        if let Value::Object(mut fields) = object {
            fields.insert("kind".to_owned(), Value::from(kind.clone()));
            let version = if kind == "SwapClass" { "spark-swap.io/v1alpha1" } else { "v1" };
            fields.insert("apiVersion".to_owned(), Value::from(version));
            objects.push(Value::Object(fields));
        }
        for object in objects {
            let text = object.to_string();
            let result = load_text(&text);
            if let Err(problems) = result {
                prop_assert!(problems.lines().all(|line| line.starts_with("state.yaml: ")), "{}", problems);
            }
            prop_assert_eq!(parse_documents(&text).unwrap(), if object.is_null() { vec![] } else { vec![object] });
        }
    }

    #[test]
    fn no_text_makes_the_loader_panic(text in "(?s).{0,200}") {
        _ = load_text(&text);
    }

    #[test]
    fn no_yaml_like_text_makes_the_loader_panic(
        text in "([a-c]|[:?-] |[\\[\\]{},&*!|>%'\"#@`~<]|\n|\n  |---\n|\t|&a |\\*a |<<: |kind: |\"items\": )*",
    ) {
        _ = load_text(&text);
    }
}
