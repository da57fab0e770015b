//! The CustomResourceDefinition of SwapClass says what the code says. `make docs` writes it.

use spark_swap::cluster::api::definition::definition;

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
