//! What Kubernetes does, written down again from its documentation and sources: placement, QoS, LimitRanges, swap.

use std::collections::BTreeMap;

use spark_swap::sizing::labels::Labels;
use spark_swap::sizing::nodes::Node;
use spark_swap::sizing::placement::{NodeSelectorTerm, Requirement, Taint, Toleration};

use crate::ask::{Ask, Limits, Place, Range};

/// What the kubelet writes for a container with this request, after the kernel rounds to pages.
pub fn grant(request: u64, node: &Node) -> u64 {
    if node.memory == 0 || request > node.memory {
        return 0;
    }
    let exact = (request as f64 / node.memory as f64) * node.swap as f64;
    exact.trunc() as u64 / 4096 * 4096
}

/// Where a pod may go, by the fields of its spec.
pub struct Wanted<'a> {
    pub node_name: Option<&'a str>,
    pub node_selector: &'a BTreeMap<String, String>,
    pub terms: Option<&'a [NodeSelectorTerm<'static>]>,
    pub tolerations: &'a [Toleration<'static>],
}

impl Wanted<'_> {
    pub fn allows(&self, node: &Node) -> bool {
        self.node_name.is_none_or(|name| name == node.name)
            && self.node_selector.iter().all(|(key, value)| node.labels.get(key) == Some(value.as_str()))
            && self.terms.is_none_or(|terms| terms.iter().any(|term| term_matches(term, node)))
            && node.taints.iter().filter(|taint| !is_transient(&taint.key)).all(|taint| {
                !matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
                    || self.tolerations.iter().any(|toleration| tolerates(toleration, taint))
            })
    }
}

fn term_matches(term: &NodeSelectorTerm<'static>, node: &Node) -> bool {
    let fields = Labels::from_iter([("metadata.name", &node.name)]);
    !(term.expressions.is_empty() && term.fields.is_empty())
        && term.expressions.iter().all(|requirement| holds(requirement, &node.labels))
        && term.fields.iter().all(|requirement| holds(requirement, &fields))
}

pub fn holds(requirement: &Requirement<'_>, labels: &Labels) -> bool {
    let value = labels.get(requirement.key.as_ref());
    let is_listed = value.is_some_and(|value| requirement.values.iter().any(|listed| listed == value));
    let compared = || {
        let actual = value?.parse::<i64>().ok()?;
        Some(actual.cmp(&requirement.values.first()?.parse::<i64>().ok()?))
    };
    match requirement.operator.as_ref() {
        "In" => is_listed,
        "NotIn" => !is_listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared().is_some_and(std::cmp::Ordering::is_gt),
        "Lt" => compared().is_some_and(std::cmp::Ordering::is_lt),
        _ => false,
    }
}

fn tolerates(toleration: &Toleration<'static>, taint: &Taint) -> bool {
    let effect = toleration.effect.is_empty() || toleration.effect == taint.effect;
    let key = toleration.key.is_empty() || toleration.key == taint.key;
    let value = match toleration.operator.as_ref() {
        "" | "Equal" => toleration.value == taint.value,
        "Exists" => true,
        _ => false,
    };
    effect && key && value
}

fn is_transient(key: &str) -> bool {
    let prefixes = ["node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "karpenter.sh/"];
    let names = ["ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler"];
    prefixes.iter().any(|prefix| key.starts_with(prefix))
        || names.contains(&key)
        || key.ends_with("/agent-not-ready")
}

/// Request and limit.
pub type Pair = (Option<u64>, Option<u64>);

/// cpu in millicores and memory in bytes of one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub place: Place,
    pub cpu: Pair,
    pub memory: Pair,
}

