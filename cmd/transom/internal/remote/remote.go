// Package remote says where Git repositories are, and opens those that are elsewhere.
//
// In come URLs as platforms and people write them; out come absolute ones, and repositories with a mirror on this machine.
// It contacts nothing by itself and reads none of the repositories' files.
package remote

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"transom.dev/reconciler/gitrepo"
)

// Mirrors opens Git repositories, each with a mirror of its own below a directory. They are safe for concurrent use.
type Mirrors struct {
	Dir         string
	Credentials gitrepo.Credentials
	Limits      gitrepo.Limits       // of the servers' answers
	Timeout     time.Duration        // how long a server may be silent; 0 is gitrepo's default
	PushAllowed func() error         // asked right before each push; nil: it is always allowed
	Large       chan *gitrepo.Remote // those that Renew is to renew; nil: each makes its mirror anew by itself, and waits

	mu      sync.Mutex
	remotes map[string]*gitrepo.Remote // by URL and branch: a mirror belongs to one of them
}

// Open returns the branch of a repository, the same one each time. Nothing is contacted yet.
func (m *Mirrors) Open(remote, branch string) *gitrepo.Remote {
	branch = cmp.Or(branch, "main")
	name := remote + "#" + branch
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.remotes[name]; known != nil {
		return known
	}
	sum := sha256.Sum256([]byte(name))
	dir := filepath.Join(m.Dir, "git", hex.EncodeToString(sum[:8]))
	if m.remotes == nil {
		m.remotes = map[string]*gitrepo.Remote{}
	}
	m.remotes[name] = m.open(remote, branch, dir, m.asks())
	return m.remotes[name]
}

// asks is called by a repository whose mirror is to be renewed; nil: nobody renews any.
func (m *Mirrors) asks() func(*gitrepo.Remote) {
	if m.Large == nil {
		return nil
	}
	return func(r *gitrepo.Remote) {
		select {
		case m.Large <- r:
		default: // a later commit asks again
		}
	}
}

// renewalPause is how long a repository is let be whose mirror could not be renewed.
const renewalPause = 10 * time.Minute

// Renew renews mirrors that are large, one at a time and beside their use, until ctx is done. Where that fails, it tells why, and the
// mirror stays as it is for a while. What a process that was killed left of a renewal goes first.
func (m *Mirrors) Renew(ctx context.Context, failed func(error)) error {
	if err := m.removeHalves(); err != nil {
		failed(err)
	}
	failures := map[*gitrepo.Remote]time.Time{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-m.Large:
			if last, ok := failures[r]; ok && time.Since(last) < renewalPause {
				continue
			}
			err := r.Renew(ctx)
			if err == nil {
				delete(failures, r)
				continue
			}
			failures[r] = time.Now()
			if ctx.Err() == nil {
				failed(err)
			}
		}
	}
}

// removeHalves removes the mirrors that are half made: those that are in use have other names.
func (m *Mirrors) removeHalves() (failed error) {
	dir := filepath.Join(m.Dir, "git")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), gitrepo.Half) {
			failed = errors.Join(failed, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return failed
}

// Apart returns the branch of a repository with a mirror at dir, which nobody else may use.
func (m *Mirrors) Apart(remote, branch, dir string) *gitrepo.Remote {
	return m.open(remote, branch, dir, nil)
}

func (m *Mirrors) open(remote, branch, dir string, large func(*gitrepo.Remote)) *gitrepo.Remote {
	return &gitrepo.Remote{
		URL: remote, Branch: branch, Dir: dir, Credentials: m.Credentials, Limits: m.Limits, Timeout: m.Timeout,
		PushAllowed: m.PushAllowed, Large: large,
	}
}

// Resolve makes a state repository's URL absolute: one that begins with ./ or ../ is relative to the platform's URL or
// absolute path, as the URLs of Git submodules are.
func Resolve(platform, state string) string {
	if !strings.HasPrefix(state, "./") && !strings.HasPrefix(state, "../") {
		return state
	}
	if u, err := url.Parse(platform); err == nil && u.Host != "" {
		u.Path = path.Join(u.Path, state)
		return u.String()
	}
	if host, dir, scp := strings.Cut(platform, ":"); scp && !strings.Contains(host, "/") {
		return host + ":" + path.Join(dir, state)
	}
	return filepath.Join(strings.TrimPrefix(platform, "file://"), state)
}

// Absolute makes a path on this machine absolute and leaves URLs as they are.
func Absolute(remote string) (string, error) {
	if !IsLocal(remote) || strings.HasPrefix(remote, "file://") {
		return remote, nil
	}
	dir, err := filepath.Abs(remote)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", remote, err)
	}
	return dir, nil
}

// IsLocal says whether a repository is on this machine, so that its changes can be watched.
func IsLocal(remote string) bool {
	if strings.HasPrefix(remote, "file://") {
		return true
	}
	host, _, colon := strings.Cut(remote, ":")
	return !colon || strings.Contains(host, "/")
}
