package kubernetes

import (
	"context"

	"go.opentelemetry.io/otel/trace/noop"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	critesting "k8s.io/cri-api/pkg/apis/testing"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubelet/kuberuntime"
	"k8s.io/kubernetes/pkg/kubelet/types"
)

// NewRuntimeManager builds the kubelet's real runtime manager on a fake
// container runtime, with LimitedSwap.
func NewRuntimeManager(root string, machine *MachineInfo) (kuberuntime.KubeGenericRuntime, error) {
	manager, _, err := kuberuntime.NewKubeGenericRuntimeManager(
		context.Background(),
		nil, // recorder
		nil, // livenessManager
		nil, // readinessManager
		nil, // startupManager
		root,
		root, // podLogsDirectory
		machine,
		nil, // podStateProvider
		110, // maxPods
		nil, // osInterface
		nil, // runtimeHelper
		nil, // insecureContainerLifecycleHTTPClient
		nil, // imageBackOff
		true,
		nil, // maxParallelImagePulls
		0,
		0,
		string(kubeletconfig.NeverVerify),
		nil, // preloadedImagesCredentialVerificationWhitelist
		"",  // imageCredentialProviderConfigPath
		"",  // imageCredentialProviderBinDir
		nil, // singleProcessOOMKill
		true,
		metav1.Duration{},
		critesting.NewFakeRuntimeService(),
		critesting.NewFakeImageService(),
		cm.NewStubContainerManager(),
		nil, // logManager
		nil, // runtimeClassManager
		false,
		string(types.LimitedSwap),
		nil, // getNodeAllocatable
		0,
		kubeletconfig.NoneMemoryReservationPolicy,
		nil, // podPullingTimeRecorder
		noop.NewTracerProvider(),
		nil, // tokenManager
		nil, // getServiceAccount
		nil, // podInitContainerTimeRecorder
	)
	return manager, err
}
