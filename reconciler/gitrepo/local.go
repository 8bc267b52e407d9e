package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// openLocal runs git on a repository of this machine, so that its hooks, its locks and its checks are Git's own.
func openLocal(ctx context.Context, dog *watchdog, service string, e endpoint) (*stream, error) {
	if _, err := os.Stat(e.path); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "git", strings.TrimPrefix(service, "git-"), e.path)
	cmd.Env = gitEnvironment()
	// Asked to end, git takes its lock files away; killed, it would leave the repository locked.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second
	said := &tail{}
	cmd.Stderr = said
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, errors.New("repositories on this machine need git; install it, or put it on the PATH")
		}
		return nil, fmt.Errorf("start git: %w", err)
	}
	// A hook that git started may keep the pipe open after git has gone.
	release := context.AfterFunc(ctx, func() { _ = out.Close() })
	return &stream{in: dog.writer(in), out: &bounded{Reader: dog.reader(out)}, errors: said, end: func() error {
		release()
		_ = out.Close()
		return cmd.Wait()
	}}, nil
}

// gitEnvironment is this process's environment without the variables that would point git at another repository, as they are
// set within a hook, or change the protocol.
func gitEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "GIT_") && !strings.HasPrefix(v, "GIT_CONFIG_") && !strings.HasPrefix(v, "GIT_EXEC_PATH=")
	})
}

// looseHead reads a branch of a repository of this machine from the file that Git keeps it in while it moves. If that
// does not tell, as when the branch was packed away, it is the zero id.
func looseHead(e endpoint, ref plumbing.ReferenceName) plumbing.Hash {
	for _, dir := range []string{e.path, filepath.Join(e.path, ".git")} {
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(ref.String())))
		if err != nil {
			continue
		}
		if id, err := parseID(strings.TrimSpace(string(content))); err == nil {
			return id
		}
	}
	return plumbing.ZeroHash
}
