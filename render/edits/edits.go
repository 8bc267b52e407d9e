// Package edits shows a file system as it would be with some files written, before they are: a platform repository with a
// request that is not merged, a version with one file changed.
package edits

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"
)

// edited is a file system with some files put over it and some paths hidden.
type edited struct {
	base   fs.FS
	files  fs.FS
	hidden []string
}

// Over returns a file system as it would be with some files written, before they are: a path with content is that
// file, a path with nil hides the file or directory that is there. A path that is hidden can be written anew.
func Over(base fs.FS, changes map[string][]byte) (fs.FS, error) {
	archive := new(txtar.Archive)
	e := edited{base: base}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if changes[name] == nil {
			e.hidden = append(e.hidden, name)
			continue
		}
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: changes[name]})
	}
	files, err := txtar.FS(archive)
	e.files = files
	return e, err
}

func (e edited) hides(name string) bool {
	return slices.ContainsFunc(e.hidden, func(h string) bool { return name == h || strings.HasPrefix(name, h+"/") })
}

// Open opens the file that was written, else the one of the base.
func (e edited) Open(name string) (fs.File, error) {
	f, err := e.files.Open(name)
	if errors.Is(err, fs.ErrNotExist) && !e.hides(name) {
		return e.base.Open(name)
	}
	return f, err
}

// ReadFile reads the file that was written, else the one of the base.
func (e edited) ReadFile(name string) ([]byte, error) {
	data, err := fs.ReadFile(e.files, name)
	if errors.Is(err, fs.ErrNotExist) && !e.hides(name) {
		return fs.ReadFile(e.base, name)
	}
	return data, err
}

// ReadDir lists both, sorted.
func (e edited) ReadDir(name string) ([]fs.DirEntry, error) {
	own, missing := fs.ReadDir(e.files, name)
	var there []fs.DirEntry
	if !e.hides(name) {
		var err error
		if there, err = fs.ReadDir(e.base, name); err != nil && (missing != nil || !errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
	} else if missing != nil {
		return nil, missing
	}
	there = slices.DeleteFunc(slices.Clone(there), func(d fs.DirEntry) bool {
		return e.hides(strings.TrimPrefix(name+"/"+d.Name(), "./")) ||
			slices.ContainsFunc(own, func(o fs.DirEntry) bool { return o.Name() == d.Name() })
	})
	all := append(there, own...)
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}
