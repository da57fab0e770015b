// Command controlplane is a whole Kubernetes control plane in one file, for
// tests: etcd, the unmodified Kubernetes components and kubectl as
// subcommands, and an oracle that answers questions with Kubernetes' own
// functions. Every component runs as a process of its own, because feature
// gates and metrics are global to a process.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"spark-swap.io/tests/controlplane/oracle"
)

// commands maps a subcommand to its main function. Each one finds its own
// name in os.Args[0] and its arguments behind it, as a program of its own would.
var commands = map[string]func() int{
	"etcd":                    etcd,
	"kube-apiserver":          apiserver,
	"kube-controller-manager": controllerManager,
	"kube-scheduler":          scheduler,
	"kubelet":                 kubelet,
	"hollow-kubelet":          hollowKubelet,
	"kubectl":                 kubectl,
	"new-key":                 newKey,
	"oracle":                  func() int { return oracle.Serve(os.Stdin, os.Stdout) },
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "usage: controlplane COMMAND [ARGUMENTS]\ncommands: %s\n", strings.Join(names(), ", "))
		os.Exit(2)
	}
	run := commands[os.Args[1]]
	os.Args = os.Args[1:]
	exitWithStdin()
	os.Exit(run())
}

func names() []string {
	var all []string
	for name := range commands {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
