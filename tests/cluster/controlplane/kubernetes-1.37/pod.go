package kubernetes

import (
	"context"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/registry/core/pod"
)

// ValidatePod says what the API server has against the creation of a pod. From
// 1.37 on a part of that is generated from the declarations of the v1 types.
func ValidatePod(candidate *core.Pod) field.ErrorList {
	ctx := request.WithRequestInfo(context.Background(), &request.RequestInfo{APIVersion: "v1", Resource: "pods"})
	return rest.ValidateCreate(ctx, candidate, pod.Strategy)
}
