package main

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing/fstest"

	"transom.dev/render/platform"
)

// edited is a directory with some files changed or added, so that a platform can be looked at before it is written.
type edited struct {
	fs.FS
	files fstest.MapFS
}

// loadEdited loads the platform in a directory as if files in it had other contents.
func loadEdited(dir string, files map[string][]byte) (*platform.Platform, error) {
	changed := fstest.MapFS{}
	for name, content := range files {
		changed[name] = &fstest.MapFile{Data: content}
	}
	return platform.Load(edited{os.DirFS(dir), changed})
}

func (e edited) Open(name string) (fs.File, error) {
	if e.files[name] != nil {
		return e.files.Open(name)
	}
	return e.FS.Open(name)
}

func (e edited) ReadFile(name string) ([]byte, error) {
	if e.files[name] != nil {
		return e.files.ReadFile(name)
	}
	return fs.ReadFile(e.FS, name)
}

func (e edited) ReadDir(name string) ([]fs.DirEntry, error) {
	own, missing := e.files.ReadDir(name)
	if errors.Is(missing, fs.ErrNotExist) {
		return fs.ReadDir(e.FS, name)
	}
	there, err := fs.ReadDir(e.FS, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range own {
		if !slices.ContainsFunc(there, func(t fs.DirEntry) bool { return t.Name() == entry.Name() }) {
			there = append(there, entry)
		}
	}
	slices.SortFunc(there, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return there, nil
}
