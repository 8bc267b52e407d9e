package gitrepo

import (
	"context"
	"maps"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// lineage remembers the whole history of the commit that was last asked about. Each costs a few dozen bytes.
type lineage struct {
	mu   sync.Mutex
	head plumbing.Hash
	all  map[plumbing.Hash]bool
}

func (h *history) contains(ctx context.Context, head, commit plumbing.Hash) (bool, error) {
	l := &h.lineage
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head != head {
		since, continues, err := h.ancestors(ctx, head, l)
		if err == nil && !continues && l.all != nil {
			l.head, l.all = plumbing.ZeroHash, nil // whatever comes of the second walk, they belong together
			since, _, err = h.ancestors(ctx, head, l)
		}
		if err != nil {
			return false, err
		}
		if l.all == nil {
			l.all = map[plumbing.Hash]bool{}
		}
		maps.Copy(l.all, since)
		l.head = head
	}
	return l.all[commit], nil
}

// ancestors collects a commit and its ancestors, but for known ones, and says whether the known head is among them.
func (h *history) ancestors(ctx context.Context, head plumbing.Hash, known *lineage) (since map[plumbing.Hash]bool, continues bool, err error) {
	since = map[plumbing.Hash]bool{}
	err = h.walkBack(ctx, head, func(c *object.Commit) ([]plumbing.Hash, error) {
		if known.all[c.Hash] {
			continues = continues || c.Hash == known.head
			return nil, nil
		}
		since[c.Hash] = true
		return c.ParentHashes, nil
	})
	return since, continues, err
}
