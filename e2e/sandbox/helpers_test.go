package main_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// binary is the sandbox that "make sandbox" makes, as "make build" does; building it again costs little when nothing has changed.
const binary = "../../bin/sandbox"

// patience is how long anything may take on a machine that has more to do than these tests.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	build := exec.Command("make", "--no-print-directory", "-C", "../..", "sandbox")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the sandbox:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// running is a sandbox that a test has started.
type running struct {
	dir string
	cmd *exec.Cmd

	mu     sync.Mutex
	output bytes.Buffer
	ended  chan struct{}
}

// up starts a sandbox and returns when it says that it is ready. It is ended with the test, without a trace.
func up(t *testing.T, args ...string) *running {
	t.Helper()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-", 20)) // longer than the name of a socket may be
	r := launch(t, dir, exec.Command(binary, append([]string{"up", "--dir", dir}, args...)...))
	r.waitFor(t, "ready after")
	return r
}

// launch starts the command that is, or leads to, a sandbox in dir.
func launch(t *testing.T, dir string, cmd *exec.Cmd) *running {
	t.Helper()
	r := &running{dir: dir, cmd: cmd, ended: make(chan struct{})}
	output, writer, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = writer, writer
	require.NoError(t, cmd.Start())
	require.NoError(t, writer.Close())
	go r.read(output)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		_ = cmd.Wait()
		requireNothingLeft(t, dir)
		<-r.ended
		output.Close()
	})
	return r
}

func (r *running) read(output *os.File) {
	defer close(r.ended)
	for lines := bufio.NewScanner(output); lines.Scan(); {
		r.mu.Lock()
		r.output.WriteString(lines.Text() + "\n")
		r.mu.Unlock()
	}
}

func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.output.String()
}

// waitFor returns once the sandbox has printed text.
func (r *running) waitFor(t *testing.T, text string) {
	t.Helper()
	eventually(t, func() error {
		if strings.Contains(r.text(), text) {
			return nil
		}
		return fmt.Errorf("not printed: %q\n%s", text, r.text())
	})
}

// ask runs another command of the sandbox.
func (r *running) ask(args ...string) (string, error) {
	output, err := exec.Command(binary, append(args, "--dir", r.dir)...).CombinedOutput()
	return string(output), err
}

func (r *running) kubeconfig(cluster string) string {
	return filepath.Join(r.dir, "kubeconfigs", cluster+".kubeconfig")
}

func (r *running) config(t *testing.T, cluster string) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", r.kubeconfig(cluster))
	require.NoError(t, err)
	config.QPS = -1
	return config
}

func (r *running) client(t *testing.T, cluster string) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(r.config(t, cluster))
	require.NoError(t, err)
	return client
}

// eventually waits until probe succeeds, and fails with its last error.
func eventually(t *testing.T, probe func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := probe()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			require.NoError(t, err, "after %s", patience)
		case <-tick.C:
		}
	}
}

// requireNothingLeft waits until no process is about dir any more, and ends those that stay.
func requireNothingLeft(t *testing.T, dir string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); len(processesOf(dir)) > 0 && time.Now().Before(end); {
		<-tick.C
	}
	left := processesOf(dir)
	for pid := range left {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	require.Empty(t, left, "processes left")
}

// processesOf are the command lines of all processes that name dir, by process id.
func processesOf(dir string) map[int]string {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	found := map[int]string{}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(line, []byte(dir)) {
			continue
		}
		if pid, err := strconv.Atoi(path.Base(path.Dir(file))); err == nil {
			found[pid] = string(bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
		}
	}
	return found
}

// componentOf is the one process that is a component and names dir.
func componentOf(t *testing.T, dir, component string) int {
	t.Helper()
	var found []int
	for pid, line := range processesOf(dir) {
		if strings.Contains(line, " "+component+" ") {
			found = append(found, pid)
		}
	}
	require.Len(t, found, 1, "processes of %s", component)
	return found[0]
}
