package gitrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// A Checkout is a user's own clone, of which earlier revisions are read. Its work tree is for os.DirFS, and nothing
// is ever written to it.
type Checkout struct {
	dir     string
	within  string // the directory asked for, from the clone's root
	repo    *git.Repository
	history *history
}

// Open finds the clone that dir lies in. Where dir is not its root, Snapshots are of that directory alone, so that
// they compare with os.DirFS(dir).
func Open(dir string) (*Checkout, error) {
	repo, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if errors.Is(err, git.ErrRepositoryNotExists) {
		return nil, fmt.Errorf("%s: not in a Git repository; run this in a clone of the platform repository", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: open the Git repository: %w", dir, err)
	}
	c := &Checkout{dir: dir, repo: repo}
	if c.within, err = c.pathWithin(); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	c.history = newHistory(&onDisk{store: repo.Storer})
	return c, nil
}

func (c *Checkout) pathWithin() (string, error) {
	work, err := c.repo.Worktree()
	if err != nil {
		return "", err
	}
	root, err := filepath.EvalSymlinks(work.Filesystem.Root())
	if err != nil {
		return "", err
	}
	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	within, err := filepath.Rel(root, dir)
	return filepath.ToSlash(within), err
}

// At returns the Snapshot of a revision: a branch, a tag, a commit, HEAD~1 and the like. If the directory did not
// exist then, it is empty.
func (c *Checkout) At(revision string) (*Snapshot, error) {
	id, err := c.repo.ResolveRevision(plumbing.Revision(revision))
	if _, unborn := c.repo.Head(); err != nil && errors.Is(unborn, plumbing.ErrReferenceNotFound) {
		return nil, fmt.Errorf("%s: no revision %q: nothing is committed here yet; commit first: git add -A && git commit", c.dir, revision)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: no revision %q in this clone (%w); fetch it, with its history if the clone is shallow: "+
			"git fetch --unshallow origin", c.dir, revision, err)
	}
	commit, err := c.history.objects.commit(*id)
	if err != nil {
		return nil, fmt.Errorf("%s: revision %q: %w", c.dir, revision, err)
	}
	e, err := c.history.objects.walk(commit.TreeHash, c.within)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !e.isDir():
		return newSnapshot(c.history.objects, *id, plumbing.ZeroHash), nil
	case err != nil:
		return nil, fmt.Errorf("%s: revision %q: %w", c.dir, revision, err)
	}
	return newSnapshot(c.history.objects, *id, e.id), nil
}

// Origins are the branches that the clone may come from: of each remote the one that its HEAD names, as far as the clone knows,
// and of the clone itself. There are none where the directory asked for is not the clone's root.
func (c *Checkout) Origins() (urls, branches []string) {
	remotes, err := c.repo.Remotes()
	if err != nil || c.within != "." {
		return nil, nil
	}
	for _, remote := range remotes {
		branch, name := "main", remote.Config().Name
		if head, err := c.repo.Reference(plumbing.NewRemoteHEADReferenceName(name), false); err == nil && head.Type() == plumbing.SymbolicReference {
			branch = strings.TrimPrefix(head.Target().String(), "refs/remotes/"+name+"/")
		}
		for _, url := range remote.Config().URLs {
			urls, branches = append(urls, url), append(branches, branch)
		}
	}
	return urls, branches
}

// Origin returns the URL that the clone was made from, or nothing where it has none.
func (c *Checkout) Origin() string {
	remote, err := c.repo.Remote(git.DefaultRemoteName)
	if err != nil || len(remote.Config().URLs) == 0 {
		return ""
	}
	return remote.Config().URLs[0]
}

// onDisk reads a repository that others write to.
type onDisk struct {
	mu    sync.Mutex
	store storer.EncodedObjectStorer
}

func (d *onDisk) read(kind plumbing.ObjectType, id plumbing.Hash) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return readObject(d.store, kind, id)
}
