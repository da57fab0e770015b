// Command cert-manager is cert-manager for tests: the controllers that issue
// certificates from a CA of its own, and the injector of CA bundles. All of it
// is upstream's code; only the two main functions are written here, as upstream
// keeps them in modules that are not published.
//
// Its validating webhook is not here: it is internal to upstream, and checks
// what users write, which the schemas of the kinds do in part.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// Options are what both commands are told.
type options struct {
	kubeconfig, namespace string
}

var commands = map[string]func(context.Context, options) error{
	"controller": controllers,
	"cainjector": cainjector,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: cert-manager controller|cainjector --kubeconfig=FILE --namespace=NAME")
		os.Exit(2)
	}
	var o options
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "file that says where the API server is")
	flags.StringVar(&o.namespace, "namespace", "", "the only namespace whose Certificates, Issuers and Secrets are looked at")
	klog.InitFlags(flags)
	_ = flags.Parse(os.Args[2:])
	ctrl.SetLogger(klog.Background())

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go exitWithStdin()
	if err := commands[os.Args[1]](ctx, o); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// exitWithStdin ends the process when whoever started it is gone: the pipe to it is closed then.
func exitWithStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}
