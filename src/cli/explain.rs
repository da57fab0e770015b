//! `spark-swap explain`: what happens to an executor and why, without a cluster.

pub mod advice;
pub mod arithmetic;
pub mod before_after;
pub mod cause;
pub mod input;
pub mod node_text;
pub mod nodes;
pub mod object;
pub mod pod_shape;
pub mod text;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use clap::{ArgGroup, Args, ValueEnum};
use serde::Serialize;

use super::block_on;
use super::executor_pod::executor_pod;
use super::spark_conf::SparkConf;
use super::state_source::{STATE_MANUAL, StateFlags, StateSource};
use crate::admission::decision::{Decision, decide};
use crate::admission::pod::Pod;
use crate::admission::review;
use crate::cluster::state_files::MAX_FILE_BYTES;
use crate::sizing::state::State;
use input::{Input, Subject};
use object::DecisionObject;

/// Explain what happens to an executor and why, without a cluster.
///
/// Takes pods as kubectl prints them or as Spark posts them (also AdmissionReviews, lists, and StatefulSets,
/// Deployments, ReplicaSets and Jobs with a pod template), or the conf of a spark-submit, and makes the same decision
/// as the webhook: with the arithmetic, every bound, the check on every node, and the patch.
#[derive(Args, Debug)]
#[command(
    after_long_help = format!("{STATE_MANUAL}\n\n{MANUAL}"),
    group(ArgGroup::new("input").required(true).multiple(true).args(["file", "conf", "properties_file"]))
)]
pub struct ExplainArgs {
    /// File with pods, YAML or JSON; - is stdin. Repeatable
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["conf", "properties_file"])]
    file: Vec<PathBuf>,
    /// Spark conf as spark-submit takes it, instead of a pod; repeatable. Explains the executor that Spark would create
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    conf: Vec<(String, String)>,
    /// Spark conf from a file such as spark-defaults.conf; --conf wins over it
    #[arg(long, value_name = "FILE", alias = "conf-file")]
    properties_file: Option<PathBuf>,
    /// The namespace [default: the review's or the pod's own, else default]
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
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
Nodes on the command line: --node memory=64Gi, and separated by commas whatever else is known:
  swap=32Gi                 its swap; counts as handed out, by every swap backend
  name=NAME                 [default: node-1, node-2, ...]
  count=N                   so many of them, NAME-1 to NAME-N
  label=KEY=VALUE           a label; repeatable
  taint=KEY=VALUE:EFFECT    a taint, also KEY:EFFECT; repeatable

A node with swap gets the evidence labels of all backends, floor(1000*swap/memory), and every node gets \
kubernetes.io/hostname and kubernetes.io/os=linux; label= wins over them. So \
label=spark-swap.io/limited-swap-permille=0 makes a node with swap that its kubelet does not hand out.

Pods of a running cluster: a pod with a uid is explained without spec.nodeName, which the scheduler set after \
admission; a pod that carries a plan is shown with it.

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
-o patch prints the patch of one pod, [] where it stays unchanged.

Examples:
  # What does an 8g executor become under the class batch on nodes of 64Gi with 32Gi of swap?
  spark-swap explain --state examples/classes --node memory=64Gi,swap=32Gi \\
      --conf spark.executor.memory=8g \\
      --conf spark.kubernetes.executor.label.spark-swap.io/class=batch

  # Why was this executor left alone?
  kubectl get swapclasses,nodes,namespaces,limitranges,resourcequotas -A -o yaml > cluster.yaml
  kubectl get pod job-exec-1 -o yaml | spark-swap explain -f - --state cluster.yaml

  # All executors of a namespace, counted by reason
  kubectl get pods -l spark-role=executor -o json > pods.json
  spark-swap explain -f pods.json --state cluster.yaml -o json |
      jq 'group_by(.reason) | map({(.[0].reason): length}) | add'

  # The pod after the webhook
  spark-swap explain -f pod.json -o patch > patch.json
  kubectl patch --local -f pod.json --type json --patch-file patch.json -o yaml

  # The conf that production runs with, with ten new nodes beside those of today
  spark-swap explain --properties-file spark-defaults.conf --state cluster.yaml \\
      --node memory=128Gi,swap=64Gi,name=new,count=10,label=node-pool=spark

