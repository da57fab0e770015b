//! What is read of Nodes, Namespaces, LimitRanges and ResourceQuotas.

use super::load_text;

#[test]
fn a_node_is_reduced_to_exact_bytes_labels_and_taints() {
    let node = |rest: &str| format!("kind: Node\napiVersion: v1\nmetadata:\n  name: n\n{rest}");
    let full = node(
        "  labels: {spark-swap.io/limited-swap-permille: \"500\", flag: yes, octal: 0755, big: '1e3'}\n\
         spec:\n  unschedulable: true\n  taints:\n  - {key: a, effect: NoSchedule, timeAdded: 2026-01-01T00:00:00Z}\n\
         \x20 - {key: b, value: c, effect: SomethingNew}\n\
         status:\n  capacity: {memory: 65849008Ki, cpu: 16, pods: \"110\"}\n  allocatable: {memory: 1Ki}\n\
         \x20 nodeInfo: {kernelVersion: 6.8.0, swap: {capacity: 9007199254740993}}\n",
    );
    let nodes = load_text(&full).unwrap().nodes;
    let node_read = &nodes[0];
    assert_eq!((node_read.memory, node_read.swap), (67_429_384_192, 9_007_199_254_740_993));
    let labels: Vec<_> = node_read.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["big=1e3", "flag=yes", "octal=0755", "spark-swap.io/limited-swap-permille=500"]);
    let taints: Vec<_> = node_read
        .taints
        .iter()
        .map(|taint| format!("{}={}:{}", taint.key, taint.value, taint.effect))
        .collect();
    assert_eq!(taints, ["a=:NoSchedule", "b=c:SomethingNew"]);

    let bare = load_text(&node("")).unwrap();
    assert_eq!((bare.nodes[0].memory, bare.nodes[0].swap), (0, 0));
}

#[test]
fn namespaced_objects_without_a_namespace_are_in_the_default_one() {
    let parts = load_text(
        "{kind: LimitRange, apiVersion: v1, metadata: {name: a}}\n---\n\
         {kind: LimitRange, apiVersion: v1, metadata: {name: a, namespace: team}, spec: {limits: [\
            {type: Container, default: {memory: 1Gi}, min: {memory: 1Gi, cpu: 100m}, maxLimitRequestRatio: {memory: 1.5}}]}}\n---\n\
         {kind: ResourceQuota, apiVersion: v1, metadata: {name: q, namespace: ''}, spec: {hard: {limits.cpu: 4, pods: '10'}, scopes: [NotTerminating]}}\n---\n\
         {kind: Namespace, apiVersion: v1, metadata: {name: team, labels: {spark-swap.io/class: batch}}, spec: {finalizers: [kubernetes]}}\n",
    )
    .unwrap();
    let names: Vec<_> =
        parts.limit_ranges.iter().map(|range| format!("{}/{}", range.namespace, range.name)).collect();
    assert_eq!(names, ["default/a", "team/a"]);
    let item = &parts.limit_ranges[1].items[0];
    assert_eq!(
        (item.kind.as_str(), item.min["memory"].value(), item.min["cpu"].milli_value()),
        ("Container", 1 << 30, 100)
    );
    assert_eq!((item.max.len(), item.max_limit_request_ratio["memory"].milli_value()), (0, 1500));
    let quota = &parts.quotas[0];
    assert_eq!((quota.namespace.as_str(), quota.name.as_str()), ("default", "q"));
    assert_eq!(quota.hard, ["limits.cpu", "pods"]);
    assert_eq!(parts.namespaces[0].labels["spark-swap.io/class"], "batch");
}

