package oracle

import (
	v1 "k8s.io/api/core/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/kubernetes/pkg/apis/core"
	v1defaults "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/plugin/pkg/admission/limitranger"
)

// verdict is the answer where something is either accepted or refused.
type verdict struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// limitRange says whether the LimitRanger admission plugin accepts a pod. Like
// everything the plugin sees, pod and limit ranges go through defaulting first.
func limitRange(line []byte) (any, error) {
	var request struct {
		LimitRanges []v1.LimitRange `json:"limitRanges"`
		Pod         v1.Pod          `json:"pod"`
	}
	if err := decode(line, &request); err != nil {
		return nil, err
	}
	pod, err := internalPod(&request.Pod)
	if err != nil {
		return nil, err
	}
	var refusals []error
	for i := range request.LimitRanges {
		limits := &request.LimitRanges[i]
		v1defaults.SetObjectDefaults_LimitRange(limits)
		if err := limitranger.PodValidateLimitFunc(limits, pod); err != nil {
			refusals = append(refusals, err)
		}
	}
	if err := utilerrors.NewAggregate(refusals); err != nil {
		return verdict{Error: err.Error()}, nil
	}
	return verdict{OK: true}, nil
}

// internalPod defaults a pod and turns it into the type that admission plugins
// and validation work on.
func internalPod(pod *v1.Pod) (*core.Pod, error) {
	v1defaults.SetObjectDefaults_Pod(pod)
	var internal core.Pod
	err := v1defaults.Convert_v1_Pod_To_core_Pod(pod, &internal, nil)
	return &internal, err
}
