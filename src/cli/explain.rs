//! `spark-swap explain`: what happens to an executor and why.

pub mod arithmetic;
pub mod before_after;
pub mod cause;
pub mod cluster_pods;
pub mod in_cluster;
pub mod never_asked;
pub mod node_text;
pub mod nodes;
pub mod object;
pub mod recorded;
pub mod text;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use anyhow::ensure;
use clap::{ArgGroup, Args, ValueEnum};
use serde_json::Value;

use super::pod_flags::PodFlags;
use super::pod_input::{Input, Subject};
use super::state_source::{KnownState, NODES_MANUAL, STATE_MANUAL, StateFlags};
use super::{block_on, json, names, write_all, yaml};
use crate::admission::decision::{Decision, decide};
use crate::admission::pod::Pod;
use crate::admission::review;
use crate::sizing::state::State;
use object::DecisionObject;
use recorded::Now;

/// Explain what happens to an executor and why.
///
/// Takes pods of the cluster by name, pods as kubectl prints them or as Spark posts them (also AdmissionReviews, lists,
/// and StatefulSets, Deployments, ReplicaSets and Jobs with a pod template), or the conf of a spark-submit, and makes
/// the same decision as the webhook: with the arithmetic, every bound, the check on every node, and the patch. Of a pod
/// that carries a plan it says what was decided, how the pod fares, and what would be decided now. It only reads.
#[derive(Args, Debug)]
#[command(
    after_long_help = format!("{STATE_MANUAL}\n{NODES_MANUAL}\n{MANUAL}"),
    group(ArgGroup::new("input").required(true).multiple(true).args(["pod", "file", "conf", "properties_file"]))
)]
pub struct ExplainArgs {
    /// Pod of the cluster: NAME or pod/NAME, in --namespace or that of the kubeconfig's context; repeatable
    #[arg(value_name = "POD", value_parser = names::pod, conflicts_with_all = ["file", "conf", "properties_file"])]
    pod: Vec<String>,
    #[command(flatten)]
    pods: PodFlags,
    #[command(flatten)]
    state: StateFlags,
    /// text for people, json or yaml for programs, patch for the JSON patch alone
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// How a decision is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
    Yaml,
    Patch,
}

const MANUAL: &str = "\
Pods of a cluster, by name or captured with a uid: they are explained without spec.nodeName, which the scheduler set \
after admission. A plan that such a pod carries is shown, and what would be decided now about the pod as Spark wrote it: \
sizes, heap, node affinity and annotations of the plan are taken back, and where its class is still there, what the class \
adds to nodeSelector and tolerations, and -Xmn. What stays: additions of a class that is gone or has changed, and the \
cpu limit that QoS class Guaranteed added, because the plan does not tell it from the pod's own.

Output for programs (-o json, -o yaml): an object for one pod, a list where the input is a list or holds several \
documents. Sizes are bytes. Members are only ever added:
  pod                       {from, namespace, name}
  reason, class, bound      words; class and bound may be null
  outcome                   patched or unchanged
  warnings, notes           lists of text: admission warnings, and remarks on the input
  plan                      as in the annotation spark-swap.io/plan, or null
  bounds, heapBounds        [{bound, request}] and [{bound, heap}]
  patch                     RFC 6902
  nodes                     one for each shape: [{name, count, memory, swap, promisedPermille,
                            usablePermille, hasEvidence, eligible, grantedSwap}]
and only where there is such a thing:
  recorded                  the plan that the pod carries; null where its annotation is none
  live                      of a pod in a cluster: {created, phase, qosClass, node, grantedSwap}
  now                       of such a pod with a plan: {verdict, causes, differences, decision};
                            verdict is Same, SameSizes, Different or LeftAlone; differences
                            are [{member, recorded, now}]; decision has the members above
-o patch prints the patch of one pod, [] where it stays unchanged.

Examples:
  # What does an 8g executor become under the class batch on nodes of 64Gi with 32Gi of swap?
  spark-swap explain --state examples/classes --node memory=64Gi,swap=32Gi \\
      --conf spark.executor.memory=8g \\
      --conf spark.kubernetes.executor.label.spark-swap.io/class=batch

  # What was decided about this executor, and what would be decided now?
  spark-swap explain job-exec-1 -n etl

  # What would a class that is not applied yet make of it?
  spark-swap explain job-exec-1 -n etl --state batch.yaml

  # The same from captured objects, without a cluster
  kubectl get swapclasses,nodes,namespaces,limitranges,resourcequotas -A -o yaml > cluster.yaml
  kubectl get pod job-exec-1 -o yaml | spark-swap explain -f - --state cluster.yaml

  # All executors of a namespace, counted by reason
  kubectl get pods -l spark-role=executor -o json > pods.json
  spark-swap explain -f pods.json -o json |
      jq 'group_by(.reason) | map({(.[0].reason): length}) | add'

  # The pod after the webhook
  spark-swap explain -f pod.json -o patch > patch.json
  kubectl patch --local -f pod.json --type json --patch-file patch.json -o yaml

  # The conf that production runs with, with ten new nodes beside those of today
  spark-swap explain --properties-file spark-defaults.conf --state cluster.yaml \\
      --node memory=128Gi,swap=64Gi,name=new,count=10,label=node-pool=spark

