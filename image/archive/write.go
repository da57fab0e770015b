package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// write writes the image to a tar, and reads it back as Docker would.
func write(output string, image v1.Image, tag string) error {
	directory, err := os.MkdirTemp("", "image")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)

	index, err := layout.Write(directory, empty.Index)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	name := layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          "docker.io/library/" + tag,
		"org.opencontainers.image.ref.name": tag,
	})
	if err := index.AppendImage(image, name, layout.WithPlatform(*config.Platform())); err != nil {
		return err
	}
	manifest, err := dockerManifest(image, tag)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(directory, "manifest.json"), manifest, 0o644); err != nil {
		return err
	}
	var archive bytes.Buffer
	if err := pack(&archive, os.DirFS(directory)); err != nil {
		return err
	}
	if err := os.WriteFile(output, archive.Bytes(), 0o644); err != nil {
		return err
	}
	written, err := tarball.ImageFromPath(output, nil)
	if err != nil {
		return err
	}
	return validate.Image(written)
}

// dockerManifest is the table of contents of older readers.
func dockerManifest(image v1.Image, tag string) ([]byte, error) {
	config, err := image.ConfigName()
	if err != nil {
		return nil, err
	}
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	entry := tarball.Descriptor{Config: blob(config), RepoTags: []string{tag}}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return nil, err
		}
		entry.Layers = append(entry.Layers, blob(digest))
	}
	return json.Marshal(tarball.Manifest{entry})
}

func blob(digest v1.Hash) string {
	return "blobs/" + digest.Algorithm + "/" + digest.Hex
}

// pack writes the files, in the order of their names, without anything that differs between machines.
func pack(output io.Writer, files fs.FS) error {
	writer := tar.NewWriter(output)
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: 0o644, Size: int64(len(content)), ModTime: epoch}
		if err := writer.WriteHeader(header); err != nil {
			return err
		}
		_, err = writer.Write(content)
		return err
	})
	if err != nil {
		return err
	}
	return writer.Close()
}
