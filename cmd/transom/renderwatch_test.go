package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/workspace"
)

func TestRenderWatchShowsWhatASaveChanges(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("../../examples/minimal")))
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"render", "--watch", "--out", out, dir}, nil, write, io.Discard)
		write.Close()
	}()
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(read); s.Scan(); {
			lines <- s.Text()
		}
	}()
	until := func(part string) {
		t.Helper()
		for {
			select {
			case line, more := <-lines:
				require.True(t, more, "ended before it said %q", part)
				if part != "- Deployment" {
					require.NotContains(t, line, "- Deployment", "what has a Problem keeps what it has")
				}
				if strings.Contains(line, part) {
					return
				}
			case <-time.After(20 * time.Second):
				require.FailNow(t, "did not say", part)
			}
		}
	}
	edit := func(name, old, replacement string) {
		t.Helper()
		file := filepath.Join(dir, name)
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(data), old)
		require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(data), old, replacement, 1)), 0o600))
	}

	until("rendered 1 environment; watching")
	edit("requests/demo/hello.yaml", "name: hello", "name: hullo")
	until(`metadata.name: must be "hello"`)
	edit("requests/demo/hello.yaml", "name: hullo", "name: hello")
	until("1 Problem mended, 0 left")
	require.NoError(t, os.Remove(filepath.Join(dir, "requests/demo/hello.yaml")))
	until("- Deployment")
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(out, "dev/clusters/dev/demo/hello.yaml"))
		return os.IsNotExist(err)
	}, 20*time.Second, 10*time.Millisecond)

	cancel()
	require.NoError(t, <-ended)
}

// TestRenderWatchKnowsWherePlatformAndStatesAre: it finds the Problems that check finds, those of a clone's origin among them.
func TestRenderWatchKnowsWherePlatformAndStatesAre(t *testing.T) {
	s := minimal(t, "main")
	s.write("environments/dev.yaml", "state: {url: ../platform.git, branch: main}, clusters: {}")
	s.merge("begin")
	var out bytes.Buffer
	w := watched{options: &renderOptions{}, dir: workspace.Directory{Dir: s.clone()}, out: &out}
	w.again()
	require.Contains(t, out.String(), "environments/dev.yaml:4:8: spec.state: is the platform repository itself")
}
