// Package remote says where Git repositories are, and opens those that are elsewhere.
//
// In come URLs as platforms and people write them; out come absolute ones, and repositories with a mirror on this machine.
// It contacts nothing by itself and reads none of the repositories' files.
package remote

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
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
	Limits      gitrepo.Limits // of the servers' answers
	Timeout     time.Duration  // how long a server may be silent; 0 is gitrepo's default
	PushAllowed func() error   // asked right before each push; nil: it is always allowed

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
	m.remotes[name] = m.Apart(remote, branch, dir)
	return m.remotes[name]
}

// Apart returns the branch of a repository with a mirror at dir, which nobody else may use.
func (m *Mirrors) Apart(remote, branch, dir string) *gitrepo.Remote {
	return &gitrepo.Remote{
		URL: remote, Branch: branch, Dir: dir, Credentials: m.Credentials, Limits: m.Limits, Timeout: m.Timeout,
		PushAllowed: m.PushAllowed,
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
