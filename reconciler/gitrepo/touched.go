package gitrepo

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// A TouchedFile is a file that a commit changed, compared with its first parent.
type TouchedFile struct {
	Path    string
	Added   bool // the parent does not have it
	Removed bool // the commit does not have it
}

func (h *history) touched(ctx context.Context, commit plumbing.Hash, below string, limit int) ([]TouchedFile, bool, error) {
	if !fs.ValidPath(below) {
		return nil, false, errNoPath
	}
	c, err := h.objects.commit(commit)
	if err != nil {
		return nil, false, err
	}
	var before plumbing.Hash
	if len(c.ParentHashes) > 0 {
		parent, err := h.objects.commit(c.ParentHashes[0])
		if err != nil {
			return nil, false, err
		}
		before = parent.TreeHash
	}
	is, err := h.objects.find(c.TreeHash, below)
	if err != nil {
		return nil, false, err
	}
	was, err := h.objects.find(before, below)
	if err != nil {
		return nil, false, err
	}
	d := &comparison{ctx: ctx, objects: h.objects, limit: limit}
	if err := d.compare(below, was, is); err != nil && !errors.Is(err, errStop) {
		return nil, false, err
	}
	return d.files, d.more, nil
}

// find is walk, but a zero entry where there is nothing.
func (o *objects) find(root plumbing.Hash, name string) (entry, error) {
	e, err := o.walk(root, name)
	if errors.Is(err, fs.ErrNotExist) || e.id == emptyTree {
		return entry{}, nil
	}
	return e, err
}

// A comparison lists the files that differ between two trees.
type comparison struct {
	ctx     context.Context
	objects *objects
	limit   int
	files   []TouchedFile
	more    bool
}

// compare lists the files at or below a path that differ between two entries, of which a zero one is nothing.
func (d *comparison) compare(name string, was, is entry) error {
	if was.id == is.id && was.mode == is.mode {
		return nil
	}
	if err := d.ctx.Err(); err != nil {
		return err
	}
	before, err := d.entriesOf(was)
	if err != nil {
		return err
	}
	after, err := d.entriesOf(is)
	if err != nil {
		return err
	}
	if err := d.compareFiles(name, was, is); err != nil {
		return err
	}
	return eachPair(before, after, func(was, is entry) error {
		return d.compare(path.Join(name, max(was.name, is.name)), was, is)
	})
}

// compareFiles lists a path that is a file on one side at least.
func (d *comparison) compareFiles(name string, was, is entry) error {
	had, has := was.isFile(), is.isFile()
	if !had && !has {
		return nil
	}
	if len(d.files) == d.limit {
		d.more = true
		return errStop
	}
	d.files = append(d.files, TouchedFile{Path: name, Added: !had, Removed: !has})
	return nil
}

func (d *comparison) entriesOf(e entry) ([]entry, error) {
	if !e.isDir() {
		return nil, nil
	}
	t, err := d.objects.tree(e.id)
	if err != nil {
		return nil, err
	}
	return t.entries, nil
}

// isFile says whether an entry is there and no directory.
func (e entry) isFile() bool { return e.mode != filemode.Empty && !e.isDir() }

// eachPair visits the names of two directories in their order, with a zero entry where one of them does not have it.
func eachPair(before, after []entry, visit func(was, is entry) error) error {
	for len(before)+len(after) > 0 {
		var was, is entry
		switch {
		case len(after) == 0 || (len(before) > 0 && before[0].name < after[0].name):
			was, before = before[0], before[1:]
		case len(before) == 0 || after[0].name < before[0].name:
			is, after = after[0], after[1:]
		default:
			was, is, before, after = before[0], after[0], before[1:], after[1:]
		}
		if err := visit(was, is); err != nil {
			return err
		}
	}
	return nil
}
