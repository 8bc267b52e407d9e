package gitrepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Origin returns the URL that the clone was made from, or nothing where it has none.
func (c *Checkout) Origin() string {
	remote, err := c.repo.Remote(git.DefaultRemoteName)
	if err != nil || len(remote.Config().URLs) == 0 {
		return ""
	}
	return remote.Config().URLs[0]
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
	err = c.objects.walkBack(context.Background(), head.Hash(), func(at *object.Commit) ([]plumbing.Hash, error) {
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

// OpenBranch reads the head of a branch in a repository on this machine, in place: nothing is written, and no mirror
// made. A branch without commits is an empty Snapshot.
func OpenBranch(dir, branch string) (*Snapshot, error) {
	b, err := OpenHistory(dir, branch)
	if err != nil {
		return nil, err
	}
	return b.Head, nil
}