/// The containers of a pod, the Spark container with these resources.
pub fn usages(ask: &Ask, cpu_limit: Option<u64>, request: u64, limit: u64) -> Vec<Usage> {
    let spark =
        Usage { place: Place::App, cpu: (ask.cpu.0, cpu_limit), memory: (Some(request), Some(limit)) };
    let beside =
        ask.beside.iter().map(|other| Usage { place: other.place, cpu: other.cpu, memory: other.memory });
    std::iter::once(spark).chain(beside).collect()
}

/// `ComputePodQOS`.
pub fn qos(containers: &[Usage]) -> &'static str {
    let set = |value: Option<u64>| value.filter(|value| *value > 0);
    let pairs = |of: fn(&Usage) -> Pair| {
        containers.iter().map(move |container| {
            let (request, limit) = of(container);
            (set(request), set(limit))
        })
    };
    let (cpu, memory) = (|usage: &Usage| usage.cpu, |usage: &Usage| usage.memory);
    if pairs(cpu).chain(pairs(memory)).all(|pair| pair == (None, None)) {
        return "BestEffort";
    }
    let is_guaranteed = |of| {
        let all_limited = pairs(of).all(|(_, limit)| limit.is_some());
        let requests: u64 = pairs(of).filter_map(|(request, _)| request).sum();
        let limits: u64 = pairs(of).filter_map(|(_, limit)| limit).sum();
        all_limited && requests == limits
    };
    if is_guaranteed(cpu) && is_guaranteed(memory) { "Guaranteed" } else { "Burstable" }
}

/// `GetContainerOOMScoreAdjust` of an app container.
pub fn oom_score_adj(qos: &str, request: u64, memory: u64) -> i64 {
    match qos {
        "Guaranteed" => -997,
        "BestEffort" => 1000,
        _ => (1000 - 1000 * i128::from(request) / i128::from(memory)).clamp(3, 999) as i64,
    }
}

/// LimitRanger's sums over a pod: app containers and native sidecars together, or the most that init needs.
fn pod_sum(values: &[(Place, Option<u64>)]) -> Option<u64> {
    let add = |sum: Option<u64>, value: Option<u64>| match (sum, value) {
        (None, None) => None,
        (sum, value) => Some(sum.unwrap_or(0) + value.unwrap_or(0)),
    };
    let mut running = None;
    let mut sidecars = None;
    let mut most = None;
    for (place, value) in values {
        match place {
            Place::App => running = add(running, *value),
            Place::NativeSidecar => {
                running = add(running, *value);
                sidecars = add(sidecars, *value);
                most = most.max(sidecars);
            }
            Place::Init => most = most.max(add(sidecars, *value)),
        }
    }
    running.max(most)
}

fn within(limits: &Limits, request: Option<u64>, limit: Option<u64>) -> bool {
    let min = limits.min.is_none_or(|min| {
        request.is_some_and(|request| request >= min) && limit.is_none_or(|limit| limit >= min)
    });
    let max = limits.max.is_none_or(|max| {
        limit.is_some_and(|limit| limit <= max) && request.is_none_or(|request| request <= max)
    });
    let ratio = limits.ratio.is_none_or(|ratio| match (request, limit) {
        (Some(request), Some(limit)) if request > 0 && limit > 0 => {
            (limit as f64 / request as f64) * 1000.0 <= ratio as f64
        }
        _ => false,
    });
    min && max && ratio
}

/// LimitRanger admits the Spark container and the pod's sums: memory, or cpu.
pub fn ranges_allow(
    ranges: &[Range],
    containers: &[Usage],
    values: fn(&Usage) -> Pair,
    limits: fn(&Range) -> &Limits,
) -> bool {
    ranges.iter().all(|range| {
        let (request, limit) = if range.pod {
            let of = |pick: fn(Pair) -> Option<u64>| {
                let values: Vec<_> =
                    containers.iter().map(|usage| (usage.place, pick(values(usage)))).collect();
                pod_sum(&values)
            };
            (of(|pair| pair.0), of(|pair| pair.1))
        } else {
            values(&containers[0])
        };
        within(limits(range), request, limit)
    })
}
