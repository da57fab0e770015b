package kubernetes

import (
	"context"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/registry/core/pod"
)

// ValidatePod says what the API server has against the creation of a pod.
func ValidatePod(candidate *core.Pod) field.ErrorList {
	return pod.Strategy.Validate(context.Background(), candidate)
}
