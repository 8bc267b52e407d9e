package fleet_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A sandbox is API servers in a process of their own, started by the first test that asks for them.
type sandbox struct {
	args []string // of bin/sandbox, without the directory

	once sync.Once
	dir  string
	up   *exec.Cmd
	err  error
}

// The one real API server, and the one that keeps its objects in memory.
var (
	realServer   = &sandbox{args: []string{"up", "--clusters", "a", "--api-only"}}
	memoryServer = &sandbox{args: []string{"fake", "--clusters", "1"}}
)

func TestMain(m *testing.M) {
	code := m.Run()
	realServer.end()
	memoryServer.end()
	os.Exit(code)
}

func (s *sandbox) end() {
	if s.up != nil && s.up.Process != nil {
		_ = s.up.Process.Signal(syscall.SIGTERM)
		_ = s.up.Wait()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// kubeconfigs returns the directory of the real server's kubeconfigs; its cluster is called a.
func kubeconfigs(t testing.TB) string {
	t.Helper()
	return realServer.kubeconfigs(t)
}

func (s *sandbox) kubeconfigs(t testing.TB) string {
	t.Helper()
	s.once.Do(func() { s.err = s.start() })
	require.NoError(t, s.err)
	return filepath.Join(s.dir, "kubeconfigs")
}

// fakeKubeconfigs is kubeconfigs of the server that keeps its objects in memory.
func fakeKubeconfigs(t testing.TB) string {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(memoryServer.kubeconfigs(t), "edge-0000.kubeconfig"))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.kubeconfig"), config, 0o600))
	return dir
}

func (s *sandbox) start() (err error) {
	binary, err := filepath.Abs("../bin/sandbox")
	if err != nil {
		return err
	}
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("%w: these tests need a real API server; run \"make build\"", err)
	}
	if s.dir, err = os.MkdirTemp("", "transom-"); err != nil {
		return err
	}
	s.up = exec.Command(binary, append(s.args, "--dir", s.dir)...)
	s.up.Stderr = os.Stderr
	out, err := s.up.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.up.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "ready") {
			return nil
		}
	}
	return fmt.Errorf("sandbox ended before it was ready: %w", s.up.Wait())
}
