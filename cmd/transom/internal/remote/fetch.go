package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// fetchLasts bounds one fetch, so that a check ends although a forge does not answer.
const fetchLasts = 3 * time.Minute

// Fetch brings a branch of a repository elsewhere into a bare mirror in the user's cache, and returns the mirror's directory.
// A branch that the repository does not have is not in the mirror either. It runs this machine's git as a person in the
// clone at dir would, so that the credential helpers, ssh agent, proxies and rewritten addresses that work there work here;
// git asks nobody for a password. Without history, only the newest commit is fetched.
func Fetch(ctx context.Context, dir, url, branch string, history bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchLasts)
	defer cancel()
	g := &ownGit{url: url, settings: settingsOf(ctx, dir)}
	mirror, err := mirrorOf(url, branch, history)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(mirror, "HEAD")); err != nil {
		if _, err := g.run(ctx, "-c", "init.defaultRefFormat=files", "init", "--quiet", "--bare", mirror); err != nil {
			return "", err
		}
	}
	ref := "refs/heads/" + branch
	there, err := g.run(ctx, "--git-dir="+mirror, "ls-remote", "--", url, ref)
	if err != nil {
		return "", err
	}
	if len(bytes.TrimSpace(there)) == 0 {
		_, err := g.run(ctx, "--git-dir="+mirror, "update-ref", "-d", ref)
		return mirror, err
	}
	args := []string{"--git-dir=" + mirror, "fetch", "--quiet", "--no-tags"}
	if !history {
		args = append(args, "--depth=1")
	}
	_, err = g.run(ctx, append(args, "--", url, "+"+ref+":"+ref)...)
	return mirror, err
}

// mirrorOf makes the parent directory of a mirror and returns the mirror's directory.
func mirrorOf(url, branch string, history bool) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a directory for the mirror of %s: %w", url, err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s#%s#%t", url, branch, history))
	dir := filepath.Join(cache, "transom", "own", hex.EncodeToString(sum[:8])+".git")
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return "", fmt.Errorf("make a directory for the mirror of %s: %w; XDG_CACHE_HOME names another place", url, err)
	}
	return dir, nil
}

// ownGit runs this machine's git for one address.
type ownGit struct {
	url      string
	settings []string // as the environment of git
}

// ownSettings are the prefixes of the Git settings of a clone that say how other repositories are reached.
var ownSettings = []string{"credential.", "http.", "url.", "ssh.", "core.sshcommand", "core.gitproxy", "protocol."}

// settingsOf reads these settings of the clone that dir is in: a CI system writes its token there.
func settingsOf(ctx context.Context, dir string) (environment []string) {
	cmd := exec.CommandContext(ctx, "git", "-C", dir, "config", "--local", "--includes", "--null", "--list")
	cmd.Env = without(os.Environ())
	listed, err := cmd.Output()
	if err != nil {
		return nil // no clone: the settings of the user and the machine count
	}
	n := 0
	for setting := range strings.SplitSeq(string(listed), "\x00") {
		name, value, _ := strings.Cut(setting, "\n")
		if slices.ContainsFunc(ownSettings, func(own string) bool { return strings.HasPrefix(name, own) }) {
			environment = append(environment, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", n, name), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, value))
			n++
		}
	}
	if n == 0 || os.Getenv("GIT_CONFIG_COUNT") != "" {
		return nil // whoever sets that for this process means it
	}
	return append(environment, fmt.Sprintf("GIT_CONFIG_COUNT=%d", n))
}

// inRepository are the environment variables by which Git tells a hook the repository.
var inRepository = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR",
	"GIT_NAMESPACE", "GIT_PREFIX", "GIT_DEFAULT_HASH",
}

// without leaves these variables out of an environment.
func without(environment []string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(inRepository, name)
	})
}

// run runs git without a prompt. Its error has the last line of git's error output.
func (g *ownGit) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = append(without(os.Environ()), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	cmd.Env = append(cmd.Env, g.settings...)
	if os.Getenv("GIT_ALLOW_PROTOCOL") == "" {
		cmd.Env = append(cmd.Env, "GIT_ALLOW_PROTOCOL=http:https:ssh") // the address comes from a file that anybody may propose
	}
	cmd.WaitDelay = time.Second // a helper that git started may outlive it
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: no answer within %s", g.url, fetchLasts)
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("%s: there is no git on this machine to fetch it with", g.url)
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	for _, line := range lines {
		if fatal, ok := strings.CutPrefix(line, "fatal: "); ok {
			return nil, fmt.Errorf("%s: git says: %s", g.url, fatal)
		}
	}
	return nil, fmt.Errorf("%s: git says: %s", g.url, lines[len(lines)-1])
}
