package main

import (
	"io"
	"os"
)

// exitWithStdin ends this process when its standard input is closed, where
// CONTROLPLANE_EXIT_WITH_STDIN=1 asks for it: a test process that dies in
// whatever way closes its ends of the pipes, and so leaves nothing running.
func exitWithStdin() {
	if os.Getenv("CONTROLPLANE_EXIT_WITH_STDIN") != "1" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
}
