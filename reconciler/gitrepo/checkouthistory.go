package gitrepo

import (
	"context"
	"errors"
	"fmt"
	pathpkg "path"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Log returns the commits that changed the file or directory path, the newest first, and at most limit of them. It begins at
// the commit that is checked out.
func (c *Checkout) Log(ctx context.Context, path string, limit int) ([]CommitInfo, error) {
	head, err := c.repo.Head()
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: read HEAD: %w", c.dir, err)
	}
	log, err := c.history.log(ctx, head.Hash(), pathpkg.Join(c.within, path), limit)
	if err != nil {
		return nil, fmt.Errorf("%s: log of %q: %w", c.dir, path, err)
	}
	return log, nil
}

// Changed is as Remote.Changed.
func (c *Checkout) Changed(ctx context.Context, commit, path string) (CommitInfo, error) {
	id, err := parseID(commit)
	if err != nil {
		return CommitInfo{}, fmt.Errorf("%s: %w", c.dir, err)
	}
	info, err := c.history.changed(ctx, id, pathpkg.Join(c.within, path))
	if err != nil {
		return CommitInfo{}, fmt.Errorf("%s: last change of %q: %w; fetch it, with its history if the clone is shallow", c.dir, path, err)
	}
	return info, nil
}

// Show returns the fields of a commit that the clone has.
func (c *Checkout) Show(_ context.Context, commit string) (CommitInfo, error) {
	info, err := c.history.show(commit)
	if err != nil {
		return CommitInfo{}, fmt.Errorf("%s: %w; fetch it, with its history if the clone is shallow", c.dir, err)
	}
	return info, nil
}

// Signed says who signed a commit that the clone has.
func (c *Checkout) Signed(_ context.Context, commit string) (Signed, error) {
	id, err := parseID(commit)
	if err != nil {
		return Signed{}, fmt.Errorf("%s: %w", c.dir, err)
	}
	signed, err := c.history.signed(id)
	if err != nil {
		return Signed{}, fmt.Errorf("%s: %w; fetch it, with its history if the clone is shallow", c.dir, err)
	}
	return signed, nil
}

// Contains says whether a commit is in the history of the commit that is checked out. One that the clone does not have is
// not.
func (c *Checkout) Contains(commit string) (bool, error) {
	wanted, err := parseID(commit)
	if err != nil {
		return false, fmt.Errorf("%s: %w", c.dir, err)
	}
	head, err := c.repo.Head()
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: read HEAD: %w", c.dir, err)
	}
	found := false
	err = c.history.walkBack(context.Background(), head.Hash(), func(at *object.Commit) ([]plumbing.Hash, error) {
		if at.Hash == wanted {
			found = true
			return nil, errStop
		}
		return at.ParentHashes, nil
	})
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return found, nil // a shallow clone ends somewhere
	}
	if err != nil {
		return false, fmt.Errorf("%s: walk the history: %w", c.dir, err)
	}
	return found, nil
}

// Generation is as Remote.Generation, of a commit that the clone has.
func (c *Checkout) Generation(ctx context.Context, commit string) (int, error) {
	id, err := parseID(commit)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.dir, err)
	}
	n, err := c.history.generation(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.dir, err)
	}
	return n, nil
}

// ErrUnrelated says that two commits have no history in common.
var ErrUnrelated = errors.New("have no commit in common")

// Fork returns the last commit that HEAD and another revision of the clone have in common; ErrUnrelated: there is none.
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
		return "", fmt.Errorf("%s: HEAD and %q %w", c.dir, revision, ErrUnrelated)
	}
	return common[0].Hash.String(), nil
}
