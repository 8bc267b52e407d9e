package gitrepo

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// A builder makes trees and commits out of the objects that a repository has, and keeps the new ones.
type builder struct {
	base     *objects
	made     map[plumbing.Hash]madeObject
	replaced []plumbing.Hash // directories that became others
}

// A madeObject is an object that was made here.
type madeObject struct {
	kind    plumbing.ObjectType
	content []byte
	tree    *tree // of a directory
}

func newBuilder(base *objects) *builder {
	return &builder{base: base, made: map[plumbing.Hash]madeObject{}}
}

// A change is the new content of one path: a node of the tree of all changes.
type change struct {
	content []byte // of the file that is here afterwards; nil: none is
	touched bool   // the change is about this very path
	below   map[string]*change
}

// changesOf sorts changes by directory.
func changesOf(changes map[string][]byte) (*change, error) {
	root := &change{}
	for name, content := range changes {
		if !validPath(name) {
			return nil, fmt.Errorf("%q is no path of a file in a repository", name)
		}
		at := root
		for part := range strings.SplitSeq(name, "/") {
			if at.below == nil {
				at.below = map[string]*change{}
			}
			if at.below[part] == nil {
				at.below[part] = &change{}
			}
			at = at.below[part]
		}
		at.content, at.touched = content, true
	}
	return root, nil
}

func validPath(name string) bool {
	if !fs.ValidPath(name) {
		return false
	}
	return !slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return !validName(part) })
}

// tree returns the directory that id becomes with changes; the zero id stands for none. dir is its path.
func (b *builder) tree(dir string, id plumbing.Hash, changes *change) (plumbing.Hash, error) {
	before, err := b.base.tree(id)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	after := &tree{entries: make([]entry, 0, len(before.entries)+len(changes.below))}
	for _, e := range before.entries {
		if changes.below[e.name] == nil {
			after.entries = append(after.entries, e)
		}
	}
	for name, c := range changes.below {
		old, _ := before.find(name)
		e, err := b.entry(dir+name, old, c)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		if e.name = name; !e.id.IsZero() {
			after.entries = append(after.entries, e)
		}
	}
	if len(after.entries) == 0 {
		return plumbing.ZeroHash, nil
	}
	slices.SortFunc(after.entries, byName)
	now := b.add(madeObject{plumbing.TreeObject, after.encode(), after}, id)
	if now != id {
		b.replaced = append(b.replaced, id)
	}
	return now, nil
}

// entry returns the entry that old becomes; the zero id stands for none.
func (b *builder) entry(name string, old entry, c *change) (entry, error) {
	dir := entry{mode: filemode.Dir}
	if old.isDir() {
		dir.id = old.id
	}
	replaced := old.isDir() && c.content != nil
	if len(c.below) > 0 || replaced {
		var err error
		if dir.id, err = b.tree(name+"/", dir.id, c); err != nil {
			return entry{}, err
		}
	}
	stays := !old.id.IsZero() && !old.isDir() && !c.touched // a file that the changes say nothing about
	switch {
	case c.content != nil && !dir.id.IsZero():
		return entry{}, fmt.Errorf("%s: cannot be a file, as there are files below it", name)
	case c.content != nil:
		return entry{mode: filemode.Regular, id: b.add(madeObject{kind: plumbing.BlobObject, content: c.content}, old.id)}, nil
	case old.isDir() && c.touched && len(c.below) == 0:
		return entry{}, fmt.Errorf("%s: is a directory; remove the files below it", name)
	case stays && !dir.id.IsZero():
		return entry{}, fmt.Errorf("%s: is a file, so nothing can be below it; remove it in the same change", name)
	case stays:
		return old, nil
	default:
		return dir, nil
	}
}

// add keeps an object, unless it is known under the id old, and returns its id.
func (b *builder) add(o madeObject, old plumbing.Hash) plumbing.Hash {
	id := idOf(o.kind, o.content)
	if id != old {
		b.made[id] = o
	}
	return id
}

// share lets the repository's snapshots read the new objects from memory. Hardly anybody asks for the directories of before: a folder of very
// many files is another one after each commit.
func (b *builder) share() {
	for _, id := range b.replaced {
		b.base.trees.drop(id)
	}
	for id, o := range b.made {
		if o.tree != nil {
			b.base.trees.put(id, o.tree, len(o.tree.entries)+1)
		} else {
			b.base.contents.put(id, bytes.Clone(o.content), len(o.content)+100)
		}
	}
}
