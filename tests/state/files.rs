//! Which files are read, and what is said about the ones that cannot be.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use spark_swap::cluster::state_files::{MAX_FILE_BYTES, load};

use super::{directory, load_path, load_text, shown};

const NODE: &str = "{kind: Node, apiVersion: v1, metadata: {name: a}}";

#[test]
fn every_problem_of_a_directory_is_listed_with_its_file_and_object() {
    let directory = directory(&[
        (
            "a-classes.yaml",
            "# Two good classes around a bad one\n\
             apiVersion: spark-swap.io/v1alpha1\nkind: SwapClass\nmetadata: {name: good}\nspec: {}\n---\n\
             apiVersion: spark-swap.io/v1alpha1\nkind: SwapClass\nmetadata: {name: none}\nspec:\n\
             \x20 strategy: density\n  workingSetPercent: \"70\"\n  peakPercent: 120\n  qosClass: Guaranteed\n\
             \x20 swap: {via: Kubelet, maxPerExecutor: 1Gi}\n  heap: {growth: 5}\n  minimumRequest: lots\n\
             \x20 nodes:\n    tolerations: [{key: a, operator: Exists, value: b}, {}]\n---\n\
             apiVersion: spark-swap.io/v1alpha1\nkind: SwapClass\nmetadata: {name: good-2}\n",
        ),
        (
            "b-nodes.json",
            "{\"kind\": \"NodeList\", \"apiVersion\": \"v1\", \"items\": [{\"metadata\": {\"name\": \"n\"}}, {\"metadata\": {}}, 7]}",
        ),
        (
            "c-again.yml",
            "{kind: Node, apiVersion: v1, metadata: {name: n}}\n---\n{kind: Node, apiVersion: v1, metadata: {name: m}}\n---\n{kind: Node, apiVersion: v1, metadata: {name: m}}\n",
        ),
        (
            "d-twice.yaml",
            "kind: Namespace\nmetadata:\n  name: a\n  name: b\n---\n{kind: SwapClass, apiVersion: v1, metadata: {name: found-after-it}}\n",
        ),
        ("e-open.yaml", "kind: Node\nmetadata: {name: [a\n"),
        ("f-json.json", "{\n  \"kind\": \"Node\"\n  \"apiVersion\": \"v1\"\n}\n"),
        ("g-latin.yaml", ""),
        ("h-tab.yaml", "kind: Node\nmetadata:\n\tname: a\n"),
    ]);
    std::fs::write(directory.path().join("g-latin.yaml"), b"# caf\xe9\n").unwrap();
    symlink("gone.yaml", directory.path().join("i-dangling.yaml")).unwrap();
    let problems = load(&[directory.path().to_path_buf(), directory.path().join("missing")]).unwrap_err();
    insta::assert_snapshot!(shown(&problems, directory.path()), @r#"
    a-classes.yaml: none: metadata.name: none is reserved: as a label it opts out; choose another name
    a-classes.yaml: none: spec.strategy: "density" is not one of SafetyNet, Density, HeapGrowth
    a-classes.yaml: none: spec.workingSetPercent: expected an integer, found "70"; write it without quotes
    a-classes.yaml: none: spec.peakPercent: 120 is not between 1 and 100
    a-classes.yaml: none: spec.minimumRequest: "lots" is not a quantity: write digits and one of n u m k M G T P E Ki Mi Gi Ti Pi Ei or an exponent, like 512Mi
    a-classes.yaml: none: spec.swap.maxPerExecutor: only for explicit backends; remove it, or set spec.swap.via to CrioAnnotation or NriMemoryQos
    a-classes.yaml: none: spec.qosClass: Guaranteed needs an explicit backend in spec.swap.via: CrioAnnotation or NriMemoryQos
    a-classes.yaml: none: spec.nodes.tolerations[0].value: must be empty when the operator is Exists
    a-classes.yaml: none: spec.nodes.tolerations[1].key: is required unless the operator is Exists, which then matches every taint
    a-classes.yaml: none: spec.heap.growth: unknown field; known fields: growthPercent, youngGenerationPercent
    b-nodes.json: document 1, items[1]: metadata.name: is missing
    b-nodes.json: document 1, items[2]: expected an object, found 7
    c-again.yml: n: metadata.name: the same Node is in b-nodes.json already; remove one of them
    c-again.yml: m: metadata.name: the same Node is in this file already; remove one of them
    d-twice.yaml: line 4, column 3: duplicate mapping key `name` is not allowed here
    d-twice.yaml: found-after-it: apiVersion: v1 is not read; SwapClass needs spark-swap.io/v1alpha1
    e-open.yaml: line 2, column 18: unclosed bracket '['
    f-json.json: line 3, column 3: expected `,` or `}`
    g-latin.yaml: is not UTF-8 text (byte 5); save it as UTF-8
    h-tab.yaml: line 3, column 2: tabs disallowed within this context (block indentation)
    i-dangling.yaml: cannot be read: No such file or directory (os error 2)
    missing: cannot be read: No such file or directory (os error 2)
    "#);
}

#[test]
fn only_visible_yaml_and_json_files_of_a_directory_are_read() {
    let broken = "kind: [";
    let directory = directory(&[
        ("a.yaml", NODE),
        ("b.yml", "{kind: Node, apiVersion: v1, metadata: {name: b}}"),
        ("c.json", "{\"kind\": \"Node\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": \"c\"}}"),
        (".hidden.yaml", broken),
        ("notes.txt", broken),
        ("yaml", broken),
    ]);
    std::fs::create_dir(directory.path().join("deeper.yaml")).unwrap();
    std::fs::write(directory.path().join("deeper.yaml").join("d.yaml"), broken).unwrap();
    let parts = load_path(directory.path()).unwrap();
    assert_eq!(parts.nodes.len(), 3);
}

#[test]
fn a_file_may_have_any_name_and_several_paths_add_up() {
    let directory = directory(&[
        ("nodes", NODE),
        ("class", "{kind: SwapClass, apiVersion: spark-swap.io/v1alpha1, metadata: {name: a}}"),
    ]);
    let paths = ["nodes", "class"].map(|name| directory.path().join(name));
    let parts = load(&paths).unwrap();
    assert_eq!((parts.nodes.len(), parts.classes.len()), (1, 1));
}

#[test]
fn nothing_is_a_state_too() {
    assert!(load(&[]).unwrap().classes.is_empty());
    assert!(load_path(directory(&[]).path()).unwrap().classes.is_empty());
    for text in ["", "---\n---\n", "# only a comment\n", "null\n", "\u{feff}"] {
        assert!(load_text(text).unwrap().nodes.is_empty(), "{text:?}");
    }
}

#[test]
fn a_missing_path_is_named_as_it_was_given() {
    let problems = load(&[PathBuf::from("no/such/place")]).unwrap_err();
    assert_eq!(problems.to_string(), "no/such/place: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_file_above_the_limit_is_refused() {
    let directory = directory(&[("huge.yaml", "")]);
    let file = std::fs::File::create(directory.path().join("huge.yaml")).unwrap();
    file.set_len(MAX_FILE_BYTES + 1).unwrap();
    let problems = load_path(directory.path()).unwrap_err();
    assert_eq!(
        shown(&problems, directory.path()),
        "huge.yaml: is larger than 64 MiB; split it, or leave out what is not read, such as status.images of nodes"
    );
}

#[test]
fn a_problem_stays_on_one_line_whatever_the_file_says() {
    let problems = load_text(
        "{kind: SwapClass, apiVersion: spark-swap.io/v1alpha1, metadata: {name: \"a\\nb\"}, spec: {\"x\\r\\ny\": 1}}",
    );
    insta::assert_snapshot!(problems.unwrap_err(), @r#"
    state.yaml: a\nb: metadata.name: "a\nb" is not lower-case letters, digits, - and . with a letter or digit at both ends of every part
    state.yaml: a\nb: spec.x\r\ny: unknown field; known fields: enforcement, rolloutPercent, strategy, workingSetPercent, peakPercent, marginPercent, peakMarginPercent, limit, minimumRequest, qosClass, swap, nodes, heap, overrides
    "#);
}
