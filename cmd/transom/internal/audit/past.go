// Package audit reads the history in Git: which commit asked for the release that runs, which releases ran before, and
// whether a state has the files that its records name.
//
// In come the state repository of an environment and the platform's, as anything that can show its commits; out come traces,
// histories and differences as plain data. No daemon is asked, nothing is fetched but by Open, and nothing written.
package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"transom.dev/cmd/transom/internal/remote"
	"transom.dev/cmd/transom/internal/terminal"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Past is the content of a repository at its commits.
type Past interface {
	At(ctx context.Context, commit string) (*gitrepo.Snapshot, error)
	Show(ctx context.Context, commit string) (gitrepo.CommitInfo, error)
	Log(ctx context.Context, path string, limit int) ([]gitrepo.CommitInfo, error)
	Changed(ctx context.Context, commit, path string) (gitrepo.CommitInfo, error)
	Signed(ctx context.Context, commit string) (gitrepo.Signed, error)
}

// Repository is a repository's past, and where it is.
type Repository struct {
	Past
	URL string
}

// State is an environment's state repository with its head.
type State struct {
	Repository
	Head *gitrepo.Snapshot
}

// Open opens a repository: in place if it is on this machine, else through a mirror in the user's cache. Where no credentials
// are given, this machine's git fetches it, with those that it has.
func Open(ctx context.Context, url, branch string, credentials gitrepo.Credentials) (*State, error) {
	at, branch := strings.TrimPrefix(url, "file://"), cmp.Or(branch, "main")
	if !remote.IsLocal(url) && credentials.None() {
		var err error
		if at, err = remote.Fetch(ctx, ".", url, branch, true); err != nil {
			return nil, err
		}
	}
	if remote.IsLocal(url) || credentials.None() {
		b, err := gitrepo.OpenHistory(at, branch)
		if err != nil {
			return nil, err
		}
		return &State{Repository{b, url}, b.Head}, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	mirrors := remote.Mirrors{Dir: filepath.Join(cache, "transom"), Credentials: credentials}
	mirror := mirrors.Open(url, branch)
	head, err := mirror.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	return &State{Repository{mirror, url}, head}, nil
}

// Clone is the past of a person's clone.
func Clone(checkout *gitrepo.Checkout) Repository {
	return Repository{clonePast{checkout}, checkout.Origin()}
}

// clonePast is a person's clone as a Past.
type clonePast struct{ *gitrepo.Checkout }

// At is part of past.
func (c clonePast) At(_ context.Context, commit string) (*gitrepo.Snapshot, error) {
	return c.Checkout.At(commit)
}

// Commit completes an abbreviated commit of a repository.
func Commit(ctx context.Context, repo Past, commit string) (string, error) {
	if len(commit) == 40 {
		return commit, nil
	}
	log, err := repo.Log(ctx, ".", everything)
	if err != nil {
		return "", err
	}
	found := ""
	for _, c := range log {
		if strings.HasPrefix(c.Commit, commit) {
			if found != "" {
				return "", fmt.Errorf("commit %s is ambiguous: %s or %s", commit, terminal.Short(found), terminal.Short(c.Commit))
			}
			found = c.Commit
		}
	}
	if found == "" || len(commit) < 4 {
		return "", fmt.Errorf("no commit %q in the state repository; its log names them", commit)
	}
	return found, nil
}

// everything is a limit that no history reaches.
const everything = 1 << 30

// ReleaseIn reads a Release file of a state; nil: there is none.
func ReleaseIn(files fs.FS, key platform.RequestKey) (*state.Release, error) {
	file := state.ReleaseFile(key)
	content, err := fs.ReadFile(files, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	r, err := state.DecodeRelease(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}
