//! The CustomResourceDefinition of SwapClass says what the code says. `make docs` writes it.

use rstest::rstest;
use serde_json::{Value, json};
use spark_swap::cluster::api::definition::definition;
use spark_swap::cluster::api::{SwapClass as WireClass, SwapClassSpec};
use spark_swap::sizing::class::SwapClass;

use super::repository;

const HEADER: &str = "# Made from src/cluster/api.rs: change it there and run `make docs`.\n";

#[test]
fn the_manifest_is_what_the_types_say() {
    let path = repository("manifests/base/crd.yaml");
    let manifest = format!("{HEADER}{}", serde_saphyr::to_string(&definition().unwrap()).unwrap());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &manifest).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == manifest,
        "manifests/base/crd.yaml is not what the types say; run: UPDATE_DOCS=1 cargo test --test state class_definition"
    );
}

#[rstest]
#[case::no_spec(json!({}))]
#[case::empty_spec(json!({"spec": {}}))]
#[case::empty_objects(json!({"spec": {"swap": {}, "nodes": {}, "heap": {}, "overrides": {}}}))]
fn what_the_api_server_fills_in_is_the_built_in_class(#[case] mut object: Value) {
    object["metadata"] = json!({"name": "batch"});
    let definition = definition().unwrap();
    fill_in(&mut object, &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]);
    let expected = SwapClass { name: "batch".to_owned(), ..SwapClass::built_in() };
    assert_eq!(SwapClass::from_object(&object), Ok(expected));
    let typed: WireClass = serde_json::from_value(object).unwrap();
    assert_eq!(typed.spec, SwapClassSpec::default());
}

/// As the API server's defaulting does.
fn fill_in(value: &mut Value, schema: &Value) {
    let (Some(object), Some(properties)) = (value.as_object_mut(), schema["properties"].as_object()) else {
        return;
    };
    for (name, schema) in properties {
        if let Some(default) = schema.get("default") {
            object.entry(name).or_insert_with(|| default.clone());
        }
        if let Some(value) = object.get_mut(name) {
            fill_in(value, schema);
        }
    }
}
