package oracle

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"spark-swap.io/tests/kubernetes"
)

type nodeMatchAnswer struct {
	Affinity bool `json:"affinity"` // nodeSelector and required node affinity hold
	Taints   bool `json:"taints"`   // every NoSchedule and NoExecute taint is tolerated
}

// nodeMatch says whether the scheduler's filters NodeAffinity and
// TaintToleration let a pod onto a node.
func nodeMatch(line []byte) (any, error) {
	var request struct {
		Pod  v1.Pod  `json:"pod"`
		Node v1.Node `json:"node"`
	}
	if err := decode(line, &request); err != nil {
		return nil, err
	}
	// The filter ignores the error too: a term that cannot be read matches nothing.
	affinity, _ := nodeaffinity.GetRequiredNodeAffinity(&request.Pod).Match(&request.Node)
	taints := kubernetes.ToleratesTaints(&request.Pod, &request.Node)
	return nodeMatchAnswer{Affinity: affinity, Taints: taints}, nil
}
