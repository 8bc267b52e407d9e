package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// layout names the files and directories in the directory of a sandbox.
type layout string

func (l layout) data() string        { return filepath.Join(string(l), "data") }
func (l layout) logs() string        { return filepath.Join(string(l), "logs") }
func (l layout) kubeconfigs() string { return filepath.Join(string(l), "kubeconfigs") }
func (l layout) socket() string      { return filepath.Join(string(l), "control.sock") }
func (l layout) marker() string      { return filepath.Join(string(l), ".sandbox") }

func (l layout) clusterData(name string) string {
	return filepath.Join(l.data(), "clusters", name)
}

func (l layout) kubeconfig(cluster string) string {
	return filepath.Join(l.kubeconfigs(), cluster+".kubeconfig")
}

func (l layout) audit(cluster string) string { return filepath.Join(l.logs(), cluster, "audit.log") }

// clear makes the directories anew: a sandbox starts empty, also after an earlier one. A directory that has
// something and was no sandbox before is refused.
func (l layout) clear() error {
	entries, err := os.ReadDir(string(l))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clear %s: %w", l, err)
	}
	if _, err := os.Stat(l.marker()); err != nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty and no sandbox made it; give --dir an empty or a new directory", l)
	}
	for _, dir := range []string{l.data(), l.logs(), l.kubeconfigs()} {
		if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
			return fmt.Errorf("clear %s: %w", l, err)
		}
	}
	return os.WriteFile(l.marker(), []byte("made by sandbox up\n"), 0o644)
}

// shortSocket calls use with a name of the control socket that is short enough for the kernel, which takes 107 bytes
// at most; the temporary directory of a test can be longer than that.
func (l layout) shortSocket(use func(path string) error) error {
	dir, err := os.Open(string(l))
	if err != nil {
		return err
	}
	defer dir.Close()
	return use(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(l.socket())))
}
