package gitrepo

import (
	"context"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// generations remembers how far commits are from the beginning of their history. A commit never moves, so a generation that
// is known stays true; each costs a few dozen bytes.
type generations struct {
	mu    sync.Mutex
	known map[plumbing.Hash]int
}

// generation walks back to the commits whose generation is known. It keeps its own stack: histories are longer than
// goroutines' stacks should be.
func (h *history) generation(ctx context.Context, of plumbing.Hash) (int, error) {
	g := &h.generations
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
		c, err := h.objects.commit(id)
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
