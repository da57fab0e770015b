// Package kubernetes has what differs between versions of Kubernetes. There is
// one for each version that can be built, and all offer the same.
package kubernetes

import (
	cadvisor "github.com/google/cadvisor/lib/model"
	"k8s.io/klog/v2"
	cadvisortest "k8s.io/kubernetes/pkg/kubelet/cadvisor/testing"
)

// MachineInfo is what a kubelet knows of its machine.
type MachineInfo = cadvisor.MachineInfo

// Machine is one of the wanted size, as /proc/meminfo would tell of it.
type Machine struct {
	cadvisortest.Fake
	Memory, Swap uint64
}

// MachineInfo is called by the kubelet.
func (m *Machine) MachineInfo(logger klog.Logger) (*MachineInfo, error) {
	info, err := m.Fake.MachineInfo(logger)
	if err == nil {
		info.MemoryCapacity, info.SwapCapacity = m.Memory, m.Swap
	}
	return info, err
}
