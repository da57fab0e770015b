package main

import (
	"debug/elf"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// staticPlatform is what the binary runs on. One that asks for a dynamic loader cannot run here: the image has none.
func staticPlatform(path string) (*v1.Platform, error) {
	file, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer file.Close()

	for _, header := range file.Progs {
		if header.Type == elf.PT_INTERP {
			return nil, fmt.Errorf("%s is not static: build it for a musl target", path)
		}
	}
	switch file.Machine {
	case elf.EM_X86_64:
		return &v1.Platform{OS: "linux", Architecture: "amd64"}, nil
	case elf.EM_AARCH64:
		return &v1.Platform{OS: "linux", Architecture: "arm64"}, nil
	default:
		return nil, fmt.Errorf("%s is for %s: expected x86-64 or aarch64", path, file.Machine)
	}
}
