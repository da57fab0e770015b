// An NRI plugin that gives containers the cgroup limits their pod's annotations ask for, as nri-plugins' memory-qos does:
// the node's tests run it where that one, which no registry has, is not at hand. It knows no classes.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
	"sigs.k8s.io/yaml"
)

// Of an annotation's key, after the cgroup file and before the optional /<container>.
const domain = ".memory-qos.nri.io"

type plugin struct {
	// The cgroup files that annotations may set.
	Allowed []string `json:"unifiedannotations"`
}

func main() {
	config := flag.String("config", "", "file with `unifiedannotations`")
	name := flag.String("name", "memory-qos", "what the runtime calls it")
	index := flag.String("idx", "90", "place among the runtime's plugins")
	flag.Bool("v", false, "accepted, everything is logged")
	flag.Bool("vv", false, "accepted, everything is logged")
	flag.Parse()

	p := &plugin{}
	if *config != "" {
		text, err := os.ReadFile(*config)
		if err == nil {
			err = yaml.Unmarshal(text, p)
		}
		if err != nil {
			log.Fatalf("%s: %v", *config, err)
		}
	}
	connection, err := stub.New(p, stub.WithPluginName(*name), stub.WithPluginIdx(*index))
	if err == nil {
		err = connection.Run(context.Background())
	}
	if err != nil {
		log.Fatal(err)
	}
}

func (p *plugin) Configure(_ context.Context, _, runtime, version string) (stub.EventMask, error) {
	log.Printf("Connected to %s %s", runtime, version)
	return 0, nil
}

func (p *plugin) CreateContainer(
	_ context.Context, pod *api.PodSandbox, container *api.Container,
) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	adjustment := &api.ContainerAdjustment{}
	for file, value := range asked(pod.GetAnnotations(), container.GetName()) {
		if !p.allows(file) {
			return nil, nil, fmt.Errorf("invalid annotation: %q", file)
		}
		log.Printf("%s/%s:%s %s=%s", pod.GetNamespace(), pod.GetName(), container.GetName(), file, value)
		adjustment.AddLinuxUnified(file, value)
	}
	return adjustment, nil, nil
}

func (p *plugin) allows(file string) bool {
	for _, allowed := range p.Allowed {
		if file == allowed {
			return true
		}
	}
	return false
}

// asked returns what a pod's annotations want for one container: cgroup file -> value. A key that names the container
// stands above one for the whole pod.
func asked(annotations map[string]string, container string) map[string]string {
	values, named := map[string]string{}, map[string]bool{}
	for key, value := range annotations {
		name, scope, hasScope := strings.Cut(key, "/")
		file, isOurs := strings.CutSuffix(name, domain)
		if !isOurs || hasScope && scope != container || named[file] {
			continue
		}
		values[file], named[file] = value, hasScope
	}
	return values
}
