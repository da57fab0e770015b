package oracle

import (
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/storage/names"

	"spark-swap.io/tests/kubernetes"
)

type podValidAnswer struct {
	OK     bool     `json:"ok"`
	Errors []string `json:"errors"`
}

// podValid says whether the API server accepts a pod for creation. The pod may
// lack what the server fills in before it validates: namespace and name.
func podValid(line []byte) (any, error) {
	var request struct {
		Pod v1.Pod `json:"pod"`
	}
	if err := decode(line, &request); err != nil {
		return nil, err
	}
	meta := &request.Pod.ObjectMeta
	if meta.Namespace == "" {
		meta.Namespace = metav1.NamespaceDefault
	}
	if meta.Name == "" && meta.GenerateName != "" {
		meta.Name = names.SimpleNameGenerator.GenerateName(meta.GenerateName)
	}
	internal, err := internalPod(&request.Pod)
	if err != nil {
		return nil, err
	}
	answer := podValidAnswer{Errors: []string{}}
	for _, refusal := range kubernetes.ValidatePod(internal) {
		answer.Errors = append(answer.Errors, refusal.Error())
	}
	answer.OK = len(answer.Errors) == 0
	return answer, nil
}
