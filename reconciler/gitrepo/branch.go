package gitrepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
)

// A Branch is a branch of a repository on this machine, read in place: nothing is written, no mirror made, and no git
// is run. It stays at the commit that it was opened at.
type Branch struct {
	Head *Snapshot // whose Commit is "" where the branch has none yet

	dir     string
	history *history
}

// OpenHistory opens a branch of the repository, bare or not, in a directory.
func OpenHistory(dir, branch string) (*Branch, error) {
	repo, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	if err != nil {
		return nil, fmt.Errorf("%s: open the Git repository: %w", dir, err)
	}
	b := &Branch{Head: &Snapshot{}, dir: dir, history: newHistory(&onDisk{store: repo.Storer})}
	ref, err := repo.Reference(plumbing.NewBranchReferenceName(branch), true)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: read branch %s: %w", dir, branch, err)
	}
	if b.Head, err = b.snapshot(ref.Hash()); err != nil {
		return nil, fmt.Errorf("%s: read branch %s: %w", dir, branch, err)
	}
	return b, nil
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

// At returns the Snapshot of a commit.
func (b *Branch) At(_ context.Context, commit string) (*Snapshot, error) {
	id, err := parseID(commit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.dir, err)
	}
	s, err := b.snapshot(id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.dir, err)
	}
	return s, nil
}

// Show returns the fields of a commit.
func (b *Branch) Show(_ context.Context, commit string) (CommitInfo, error) {
	info, err := b.history.show(commit)
	if err != nil {
		return CommitInfo{}, fmt.Errorf("%s: %w", b.dir, err)
	}
	return info, nil
}

// Signed is as Remote.Signed.
func (b *Branch) Signed(_ context.Context, commit string) (Signed, error) {
	id, err := parseID(commit)
	if err != nil {
		return Signed{}, fmt.Errorf("%s: %w", b.dir, err)
	}
	signed, err := b.history.signed(id)
	if err != nil {
		return Signed{}, fmt.Errorf("%s: %w", b.dir, err)
	}
	return signed, nil
}

// Changed is as Remote.Changed.
func (b *Branch) Changed(ctx context.Context, commit, path string) (CommitInfo, error) {
	id, err := parseID(commit)
	if err != nil {
		return CommitInfo{}, fmt.Errorf("%s: %w", b.dir, err)
	}
	info, err := b.history.changed(ctx, id, path)
	if err != nil {
		return CommitInfo{}, fmt.Errorf("%s: last change of %q: %w", b.dir, path, err)
	}
	return info, nil
}

// Log is as Remote.Log.
func (b *Branch) Log(ctx context.Context, path string, limit int) ([]CommitInfo, error) {
	if b.Head.Commit == "" {
		return nil, nil
	}
	log, err := b.history.log(ctx, plumbing.NewHash(b.Head.Commit), path, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: log of %q: %w", b.dir, path, err)
	}
	return log, nil
}

func (b *Branch) snapshot(id plumbing.Hash) (*Snapshot, error) {
	c, err := b.history.objects.commit(id)
	if err != nil {
		return nil, err
	}
	return newSnapshot(b.history.objects, id, c.TreeHash), nil
}
