package oracle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"sync"
	"unsafe"

	v1 "k8s.io/api/core/v1"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
	v1defaults "k8s.io/kubernetes/pkg/apis/core/v1"
	v1qos "k8s.io/kubernetes/pkg/apis/core/v1/helper/qos"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubelet/qos"
	"k8s.io/kubernetes/pkg/kubelet/types"

	"spark-swap.io/tests/kubernetes"
)

type podOnNodeRequest struct {
	Pod    v1.Pod `json:"pod"`
	Memory int64  `json:"memory"` // MemTotal in bytes
	Swap   int64  `json:"swap"`   // SwapTotal in bytes
	// Default asks for the API server's defaulting first (a limit without a
	// request becomes the request, and so on). A kubelet sees only such pods.
	Default bool `json:"default"`
}

type podOnNodeAnswer struct {
	QOSClass   v1.PodQOSClass    `json:"qosClass"`
	Critical   bool              `json:"critical"`
	Containers []containerOnNode `json:"containers"`
}

type containerOnNode struct {
	Name        string `json:"name"`
	Init        bool   `json:"init"`
	Swap        int64  `json:"swap"` // what goes to memory.swap.max, before the kernel's page flooring
	OOMScoreAdj int    `json:"oomScoreAdj"`
}

// podOnNode says what a kubelet with LimitedSwap gives every container of a
// pod on a node of this size.
func podOnNode(line []byte) (any, error) {
	var request podOnNodeRequest
	if err := decode(line, &request); err != nil {
		return nil, err
	}
	if request.Memory <= 0 {
		return nil, errors.New("memory has to be positive: the kubelet divides by it")
	}
	pod := &request.Pod
	if request.Default {
		v1defaults.SetObjectDefaults_Pod(pod)
	}
	node, err := sharedKubelet()
	if err != nil {
		return nil, err
	}
	node.machine.MemoryCapacity = uint64(request.Memory)
	node.machine.SwapCapacity = uint64(request.Swap)

	answer := podOnNodeAnswer{QOSClass: v1qos.GetPodQOS(pod), Critical: types.IsCriticalPod(pod)}
	for i := range pod.Spec.InitContainers {
		answer.Containers = append(answer.Containers, node.container(pod, &pod.Spec.InitContainers[i], true))
	}
	for i := range pod.Spec.Containers {
		answer.Containers = append(answer.Containers, node.container(pod, &pod.Spec.Containers[i], false))
	}
	return answer, nil
}

// kubelet is the part of one that writes container resources, on a machine
// whose size can be set.
type kubelet struct {
	manager unsafe.Pointer // *kuberuntime.kubeGenericRuntimeManager
	machine *kubernetes.MachineInfo
}

func (k *kubelet) container(pod *v1.Pod, container *v1.Container, init bool) containerOnNode {
	var resources cri.LinuxContainerResources
	configureContainerSwapResources(k.manager, context.Background(), &resources, pod, container)
	swap, err := strconv.ParseInt(resources.Unified[cm.Cgroup2MaxSwapFilename], 10, 64)
	if err != nil {
		panic(fmt.Sprintf("the kubelet wrote no swap limit: %v", err))
	}
	return containerOnNode{
		Name:        container.Name,
		Init:        init,
		Swap:        swap,
		OOMScoreAdj: qos.GetContainerOOMScoreAdjust(pod, container, int64(k.machine.MemoryCapacity)),
	}
}

var sharedKubelet = sync.OnceValues(newKubelet)

// newKubelet builds the kubelet's real runtime manager on a fake container
// runtime, with LimitedSwap. Two answers about the host are fixed, so that the
// oracle runs anywhere: cgroup v2 is in use, and the swap controller is there.
func newKubelet() (*kubelet, error) {
	root, err := os.MkdirTemp("", "oracle-kubelet-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)

	machine := &kubernetes.MachineInfo{}
	manager, err := kubernetes.NewRuntimeManager(root, machine)
	if err != nil {
		return nil, err
	}

	isCgroup2UnifiedMode = func() bool { return true }
	swapController := reflect.ValueOf(manager).Elem().FieldByName("getSwapControllerAvailable")
	*(*func() bool)(swapController.Addr().UnsafePointer()) = func() bool { return true }

	return &kubelet{manager: reflect.ValueOf(manager).UnsafePointer(), machine: machine}, nil
}

// configureContainerSwapResources decides whether a container gets swap, and
// how much: all of the kubelet's rules are behind it.
//
//go:linkname configureContainerSwapResources k8s.io/kubernetes/pkg/kubelet/kuberuntime.(*kubeGenericRuntimeManager).configureContainerSwapResources
func configureContainerSwapResources(manager unsafe.Pointer, ctx context.Context, resources *cri.LinuxContainerResources, pod *v1.Pod, container *v1.Container)

//go:linkname isCgroup2UnifiedMode k8s.io/kubernetes/pkg/kubelet/kuberuntime.isCgroup2UnifiedMode
var isCgroup2UnifiedMode func() bool
