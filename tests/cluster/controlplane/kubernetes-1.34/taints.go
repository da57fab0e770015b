package kubernetes

import (
	v1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/helper"
)

// ToleratesTaints is the scheduler's filter TaintToleration.
func ToleratesTaints(pod *v1.Pod, node *v1.Node) bool {
	_, untolerated := corev1helpers.FindMatchingUntoleratedTaint(
		node.Spec.Taints,
		pod.Spec.Tolerations,
		helper.DoNotScheduleTaintsFilterFunc(),
	)
	return !untolerated
}