#[test]
fn lists_of_every_form_are_unfolded() {
    let parts = load_text(
        "{kind: List, apiVersion: v1, items: [\
            {kind: Node, apiVersion: v1, metadata: {name: a}}, {kind: Pod, apiVersion: v1},\
            {kind: List, apiVersion: v1, items: [{kind: Node, apiVersion: v1, metadata: {name: b}}]}]}\n---\n\
         {kind: NodeList, apiVersion: v1, items: [{metadata: {name: c}}]}\n---\n\
         {kind: SwapClassList, apiVersion: spark-swap.io/v1alpha1, items: [{metadata: {name: d}}]}\n---\n\
         {kind: PodList, apiVersion: v1, items: [{metadata: {name: e}}]}\n---\n\
         {kind: NamespaceList, apiVersion: v1, items: null}\n---\n\
         {kind: AllowList, apiVersion: example.com/v1, spec: {}}\n",
    )
    .unwrap();
    let names: Vec<_> = parts.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(parts.classes[0].name, "d");
    assert!(parts.namespaces.is_empty());
}

#[test]
fn other_kinds_are_passed_over_but_misspelt_ones_are_not() {
    assert!(load_text("{kind: Deployment, apiVersion: apps/v1, metadata: {name: a}}").is_ok());
    let problems = load_text(
        "{kind: swapclass, apiVersion: spark-swap.io/v1alpha1, metadata: {name: a}}\n---\n\
         {kind: SwapPolicy, apiVersion: spark-swap.io/v1alpha1}\n---\n\
         {kind: Node, apiVersion: v2, metadata: {name: b}}\n---\n\
         {kind: SwapClass, metadata: {name: c}}\n---\n\
         {kind: NodeList, items: [{metadata: {name: d}}]}\n---\n\
         {apiVersion: v1}\n---\n\
         [1]\n",
    )
    .unwrap_err();
    insta::assert_snapshot!(problems, @r"
    state.yaml: a: kind: swapclass is not a kind; did you mean SwapClass?
    state.yaml: document 2: kind: SwapPolicy is not a kind of spark-swap.io; did you mean SwapClass?
    state.yaml: b: apiVersion: v2 is not read; Node needs v1
    state.yaml: c: apiVersion: is missing; SwapClass needs spark-swap.io/v1alpha1
    state.yaml: d: apiVersion: is missing; Node needs v1
    state.yaml: document 6: kind: is missing or not a string: every object needs a kind and an apiVersion
    state.yaml: document 7: expected an object, found a list
    ");
}

#[test]
fn the_values_of_nodes_and_limit_ranges_are_checked() {
    let problems = load_text(
        "kind: Node\napiVersion: v1\nmetadata: {name: n, labels: {permille: 500, on: true}}\n\
         spec: {taints: [{effect: NoSchedule}, {key: a, effect: ''}]}\n\
         status: {capacity: {memory: 64GiB}, nodeInfo: {swap: {capacity: -1}}}\n---\n\
         {kind: LimitRange, apiVersion: v1, metadata: {name: l, namespace: team}, spec: {limits: [{max: {memory: x}}]}}\n---\n\
         {kind: Namespace, apiVersion: v1, metadata: {labels: []}}\n",
    )
    .unwrap_err();
    insta::assert_snapshot!(problems, @r#"
    state.yaml: n: metadata.labels[on]: expected a string, found true; write "true" in quotes
    state.yaml: n: metadata.labels[permille]: expected a string, found 500; write "500" in quotes
    state.yaml: n: spec.taints[0].key: is missing
    state.yaml: n: spec.taints[1].effect: is empty
    state.yaml: n: status.capacity.memory: "64GiB" is not a quantity: write digits and one of n u m k M G T P E Ki Mi Gi Ti Pi Ei or an exponent, like 512Mi
    state.yaml: n: status.nodeInfo.swap.capacity: -1 is not between 0 and 9223372036854775807
    state.yaml: team/l: spec.limits[0].type: is missing
    state.yaml: team/l: spec.limits[0].max[memory]: "x" is not a quantity: write digits and one of n u m k M G T P E Ki Mi Gi Ti Pi Ei or an exponent, like 512Mi
    state.yaml: document 3: metadata.name: is missing
    state.yaml: document 3: metadata.labels: expected an object, found a list
    "#);
}
