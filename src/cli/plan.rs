//! `spark-swap plan`: what classes do to a fleet.

pub mod density_curve;
pub mod example;
pub mod fit;
pub mod fleet;
pub mod groups;
pub mod notes;
pub mod object;
pub mod report;
pub mod svg_plot;
pub mod terminal_plot;
pub mod text;
pub mod whole_pod;

use std::io::{Read, Write};
use std::path::PathBuf;

use anyhow::{anyhow, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::executor_pod::CORES;
use super::files::{PUBLIC, write_atomically};
use super::live_pod::has_ended;
use super::node_flag::{self, NodeFlag};
use super::pod_flags::{ConfFlag, PodFlags};
use super::pod_input::{Input, Subject};
use super::progress::Progress;
use super::sentences::counted;
use super::state_source::{KnownState, NODES_MANUAL, STATE_MANUAL, StateFlags};
use super::{block_on, json, write_all, yaml};
use crate::admission::spark_labels::MEMORY;
use crate::cluster::allocatable::Allocatable;
use crate::cluster::connection::Cluster;
use crate::cluster::snapshot;
use object::ReportObject;
use report::{Report, Tried};
use svg_plot::Titled;

/// Plan for a fleet: how many executors fit each kind of node before and after, and what that asks of memory and swap.
///
/// Decides as the webhook does about every executor that runs in the cluster, or about those that are given as pods or as
/// the conf of a spark-submit. Executors that are decided about alike are one group, nodes of the same memory and swap are
/// one kind.
#[derive(Args, Debug)]
#[command(after_long_help = format!("{MANUAL}\n{STATE_MANUAL}\n{NODES_MANUAL}\n{EXAMPLES}"))]
pub struct PlanArgs {
    #[command(flatten)]
    pods: PodFlags,
    /// The heap of an executor: short for --conf spark.executor.memory=SIZE
    #[arg(long, value_name = "SIZE", conflicts_with = "file")]
    executor_memory: Option<String>,
    /// Its cores: short for --conf spark.executor.cores=NUMBER
    #[arg(long, value_name = "NUMBER", conflicts_with = "file")]
    executor_cores: Option<String>,
    #[command(flatten)]
    state: StateFlags,
    /// The memory of a node; with the flags below short for --node memory=...
    #[arg(long, value_name = "QUANTITY", value_parser = memory)]
    node_memory: Option<u64>,
    /// Its swap, which counts as handed out
    #[arg(long, value_name = "QUANTITY", requires = "node_memory", value_parser = memory)]
    node_swap: Option<u64>,
    /// The part of its memory that is for pods [default: all]
    #[arg(long, value_name = "QUANTITY", requires = "node_memory", value_parser = memory)]
    node_allocatable: Option<u64>,
    /// Its cores for pods [default: enough]
    #[arg(long, value_name = "QUANTITY", requires = "node_memory", value_parser = node_flag::cpu_millis)]
    node_cpu: Option<u64>,
    /// How many such nodes there are [default: 1]
    #[arg(long, value_name = "NUMBER", requires = "node_memory", value_parser = node_flag::count)]
    node_count: Option<u64>,
    /// A SwapClass to try, as if every executor named it; repeatable [default: the class each is admitted under]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    class: Vec<String>,
    /// Try every SwapClass that is known
    #[arg(long, conflicts_with = "class")]
    all_classes: bool,
    /// Draw the plots into this file (SVG) instead of the terminal
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// wide for more columns; json or yaml for programs
    #[arg(short, long, value_enum)]
    output: Option<Output>,
}

/// How the plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Wide,
    Json,
    Yaml,
}

const MANUAL: &str = "\
The first table has a line for each group of executors under each class:
  REQUEST     memory request of the Spark container before and after
  ROOM FOR    how many such executors all nodes together take, before and after
  DECIDED BY  the bound that decided the plan, or the reason why there is none

