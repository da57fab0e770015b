package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/net"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	fakecri "k8s.io/cri-client/pkg/fake"
	kubeletapp "k8s.io/kubernetes/cmd/kubelet/app"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	cadvisortest "k8s.io/kubernetes/pkg/kubelet/cadvisor/testing"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubemark"

	"spark-swap.io/tests/kubernetes"
)

// hollowKubelet runs the kubelet's own main function on a machine and a
// container runtime that are made up: it registers a node of the wanted size
// and serves its HTTPS API, but runs no container.
//
// It listens on the machine's own address, for the API server refuses to proxy
// to loopback. Whoever finds it there may read its configuration, and no more.
func hollowKubelet() int {
	var node hollowNode
	flags := flag.NewFlagSet("hollow-kubelet", flag.ExitOnError)
	flags.StringVar(&node.kubeconfig, "kubeconfig", "", "file that says where the API server is")
	flags.StringVar(&node.dir, "dir", "", "directory for its files")
	flags.StringVar(&node.name, "name", "", "name of the node")
	flags.IntVar(&node.port, "port", 0, "port of its API")
	flags.Uint64Var(&node.memory, "memory", 4<<30, "memory of the machine, bytes")
	flags.Uint64Var(&node.swap, "swap", 0, "swap of the machine, bytes")
	flags.StringVar(&node.swapBehavior, "swap-behavior", "", "memorySwap.swapBehavior of its configuration")
	flags.BoolVar(&node.failSwapOn, "fail-swap-on", false, "failSwapOn of its configuration")
	flags.StringVar(&node.taint, "taint", "", "key=value of a NoSchedule taint to register with")
	_ = flags.Parse(os.Args[1:])
	if err := node.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "hollow-kubelet:", err)
		return 1
	}
	return 0
}

type hollowNode struct {
	kubeconfig, dir, name, swapBehavior, taint string
	port                                       int
	memory, swap                               uint64
	failSwapOn                                 bool
}

func (n *hollowNode) run(ctx context.Context) error {
	address, err := net.ChooseHostInterface()
	if err != nil {
		return fmt.Errorf("no address but loopback, to which the API server does not proxy: %w", err)
	}
	runtime := "unix://" + filepath.Join(n.dir, "cri.sock")
	if err := fakecri.NewFakeRemoteRuntime().Start(runtime); err != nil {
		return err
	}

	flags, config := kubemark.GetHollowKubeletConfig(&kubemark.HollowKubeletOptions{
		NodeName: n.name, KubeletPort: n.port, MaxPods: 110, RegisterWithTaints: n.taints(),
	})
	// kubemark makes directories in /tmp that nobody would remove.
	if err := os.RemoveAll(flags.RootDirectory); err != nil {
		return err
	}
	flags.KubeConfig = n.kubeconfig
	flags.RootDirectory = n.dir
	flags.CertDirectory = n.dir
	flags.NodeIP = address.String()
	config.Address = address.String()
	config.StaticPodPath = ""
	config.PodLogsDir = filepath.Join(n.dir, "pod-logs")
	config.ContainerRuntimeEndpoint = runtime
	config.ImageServiceEndpoint = runtime
	config.MemorySwap.SwapBehavior = n.swapBehavior
	config.FailSwapOn = n.failSwapOn
	// Without cgroups there is nothing to enforce by them, and any version will do.
	config.EnforceNodeAllocatable = nil
	config.FailCgroupV1 = false
	// The API server brings no credentials along; so anybody may ask, but there is little to be had.
	config.Authentication.Anonymous.Enabled = true
	config.Authentication.Webhook.Enabled = false
	config.Authorization.Mode = kubeletconfig.KubeletAuthorizationModeAlwaysAllow
	config.HealthzPort = 0
	config.EnableSystemLogHandler = false
	config.EnableProfilingHandler = false
	config.EnableDebugFlagsHandler = false

	tls, err := kubeletapp.InitializeTLS(ctx, flags, config)
	if err != nil {
		return err
	}
	machine := &kubernetes.Machine{Fake: cadvisortest.Fake{NodeName: n.name}, Memory: n.memory, Swap: n.swap}
	hollow := kubemark.NewHollowKubelet(flags, config, nil, nil, machine, nil, nil, cm.NewStubContainerManager())
	hollow.KubeletDeps.KubeClient, hollow.KubeletDeps.HeartbeatClient = nil, nil
	hollow.KubeletDeps.TLSOptions = tls
	server := &options.KubeletServer{KubeletFlags: *flags, KubeletConfiguration: *config}
	return kubeletapp.Run(ctx, server, hollow.KubeletDeps, utilfeature.DefaultFeatureGate)
}

func (n *hollowNode) taints() []v1.Taint {
	if n.taint == "" {
		return nil
	}
	key, value, _ := strings.Cut(n.taint, "=")
	return []v1.Taint{{Key: key, Value: value, Effect: v1.TaintEffectNoSchedule}}
}
