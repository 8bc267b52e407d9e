package states

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/render/platform"
)

// bare opens the bare repository DIR/<environment>.git as the state of an environment; nil: there is none.
func (s *State) bare(trees string, e *platform.Environment) (fs.FS, error) {
	dir := filepath.Join(trees, e.Name+Bare)
	if _, err := os.Stat(dir); err != nil {
		return nil, nil //nolint:nilerr // it may be a state tree
	}
	b, err := gitrepo.OpenHistory(dir, cmp.Or(e.State.Branch, "main"))
	if err != nil {
		return nil, err
	}
	s.Commit = b.Head.Commit
	s.At = func(ctx context.Context, commit string) (fs.FS, error) { return b.At(ctx, commit) }
	return b.Head, nil
}

// Bare ends the name of a bare repository among state trees.
const Bare = ".git"
