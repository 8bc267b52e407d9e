package gitrepo

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// generations remembers how far commits are from the beginning of their history. A commit never moves, so a generation that
// is known stays true; each costs a few dozen bytes.
type generations struct {
	mu    sync.Mutex
	known map[plumbing.Hash]int
}

// Generation returns a commit's place in history: 1 without parents, otherwise one more than the latest of them. An
// ancestor's is always smaller, so commits of one branch can be compared without walking from one to the other.
func (r *Remote) Generation(ctx context.Context, commit string) (int, error) {
	id, err := r.find(ctx, commit)
	if err != nil {
		return 0, err
	}
	n, err := r.objects.generation(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", r.endpoint, err)
	}
	return n, nil
}

// generation walks back to the commits whose generation is known. It keeps its own stack: histories are longer than
// goroutines' stacks should be.
func (o *objects) generation(ctx context.Context, of plumbing.Hash) (int, error) {
	g := &o.generations
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil {
		g.known = map[plumbing.Hash]int{}
	}
	for stack := []plumbing.Hash{of}; len(stack) > 0; {
		id := stack[len(stack)-1]
		if g.known[id] > 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		c, err := o.commit(id)
		if err != nil {
			return 0, err
		}
		latest, missing := 0, len(stack)
		for _, parent := range c.ParentHashes {
			if g.known[parent] == 0 {
				stack = append(stack, parent)
			}
			latest = max(latest, g.known[parent])
		}
		if len(stack) == missing {
			g.known[id] = latest + 1
		}
	}
	return g.known[of], nil
}

// Generation is as Remote.Generation, of a commit that the clone has.
func (c *Checkout) Generation(ctx context.Context, commit string) (int, error) {
	id, err := parseID(commit)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.dir, err)
	}
	n, err := c.objects.generation(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.dir, err)
	}
	return n, nil
}

// Fork returns the last commit that HEAD and another revision of the clone have in common.
func (c *Checkout) Fork(revision string) (string, error) {
	head, err := c.repo.Head()
	if err != nil {
		return "", fmt.Errorf("%s: read HEAD: %w", c.dir, err)
	}
	id, err := c.repo.ResolveRevision(plumbing.Revision(revision))
	if err != nil {
		return "", fmt.Errorf("%s: no revision %q in this clone: %w", c.dir, revision, err)
	}
	ours, err := c.repo.CommitObject(head.Hash())
	if err != nil {
		return "", fmt.Errorf("%s: read HEAD: %w", c.dir, err)
	}
	theirs, err := c.repo.CommitObject(*id)
	if err != nil {
		return "", fmt.Errorf("%s: revision %q: %w", c.dir, revision, err)
	}
	common, err := ours.MergeBase(theirs)
	if err != nil {
		return "", fmt.Errorf("%s: find where HEAD leaves %q: %w", c.dir, revision, err)
	}
	if len(common) == 0 {
		return "", fmt.Errorf("%s: HEAD and %q have no commit in common", c.dir, revision)
	}
	return common[0].Hash.String(), nil
}