Exit codes:
  0  fine, also when the pod stays unchanged
  2  bad input, no such pod, or no answer from the cluster; the message says what and where";

/// A decision with everything that is shown about it.
#[derive(Clone, Copy, Debug)]
pub struct Explained<'e> {
    /// The pod's place and name.
    pub subject: &'e Subject,
    /// The pod; `None` where the review has none.
    pub pod: Option<&'e Pod<'e>>,
    /// What was decided from.
    pub state: &'e State,
    /// Where the state is from, and what is wrong with it.
    pub notes: &'e [String],
    /// The decision.
    pub decision: &'e Decision,
    /// The plan that the pod carries.
    pub recorded: Option<&'e Value>,
    /// What would be decided now, where the pod is in a cluster and carries a plan.
    pub now: Option<&'e Now<'e>>,
}

impl<'e> Explained<'e> {
    /// How the input was read, where the state is from, and what is wrong with it.
    pub fn all_notes(&self) -> impl Iterator<Item = &'e String> + use<'e> {
        self.subject.notes.iter().chain(self.notes).chain(self.state.problems())
    }
}

/// Explains. An error is bad input: exit code 2.
///
/// # Errors
/// What is wrong with the input and where, a problem a line.
pub fn run(args: &ExplainArgs, stdin: impl Read, out: &mut impl Write) -> anyhow::Result<()> {
    let from_files = if args.pod.is_empty() { Some(args.pods.read(&[], stdin)?) } else { None };
    let (input, known) = block_on(async {
        let Some(input) = from_files else {
            let cluster = args.state.needed_cluster().await?;
            let known = args.state.read(Some(&cluster)).await?;
            return Ok((cluster_pods::read(&cluster, &args.pod, args.pods.namespace()).await?, known));
        };
        let cluster = args.state.cluster().await?;
        Ok((input, args.state.read(cluster.as_ref()).await?))
    })?;
    let KnownState { parts, notes, .. } = known;
    let state = State::new(parts, args.state.settings());
    write_all(out, &show(&input, &state, &notes, args.output)?)
}

fn show(input: &Input, state: &State, notes: &[String], output: Output) -> anyhow::Result<String> {
    let mut shown = Vec::with_capacity(input.subjects.len());
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    if output == Output::Patch {
        let count = input.subjects.len();
        ensure!(
            count == 1,
            "-o patch: wants one pod, and the input holds {count}; -o json has the patch of each"
        );
    }
    for subject in &input.subjects {
        let request = review::read(&subject.review)?;
        let decision = decide(&request, state);
        let never_asked = decision.plan.as_ref().and_then(|_| never_asked::note(&subject.namespace, state));
        let notes = &[notes, never_asked.as_slice()].concat();
        let pod = request.object.as_ref();
        let recorded = pod.and_then(recorded::plan_on);
        let recorded = recorded.as_ref();
        let explained = Explained { subject, pod, state, notes, decision: &decision, recorded, now: None };
        let is_live = subject.live.is_some() && decision.is_planned_before();
        let received = if is_live { recorded::review_without_plan(&subject.review, state) } else { None };
        let request = received.as_deref().map(review::read).transpose()?;
        let decision_now = request.as_ref().map(|request| decide(request, state));
        let now = decision_now.as_ref().zip(recorded).map(|(decision, recorded)| {
            let pod = request.as_ref().and_then(|request| request.object.as_ref());
            Now::new(Explained { pod, decision, recorded: None, ..explained }, recorded)
        });
        let explained = Explained { now: now.as_ref(), ..explained };
        let count = reasons.entry(decision.reason.as_str()).or_default();
        *count = count.saturating_add(1);
        let object = DecisionObject::new(&explained);
        shown.push(match output {
            Output::Text => text::explanation(&explained),
            Output::Json if input.is_list => serde_json::to_string_pretty(&object)?,
            Output::Json => json(&object)?,
            // An item of a list; items one after the other are a list.
            Output::Yaml if input.is_list => yaml(&[object])?,
            Output::Yaml => yaml(&object)?,
            Output::Patch => json(&decision.operations)?,
        });
    }
    Ok(match output {
        Output::Text => text::all(shown, input, &reasons),
        Output::Json if input.is_list => format!("[{}]\n", shown.join(", ")),
        Output::Yaml if shown.is_empty() => "[]\n".to_owned(),
        Output::Json | Output::Yaml | Output::Patch => shown.concat(),
    })
}
