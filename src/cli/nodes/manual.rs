//! The long help of `spark-swap nodes`.

use super::readiness::NodeStatus;

/// The text below the flags.
pub fn manual() -> String {
    let words: Vec<String> =
        NodeStatus::ALL.iter().map(|status| format!("  {status}\n      {}", status.text())).collect();
    let words = words.join("\n");
    format!("{COLUMNS}\n\nWords of STATUS:\n{words}\n\n{LABELLING}")
}

const COLUMNS: &str = "\
Columns:
  MEMORY, SWAP  as the kubelet's formula takes them: status.capacity.memory and status.nodeInfo.swap
  RATIO         the swap there is, permille of memory: floor(1000*swap/memory)
  EVIDENCE      the permille that labels promise; of CRI-O and NRI as crio=500, nri=500
  EXECUTORS     Spark executors that are on the node and have not ended
  GRANTED       the swap granted to them, as the kubelet computes it to the byte, and its share
  STATUS        what is missing, explained below the table (on stderr) and here
  KUBELET       (wide) memorySwap.swapBehavior of the kubelet's configuration
  GROUP         (wide) the node group that the node is from
- stands where nothing is there or nothing is known.";

const LABELLING: &str = "\
Labelling: --label sets spark-swap.io/limited-swap-permille to exactly RATIO where the kubelet runs with LimitedSwap and \
failSwapOn: false and sees swap, and removes it where it does not. No other label is touched: those of CRI-O and NRI \
belong to whoever configures the runtime. A kubelet that does not answer leaves its node's label as it is (exit 1). Run \
it again after kubelets were reconfigured or swap was resized.

Rights: get and list on nodes; get on nodes/proxy to ask kubelets; list on pods to count executors; patch on nodes for \
--label.

Output for programs (-o json, -o yaml): a list with an object for each node. Sizes are bytes, what is not known is null. \
Members are only ever added:
  name, memory, swap         of the node
  permille                   RATIO
  evidence                   {kubelet, crioAnnotation, nriMemoryQos}: permille
  kubelet                    {swapBehavior, failSwapOn} of its configuration
  kubeletProblem             why it did not answer
  executors, grantedSwap     EXECUTORS, GRANTED
  ready, statuses            true and [\"Ready\"], or what is missing
  group                      {label, name} of the node group

Examples:
  # What is missing, node by node
  spark-swap nodes

  # What would be labelled, and then label it
  spark-swap nodes --label --dry-run -l node-pool=spark
  spark-swap nodes --label -l node-pool=spark

  # Nodes that are not ready, for a script
  spark-swap nodes -o json | jq -r '.[] | select(.ready | not) | .name'

  # The same from a file, without kubelets
  kubectl get nodes -o yaml > nodes.yaml
  spark-swap nodes --state nodes.yaml

Exit codes:
  0  fine, whatever is missing on the nodes
  1  a node does not exist; with --label: a kubelet did not answer, or a label could not be written
  2  bad input or no cluster; the message says what and where";
