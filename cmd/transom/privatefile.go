package main

import (
	"fmt"
	"os"
)

// readSecret reads a file that not everybody on this machine can read.
func readSecret(file string) ([]byte, error) {
	if err := keptSecret(file); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// keptSecret refuses a file with secrets that every user of this machine can read.
func keptSecret(file string) error {
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o007 == 0 {
		return nil //nolint:nilerr // whoever reads the file says why it cannot be read
	}
	return fmt.Errorf("%s holds secrets, and everybody on this machine can read or write it (mode %#o): chmod 600 it; "+
		"in a Kubernetes Secret volume set defaultMode: 0440", file, info.Mode().Perm())
}
