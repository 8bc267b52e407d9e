package gitrepo

import (
	"context"
	"errors"
	"io/fs"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// changesInMemory bounds of how many paths and commits it is known which commit changed the path last as of the commit.
const changesInMemory = 50_000

// A pathAt is a path as of a commit.
type pathAt struct {
	path string
	at   plumbing.Hash
}

var errNoPath = errors.New("no path in a repository")

// changed returns the commit that changed a path last, as of head. Going back from a commit in which the path is as in a
// parent means to go on with that parent alone, so all commits on the way have the same answer: it is remembered of each, and
// the next head is only a few commits away from one of them.
func (h *history) changed(ctx context.Context, head plumbing.Hash, path string) (last CommitInfo, err error) {
	if !fs.ValidPath(path) {
		return CommitInfo{}, errNoPath
	}
	var way []plumbing.Hash
	err = h.walkBack(ctx, head, func(c *object.Commit) ([]plumbing.Hash, error) {
		known, ok := h.changes.get(pathAt{path, c.Hash})
		if ok {
			last = known
			return nil, errStop
		}
		way = append(way, c.Hash)
		same, err := h.unchangedIn(c, path)
		if err != nil {
			return nil, err
		}
		if same != nil {
			return []plumbing.Hash{*same}, nil
		}
		last = infoOf(c)
		return nil, errStop
	})
	if err != nil {
		return CommitInfo{}, err
	}
	for _, at := range way {
		h.changes.put(pathAt{path, at}, last, 1)
	}
	return last, nil
}

// arrivalsInMemory bounds the arrivals that are remembered.
const arrivalsInMemory = 4096

// arrived finds the commit at which a path differs from the first parent, going back along first parents.
func (h *history) arrived(ctx context.Context, head plumbing.Hash, path string) (last CommitInfo, err error) {
	if !fs.ValidPath(path) {
		return CommitInfo{}, errNoPath
	}
	asked := pathAt{path, head}
	if known, ok := h.arrivals.get(asked); ok {
		return known, nil
	}
	c, err := h.objects.commit(head)
	if err != nil {
		return CommitInfo{}, err
	}
	here, err := h.idAt(c, path)
	for err == nil && len(c.ParentHashes) > 0 {
		var parent *object.Commit
		var there plumbing.Hash
		if parent, err = h.objects.commit(c.ParentHashes[0]); err != nil {
			return CommitInfo{}, err
		}
		if there, err = h.idAt(parent, path); err != nil || there != here {
			break
		}
		c, err = parent, ctx.Err()
	}
	if err != nil {
		return CommitInfo{}, err
	}
	if last = infoOf(c); len(c.ParentHashes) == 0 && here.IsZero() {
		last = CommitInfo{}
	}
	h.arrivals.put(asked, last, 1)
	return last, nil
}
