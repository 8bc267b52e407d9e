package gitrepo

import (
	"context"
	"errors"
	"fmt"
	pathpkg "path"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
)

// A Branch is a branch of a repository on this machine, read in place: nothing is written, no mirror made, and no git
// is run. It stays at the commit that it was opened at.
type Branch struct {
	Head *Snapshot // whose Commit is "" where the branch has none yet

	dir     string
	objects *objects
}

// OpenHistory opens a branch of the repository, bare or not, in a directory.
func OpenHistory(dir, branch string) (*Branch, error) {
	repo, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	if err != nil {
		return nil, fmt.Errorf("%s: open the Git repository: %w", dir, err)
	}
	b := &Branch{Head: &Snapshot{}, dir: dir, objects: newObjects(&onDisk{store: repo.Storer})}
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
	info, err := b.objects.show(commit)
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
	signed, err := b.objects.signed(id)
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
	info, err := b.objects.changed(ctx, id, path)
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
	log, err := b.objects.log(ctx, plumbing.NewHash(b.Head.Commit), path, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: log of %q: %w", b.dir, path, err)
	}
	return log, nil
}

func (b *Branch) snapshot(id plumbing.Hash) (*Snapshot, error) {
	c, err := b.objects.commit(id)
	if err != nil {
		return nil, err
	}
	return newSnapshot(b.objects, id, c.TreeHash), nil
}

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
	log, err := c.objects.log(ctx, head.Hash(), pathpkg.Join(c.within, path), limit)
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
	info, err := c.objects.changed(ctx, id, pathpkg.Join(c.within, path))
	if err != nil {
		return CommitInfo{}, fmt.Errorf("%s: last change of %q: %w; fetch it, with its history if the clone is shallow", c.dir, path, err)
	}
	return info, nil
}

// Show returns the fields of a commit that the clone has.
func (c *Checkout) Show(_ context.Context, commit string) (CommitInfo, error) {
	info, err := c.objects.show(commit)
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
	signed, err := c.objects.signed(id)
	if err != nil {
		return Signed{}, fmt.Errorf("%s: %w; fetch it, with its history if the clone is shallow", c.dir, err)
	}
	return signed, nil
}

func (o *objects) show(commit string) (CommitInfo, error) {
	id, err := parseID(commit)
	if err != nil {
		return CommitInfo{}, err
	}
	c, err := o.commit(id)
	if err != nil {
		return CommitInfo{}, err
	}
	return infoOf(c), nil
}
