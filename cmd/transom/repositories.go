package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/trigger"
)

// repositories opens Git repositories, each with a mirror of its own below the data directory.
type repositories struct {
	data        string
	platform    string // URL or absolute path
	credentials gitrepo.Credentials

	mu      sync.Mutex
	remotes map[string]*gitrepo.Remote // by URL and branch: a mirror belongs to one of them
}

// open returns the branch of a repository, the same one each time. Nothing is contacted yet.
func (r *repositories) open(remote, branch string) *gitrepo.Remote {
	if branch == "" {
		branch = "main"
	}
	name := remote + "#" + branch
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.remotes[name]; known != nil {
		return known
	}
	sum := sha256.Sum256([]byte(name))
	dir := filepath.Join(r.data, "git", hex.EncodeToString(sum[:8]))
	if r.remotes == nil {
		r.remotes = map[string]*gitrepo.Remote{}
	}
	r.remotes[name] = &gitrepo.Remote{URL: remote, Branch: branch, Dir: dir, Credentials: r.credentials}
	return r.remotes[name]
}

// resolve makes a state repository's URL absolute: one that begins with ./ or ../ is relative to the platform's, as
// the URLs of Git submodules are.
func (r *repositories) resolve(state string) string {
	if !strings.HasPrefix(state, "./") && !strings.HasPrefix(state, "../") {
		return state
	}
	if u, err := url.Parse(r.platform); err == nil && u.Host != "" {
		u.Path = path.Join(u.Path, state)
		return u.String()
	}
	if host, dir, scp := strings.Cut(r.platform, ":"); scp && !strings.Contains(host, "/") {
		return host + ":" + path.Join(dir, state)
	}
	return filepath.Join(strings.TrimPrefix(r.platform, "file://"), state)
}

// absolute makes a path on this machine absolute and leaves URLs as they are.
func absolute(remote string) (string, error) {
	if !isLocal(remote) || strings.HasPrefix(remote, "file://") {
		return remote, nil
	}
	dir, err := filepath.Abs(remote)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", remote, err)
	}
	return dir, nil
}

// isLocal says whether a repository is on this machine, so that its changes can be watched.
func isLocal(remote string) bool {
	if strings.HasPrefix(remote, "file://") {
		return true
	}
	host, _, colon := strings.Cut(remote, ":")
	return !colon || strings.Contains(host, "/")
}

// watchRepository fires the latch when a repository on this machine changes. Where watching fails the interval still
// finds changes, so that it costs only time.
func watchRepository(ctx context.Context, group *errgroup.Group, remote string, latch *trigger.Latch, logger *slog.Logger) {
	if !isLocal(remote) {
		return
	}
	dir := strings.TrimPrefix(remote, "file://")
	group.Go(func() error {
		err := trigger.Repository(ctx, dir, latch.Fire)
		if err != nil && ctx.Err() == nil {
			logger.Warn("repository not watched: changes are found at the next interval", "repository", dir, "err", err)
		}
		return nil
	})
}
