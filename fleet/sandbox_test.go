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

// sandbox is one real API server, started by the first test that asks for it.
var sandbox struct {
	once sync.Once
	dir  string
	up   *exec.Cmd
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if sandbox.up != nil && sandbox.up.Process != nil {
		_ = sandbox.up.Process.Signal(syscall.SIGTERM)
		_ = sandbox.up.Wait()
	}
	if sandbox.dir != "" {
		_ = os.RemoveAll(sandbox.dir)
	}
	os.Exit(code)
}

// kubeconfigs returns the directory of the sandbox's kubeconfigs; its cluster is called a.
func kubeconfigs(t testing.TB) string {
	t.Helper()
	sandbox.once.Do(func() { sandbox.err = startSandbox() })
	require.NoError(t, sandbox.err)
	return filepath.Join(sandbox.dir, "kubeconfigs")
}

func startSandbox() (err error) {
	binary, err := filepath.Abs("../bin/sandbox")
	if err != nil {
		return err
	}
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("%w: these tests need a real API server; run \"make build\"", err)
	}
	if sandbox.dir, err = os.MkdirTemp("", "transom-"); err != nil {
		return err
	}
	sandbox.up = exec.Command(binary, "up", "--dir", sandbox.dir, "--clusters", "a", "--api-only")
	sandbox.up.Stderr = os.Stderr
	out, err := sandbox.up.StdoutPipe()
	if err != nil {
		return err
	}
	if err := sandbox.up.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "ready") {
			return nil
		}
	}
	return fmt.Errorf("sandbox ended before it was ready: %w", sandbox.up.Wait())
}
