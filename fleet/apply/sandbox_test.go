package apply_test

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

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// The clusters that tests share. Each test has a namespace of its own on them.
var (
	apiOnly = sandbox{flags: []string{"--api-only", "--clusters", "a"}}
	whole   = sandbox{flags: []string{"--clusters", "a"}} // with controllers, a scheduler, and pods that become ready

	// A benchmark wants clusters that nobody used before.
	fresh = sandbox{flags: []string{"--api-only", "--clusters", "raw-4,raw-8,raw-16,own-8,own-16"}}
)

func TestMain(m *testing.M) {
	code := m.Run()
	apiOnly.down()
	whole.down()
	fresh.down()
	os.Exit(code)
}

// sandbox is a cluster that is started by the first test that asks for it.
type sandbox struct {
	flags []string
	once  sync.Once
	dir   string
	up    *exec.Cmd
	err   error
}

func (s *sandbox) config(t testing.TB, cluster string) *rest.Config {
	t.Helper()
	s.once.Do(func() { s.err = s.start() })
	if s.err != nil {
		t.Fatal(s.err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(s.dir, "kubeconfigs", cluster+".kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	return config
}

func (s *sandbox) start() (err error) {
	binary, err := filepath.Abs("../../bin/sandbox")
	if err != nil {
		return err
	}
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("%w: these tests need real API servers; run \"make build\"", err)
	}
	if s.dir, err = os.MkdirTemp("", "transom-apply-"); err != nil {
		return err
	}
	s.up = exec.Command(binary, append([]string{"up", "--dir", s.dir}, s.flags...)...)
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
			go func() { // the sandbox must never block on its own report
				for lines.Scan() {
				}
			}()
			return nil
		}
	}
	return fmt.Errorf("sandbox ended before it was ready: %w", s.up.Wait())
}

func (s *sandbox) down() {
	if s.up != nil && s.up.Process != nil {
		_ = s.up.Process.Signal(syscall.SIGTERM)
		_ = s.up.Wait()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}
