package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"os"

	"k8s.io/client-go/util/keyutil"
)

// newKey writes a fresh private key for signing service account tokens.
func newKey() int {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: controlplane new-key FILE")
		return 2
	}
	if err := writeNewKey(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "new-key:", err)
		return 1
	}
	return 0
}

func writeNewKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	pem, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, pem, 0o600)
}
