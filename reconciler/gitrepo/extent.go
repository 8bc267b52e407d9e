package gitrepo

import (
	"fmt"
	"io/fs"

	"github.com/go-git/go-git/v5/plumbing"
)

// How much of a tree is listed. A few small objects can have 10^10 paths, as a directory may be there under many names.
const (
	maxListed = 500_000 // files and folders
	maxDepth  = 100     // folders in each other
)

// Bounded returns an error if the tree has more paths than any list of them may have. It takes no longer than reading every
// different directory once.
func (s *Snapshot) Bounded() error {
	if s.root.IsZero() {
		return nil
	}
	if err := s.objects.bounded(s.root); err != nil {
		return &fs.PathError{Op: "list", Path: ".", Err: err}
	}
	return nil
}

// bounded counts the paths below a directory before anybody lists them.
func (o *objects) bounded(id plumbing.Hash) error {
	all, err := o.extent(id, 0)
	if err == nil && all.paths > maxListed {
		err = fmt.Errorf("has %s files and folders; at most %s: look for a folder that is there under many names", countText(all.paths), countText(maxListed))
	}
	return err
}

// An extent is how much is below a directory.
type extent struct {
	paths int64 // at most 1<<50
	depth int   // of folders in each other
}

// extent counts below a directory that is in so many others.
func (o *objects) extent(id plumbing.Hash, within int) (extent, error) {
	known, ok := o.extents.get(id)
	if within+known.depth > maxDepth {
		return extent{}, fmt.Errorf("has folders in over %d others", maxDepth)
	}
	if ok {
		return known, nil
	}
	t, err := o.tree(id)
	if err != nil {
		return extent{}, err
	}
	all := extent{paths: int64(len(t.entries))}
	for _, e := range t.entries {
		if !e.isDir() {
			continue
		}
		below, err := o.extent(e.id, within+1)
		if err != nil {
			return extent{}, err
		}
		all.paths, all.depth = min(all.paths+below.paths, 1<<50), max(all.depth, below.depth+1)
	}
	o.extents.put(id, all, 1)
	return all, nil
}
