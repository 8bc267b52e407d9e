package credential

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Directory is a directory with a file <cluster>.kubeconfig for each cluster.
type Directory string

// File is the file of a cluster.
func (d Directory) File(cluster string) string {
	return filepath.Join(string(d), cluster+".kubeconfig")
}

func (d Directory) read(_ context.Context, cluster string) (*entry, error) {
	file := d.File(cluster)
	data, mode, err := readFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &missingError{file + " is missing"}
	}
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", file, err)
	}
	dir, err := filepath.Abs(string(d))
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", file, err)
	}
	found := &entry{data: data, source: file, dir: dir}
	if mode.Perm()&0o007 != 0 {
		found.caution = fmt.Sprintf("everybody on the daemon's machine can read or write %s (mode %#o): chmod 600 it; in a Kubernetes Secret volume set "+
			"defaultMode: 0440", file, mode.Perm())
	}
	found.replace = func(_ context.Context, content []byte) error {
		if now, _, err := readFile(file); err != nil || !bytes.Equal(now, data) {
			return fmt.Errorf("%s changed meanwhile", file)
		}
		return WriteFile(file, content)
	}
	return found, nil
}

// readFile reads one byte more than a kubeconfig may have.
func readFile(name string) ([]byte, fs.FileMode, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	return data, info.Mode(), err
}

// WriteFile writes a kubeconfig that nobody else can read, in one step: a reader sees the old one or the new one. A link stays,
// and the file that it leads to is replaced.
func WriteFile(name string, content []byte) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	draft, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() { _ = os.Remove(draft.Name()) }() // gone already where all went well
	_, err = draft.Write(content)
	if err == nil {
		err = draft.Sync()
	}
	if err = errors.Join(err, draft.Close()); err == nil {
		err = os.Rename(draft.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
