// Command archive writes a container image of one static binary as a tar, without a container engine.
//
// The tar is an OCI image layout with Docker's manifest.json beside it, so that docker load, podman load,
// ctr images import, skopeo copy oci-archive: and crane push all read it. The same binary gives the same bytes.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	binary := flag.String("binary", "", "the static binary, the only file of the image")
	version := flag.String("version", "", "its version, for the labels")
	revision := flag.String("revision", "", "the commit it was built from, for the labels")
	tag := flag.String("tag", "", "the image's name, as spark-swap:0.1.0")
	output := flag.String("output", "", "the tar to write")
	flag.Parse()

	if err := run(*binary, *output, *tag, *version, *revision); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}

func run(binary, output, tag, version, revision string) error {
	platform, err := staticPlatform(binary)
	if err != nil {
		return err
	}
	image, err := newImage(binary, platform, version, revision)
	if err != nil {
		return err
	}
	if err := write(output, image, tag); err != nil {
		return fmt.Errorf("%s: %w", output, err)
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	fmt.Println(digest)
	return nil
}
