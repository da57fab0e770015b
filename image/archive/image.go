package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const binaryName = "spark-swap"

// The time of everything in the image: a real one would make each build another image.
var epoch = time.Unix(0, 0).UTC()

// newImage is what the last stage of ../Containerfile describes; a test holds the two together.
func newImage(binary string, platform *v1.Platform, version, revision string) (v1.Image, error) {
	layer, err := newLayer(binary)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.Append(base, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "COPY " + binaryName + " /" + binaryName},
	})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS = platform.OS
	config.Architecture = platform.Architecture
	config.Created = v1.Time{Time: epoch}
	config.Config = v1.Config{
		User:         "65532:65532",
		WorkingDir:   "/",
		Entrypoint:   []string{"/" + binaryName},
		Cmd:          []string{"serve"},
		ExposedPorts: map[string]struct{}{"8443/tcp": {}, "8080/tcp": {}},
		Labels:       labels(version, revision),
	}
	return mutate.ConfigFile(image, config)
}

func labels(version, revision string) map[string]string {
	labels := map[string]string{
		"org.opencontainers.image.title":       binaryName,
		"org.opencontainers.image.description": "A mutating admission webhook that turns Kubernetes node swap into memory for Spark executors",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     version,
	}
	if revision != "" {
		labels["org.opencontainers.image.revision"] = revision
	}
	return labels
}

// newLayer holds the binary, which root owns and nobody may write.
func newLayer(binary string) (v1.Layer, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var files bytes.Buffer
	writer := tar.NewWriter(&files)
	header := &tar.Header{Typeflag: tar.TypeReg, Name: binaryName, Mode: 0o555, Size: int64(len(content)), ModTime: epoch}
	if err := writer.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := writer.Write(content); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(9))
}
