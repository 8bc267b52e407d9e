package gitrepo

import (
	"context"
	"fmt"
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

// Contains is IsAncestor for whoever asks about many commits of one head after the other: a head is walked back from once, and
// the next one only to the last.
func (r *Remote) Contains(ctx context.Context, head, commit string) (bool, error) {
	of, err := r.find(ctx, head)
	if err != nil {
		return false, err
	}
	id, err := parseID(commit)
	if err != nil {
		return false, nil //nolint:nilerr // an id that is no commit's is in no history
	}
	found, err := r.objects.contains(ctx, of, id)
	if err != nil {
		return false, fmt.Errorf("%s: %w", r.endpoint, err)
	}
	return found, nil
}

func (o *objects) contains(ctx context.Context, head, commit plumbing.Hash) (bool, error) {
	l := &o.lineage
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head != head {
		since, continues, err := o.ancestors(ctx, head, l)
		if err == nil && !continues && l.all != nil {
			l.head, l.all = plumbing.ZeroHash, nil // whatever comes of the second walk, they belong together
			since, _, err = o.ancestors(ctx, head, l)
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
func (o *objects) ancestors(ctx context.Context, head plumbing.Hash, known *lineage) (since map[plumbing.Hash]bool, continues bool, err error) {
	since = map[plumbing.Hash]bool{}
	err = o.walkBack(ctx, head, func(c *object.Commit) ([]plumbing.Hash, error) {
		if known.all[c.Hash] {
			continues = continues || c.Hash == known.head
			return nil, nil
		}
		since[c.Hash] = true
		return c.ParentHashes, nil
	})
	return since, continues, err
}
