package diff

import (
	"bytes"
	"io/fs"
	"slices"
	"strings"

	"transom.dev/render/preview"
)

// fileChanges compares two directories, version.yaml apart, which the contract is about.
func fileChanges(from, to fs.FS) ([]File, error) {
	old, err := contents(from)
	if err != nil {
		return nil, err
	}
	now, err := contents(to)
	if err != nil {
		return nil, err
	}
	all := []File{}
	for name, data := range old {
		if other, there := now[name]; !there {
			all = append(all, File{name, preview.Removed})
		} else if !bytes.Equal(data, other) {
			all = append(all, File{name, preview.Changed})
		}
	}
	for name := range now {
		if _, there := old[name]; !there {
			all = append(all, File{name, preview.Added})
		}
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

// contents reads the files of a version's directory, without version.yaml.
func contents(fsys fs.FS) (map[string][]byte, error) {
	all := map[string][]byte{}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "version.yaml" {
			return err
		}
		all[name], err = fs.ReadFile(fsys, name)
		return err
	})
	return all, err
}