The second has a line for each kind of node, full of these executors and of nothing else:
  BEFORE      executors by the requests that Spark wrote (cpu, all containers and the pod's overhead count)
  AFTER       executors by the planned request; - where they may not run
  FULL BY     what keeps the next executor out: memory, cpu or pods
  DECLARED    the sum of what the executors may use by their declaration (T), and of what containers
              beside them request and the pods' overhead
  RESERVED    the sum of the requests: never more than the node's memory
  PEAK SWAP   swap that is needed when all executors are at their peak at once
  GRANTED     swap that the kubelet hands out to them; never more than SWAP
  WRITE/S     what the swap device must write each second to take that peak within 60 s; a disk that
              is slower stalls executors until their driver gives them up

The plot shows AFTER for other sizes of swap on the most common kind of node. It is drawn for up to three groups; where \
there are more, for the largest. -o wide adds columns.

The executors of the cluster are those of all namespaces, or of --namespace, that have not ended. One that runs counts \
as it was received: without spec.nodeName, and without the plan that it may carry. A class that only audits or is rolled out in part is shown as if it were not.

Output for programs (-o json, -o yaml): sizes are bytes. Members are only ever added:
  executors   [{number, pod: {from, namespace, name}, pods, class, reason, bound,
              request: {from, to}, podRequest: {from, to}, podCpuMillis, plan,
              room: {before, after}, nodes, density}]
  .nodes      [{name, count, memory, swap, allocatableMemory, allocatableCpuMillis, allocatablePods,
              hasEvidence, before: {executors, fullBy}, after, declared, reserved, peakSwap,
              grantedSwap, writeRate}]
  .density    {node, memory, ownPermille, before, after: [{swapPermille, executors}]}, or null
  notes       what somebody should know
";

const EXAMPLES: &str = "\
Examples:
  # How many 8g executors fit a node of 64Gi with 32Gi of swap, under the class batch?
  spark-swap plan --node-memory 64Gi --node-swap 32Gi --executor-memory 8g \\
      --state examples/classes --class batch

  # The same with everything that counts: cores, overhead, and what the kubelet keeps for itself
  spark-swap plan --node-memory 64Gi --node-swap 32Gi --node-allocatable 60Gi --node-cpu 16 \\
      --executor-memory 8g --executor-cores 2 --conf spark.executor.memoryOverhead=2g \\
      --state examples/classes --all-classes

  # The executors that run in the cluster, as its classes have it; then all of them under the class batch
  spark-swap plan
  spark-swap plan --class batch -o wide

  # A class that is not applied yet, on the executors of a namespace of the cluster
  spark-swap plan --state new-class.yaml --class new --context production -n etl

  # Without a cluster, as an image; and how many more executors that is
  kubectl get swapclasses,nodes,namespaces,limitranges,resourcequotas -A -o yaml > cluster.yaml
  kubectl get pods -A -l spark-role=executor -o json > executors.json
  spark-swap plan -f executors.json --state cluster.yaml --svg density.svg
  spark-swap plan -f executors.json --state cluster.yaml -o json |
      jq '[.executors[].room | .after - .before] | add'

Exit codes:
  0  fine, also when nothing is planned
  2  bad input; the message says what and where";

const OR_CLUSTER: &str = ", or name a cluster with --kubeconfig";

/// Plans. An error is bad input: exit code 2.
///
/// # Errors
/// What is wrong with the input and where, a problem a line.
pub fn run(args: &PlanArgs, stdin: impl Read, out: &mut impl Write) -> anyhow::Result<()> {
    let (mut known, subjects) = block_on(args.gather(stdin))?;
    let tried = example::add(&mut known, &subjects, args.tried());
    let report = Report::new(known, &args.state.settings(), subjects, &tried)?;
    if let Some(path) = &args.svg {
        let image = svg(&report)?;
        write_atomically(path, image.as_bytes(), PUBLIC)
            .map_err(|error| anyhow!("--svg {}: {error}", path.display()))?;
    }
    let with_plots = args.svg.is_none();
    let shown = match args.output {
        None => text::report(&report, false, with_plots),
        Some(Output::Wide) => text::report(&report, true, with_plots),
        Some(Output::Json) => json(&ReportObject::new(&report))?,
        Some(Output::Yaml) => yaml(&ReportObject::new(&report))?,
    };
    write_all(out, &shown)
}

impl PlanArgs {
    /// The state, and the executors: those that are described, else those that the cluster runs.
    async fn gather(&self, stdin: impl Read) -> anyhow::Result<(KnownState, Vec<Subject>)> {
        let described = self.described_executors(stdin)?;
        let state = self.state.clone().with_node(self.described_node());
        let cluster = state.cluster().await?;
        let mut known = state.read(cluster.as_ref()).await?;
        ensure!(
            !known.parts.nodes.is_empty(),
            "no nodes to plan for: describe one with --node-memory and --node-swap, or give --state with Nodes in it{OR_CLUSTER}"
        );
        let subjects = match (described, cluster) {
            (Some(mut described), _) => {
                known.notes.extend(described.is_empty().then(|| "The input holds no pods.".to_owned()));
                known.notes.extend(pass_over_ended(&mut described));
                described
            }
            (None, Some(cluster)) => self.running_executors(&cluster, &mut known.notes).await?,
            (None, None) => bail!(
                "no executors to plan for: describe one with --executor-memory or --conf, or give pods with -f{OR_CLUSTER}"
            ),
        };
        Ok((known, subjects))
    }

    fn described_executors(&self, stdin: impl Read) -> anyhow::Result<Option<Vec<Subject>>> {
        let flags = [
            ("--executor-memory", MEMORY, &self.executor_memory),
            ("--executor-cores", CORES, &self.executor_cores),
        ];
        let flags: Vec<ConfFlag<'_>> = flags
            .into_iter()
            .filter_map(|(flag, key, value)| Some(ConfFlag { flag, key, value: value.as_deref()? }))
            .collect();
        if !self.pods.are_given() && flags.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.pods.read(&flags, stdin)?.subjects))
    }

    async fn running_executors(
        &self,
        cluster: &Cluster,
        notes: &mut Vec<String>,
    ) -> anyhow::Result<Vec<Subject>> {
        let namespace = self.pods.namespace();
        let pods = snapshot::running_executors(&cluster.client, namespace);
        let pods = Progress::new("reading the executors").show(pods).await?;
        if pods.is_empty() {
            let place = namespace.map_or_else(String::new, |name| format!(" in namespace {name}"));
            notes.push(format!("No executors run{place}; describe one with --executor-memory or --conf."));
        }
        let mut input = Input::new(namespace);
        for mut pod in pods {
            strip(&mut pod);
            input.add_live(&pod);
        }
        notes.append(&mut input.problems);
        Ok(input.subjects)
    }

    /// The node of `--node-memory` and its like.
    fn described_node(&self) -> Option<NodeFlag> {
        let allocatable =
            Allocatable { memory: self.node_allocatable, cpu_millis: self.node_cpu, pods: None };
        let swap = self.node_swap.unwrap_or(0);
        Some(NodeFlag::plain(self.node_memory?, swap, self.node_count.unwrap_or(1), allocatable))
    }

    fn tried(&self) -> Tried {
        match (self.all_classes, self.class.is_empty()) {
            (true, _) => Tried::All,
            (false, true) => Tried::Own,
            (false, false) => Tried::Named(self.class.clone()),
        }
    }
}

/// As of the cluster's executors, those that hold nothing any more do not count.
fn pass_over_ended(subjects: &mut Vec<Subject>) -> Option<String> {
    let read = subjects.len();
    subjects.retain(|subject| !has_ended(subject.live.as_ref().and_then(|live| live.phase.as_deref())));
    let ended = read.saturating_sub(subjects.len());
    (ended > 0)
        .then(|| format!("Passed over: {}.", counted(ended, "pod that has ended", "pods that have ended")))
}

/// Every plot in one image.
fn svg(report: &Report) -> anyhow::Result<String> {
    let curves = report.entries.iter().filter_map(|entry| {
        let curve = entry.curve.as_ref()?;
        Some(Titled { title: text::title(entry), curve })
    });
    svg_plot::draw(&curves.collect::<Vec<_>>())
}

/// Takes out what is of no use here and much of a pod's size.
fn strip(pod: &mut Value) {
    if let Some(pod) = pod.as_object_mut() {
        pod.remove("status");
    }
    if let Some(metadata) = pod.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}

fn memory(text: &str) -> Result<u64, String> {
    node_flag::bytes(text).and_then(|bytes| if bytes > 0 { Ok(bytes) } else { Err("is 0".to_owned()) })
}
