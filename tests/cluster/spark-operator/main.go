// Command spark-operator is the unmodified kubeflow operator for tests: its
// controller and its webhook, as its own main function starts them.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/kubeflow/spark-operator/v2/cmd/operator/controller"
	"github.com/kubeflow/spark-operator/v2/cmd/operator/webhook"
	"github.com/spf13/cobra"
)

func main() {
	go exitWithStdin()
	root := &cobra.Command{Use: "spark-operator", SilenceUsage: true}
	root.AddCommand(controller.NewCommand(), webhook.NewCommand())
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// exitWithStdin ends the process when whoever started it is gone: the pipe to it is closed then.
func exitWithStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}