Exit codes:
  0  fine, also when the pod stays unchanged
  2  bad input; the message says what and where";

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
}

/// Explains. An error is bad input: exit code 2.
///
/// # Errors
/// What is wrong with the input and where, a problem a line.
pub fn run(args: &ExplainArgs, stdin: impl Read, out: &mut impl Write) -> anyhow::Result<()> {
    let input = args.input(stdin)?;
    let StateSource { parts, notes } = block_on(async {
        let cluster = args.state.cluster(false).await?;
        args.state.read(cluster.as_ref()).await
    })?;
    let state = State::new(parts, args.state.settings());
    let shown = show(&input, &state, &notes, args.output)?;
    match out.write_all(shown.as_bytes()).and_then(|()| out.flush()) {
        // A reader that has seen enough (`| head`) is not an error.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("stdout"),
        _ => Ok(()),
    }
}

impl ExplainArgs {
    fn input(&self, mut stdin: impl Read) -> anyhow::Result<Input> {
        let mut input = Input::new(self.namespace.as_deref());
        if self.file.is_empty() {
            let (conf, place) = self.spark_conf(stdin)?;
            input.add_executor(executor_pod(&conf)?, &place);
            return Ok(input);
        }
        input.is_list = self.file.len() > 1;
        for path in &self.file {
            let (name, text) = read(path, &mut stdin)?;
            input.add_text(&name, &text);
        }
        ensure!(input.problems.is_empty(), input.problems.join("\n"));
        if input.subjects.is_empty() && !input.is_list {
            let found: Vec<&str> = input.passed_over.keys().map(String::as_str).collect();
            bail!(
                "{}: holds no pod, but {}; give a Pod, an AdmissionReview, a list of pods, an object with a pod template, or Spark conf with --conf",
                name_of(self.file.first()),
                found.join(", ")
            );
        }
        Ok(input)
    }

    /// The conf, and where it is from.
    fn spark_conf(&self, mut stdin: impl Read) -> anyhow::Result<(SparkConf, String)> {
        let mut places = Vec::new();
        let mut conf = SparkConf::default();
        if let Some(path) = &self.properties_file {
            let (name, text) = read(path, &mut stdin)?;
            conf = SparkConf::from_properties(&name, &text).map_err(anyhow::Error::msg)?;
            places.push(name);
        }
        for (key, value) in &self.conf {
            conf.set_flag(key, value);
        }
        places.extend((!self.conf.is_empty()).then(|| "--conf".to_owned()));
        Ok((conf, places.join(" and ")))
    }
}

/// Reads a file, or stdin for `-`: its name in messages and its text.
fn read(path: &Path, stdin: &mut impl Read) -> anyhow::Result<(String, String)> {
    let name = name_of(Some(path));
    let mut bytes = Vec::new();
    let limit = MAX_FILE_BYTES.saturating_add(1);
    let read = if path == Path::new("-") {
        stdin.take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| anyhow!("{name}: {error}"))?;
    ensure!(
        u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_FILE_BYTES),
        "{name}: is larger than {} MiB",
        MAX_FILE_BYTES >> 20
    );
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => bail!("{name}: is not UTF-8 text (byte {})", error.utf8_error().valid_up_to()),
    }
}

fn name_of(path: Option<&(impl AsRef<Path> + ?Sized)>) -> String {
    let name = path.map(|path| path.as_ref().display().to_string());
    name.filter(|name| name != "-").unwrap_or_else(|| "stdin".to_owned())
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
        let explained =
            Explained { subject, pod: request.object.as_ref(), state, notes, decision: &decision };
        let count = reasons.entry(decision.reason.as_str()).or_default();
        *count = count.saturating_add(1);
        let object = DecisionObject::new(&explained);
        shown.push(match output {
            Output::Text => text::explanation(&explained),
            Output::Json if input.is_list => serde_json::to_string_pretty(&object)?,
            Output::Json => json(&object)?,
            // An item of a list; items one after the other are a list.
            Output::Yaml if input.is_list => serde_saphyr::to_string(&[object])?,
            Output::Yaml => serde_saphyr::to_string(&object)?,
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

fn json(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
