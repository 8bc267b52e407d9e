package main

import (
	"bufio"
	"context"
	"io"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// servesGit serves the repositories below a directory to whoever asks.
func servesGit(t *testing.T, root string) *httptest.Server {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	require.NoError(t, err)
	server := httptest.NewServer(&cgi.Handler{
		Path:   filepath.Join(strings.TrimSpace(string(out)), "git-http-backend"),
		Env:    []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=transom"},
		Stderr: io.Discard,
	})
	t.Cleanup(server.Close)
	return server
}

// serving runs the daemon, without any cluster, and has commands ask it.
func serving(t *testing.T, args ...string) {
	t.Helper()
	args = append([]string{"serve", "--kubeconfigs", t.TempDir(), "--data", t.TempDir(), "--listen", "127.0.0.1:0"}, args...)
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, args, nil, io.Discard, write)
		write.Close()
	}()
	log := bufio.NewScanner(read)
	require.True(t, log.Scan(), "it says nothing")
	console := regexp.MustCompile(`"console":"([^"]+)"`).FindStringSubmatch(log.Text())
	require.Len(t, console, 2, log.Text())
	t.Setenv("TRANSOM_SERVER", console[1])
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, read)
	}()
	t.Cleanup(func() {
		cancel()
		<-drained
		require.NoError(t, <-ended)
	})
}

// TestRecordsAreOnTheBranchesThatTheDaemonFollows reads them away from any clone, of repositories without a branch main.
func TestRecordsAreOnTheBranchesThatTheDaemonFollows(t *testing.T) {
	s := minimal(t, "trunk")
	s.git(s.dir, "init", "-q", "--bare", "-b", "records", "state-dev.git")
	s.write("environments/dev.yaml", "state: {url: ../state-dev.git, branch: records}, clusters: {}")
	s.merge("say hello")

	serving(t, "--platform", servesGit(t, s.dir).URL+"/platform.git", "--branch", "trunk")
	require.Eventually(t, func() bool {
		return run(t.Context(), []string{"status", "demo/hello"}, nil, io.Discard, io.Discard) == nil
	}, time.Minute, 100*time.Millisecond, "it never took the request in")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	away := t.TempDir()
	require.Contains(t, s.transom("history", "demo/hello", "-e", "dev", "-C", away), "took app 1.0.0")
	require.Contains(t, s.transom("explain", "--at", time.Now().Format(time.RFC3339), "-e", "dev", "-C", away), "demo/hello")
	require.Contains(t, s.transom("verify", "dev", "-C", away), "✓ dev at ")
}
