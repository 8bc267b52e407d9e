package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"transom.dev/cmd/transom/internal/client"
	"transom.dev/cmd/transom/internal/terminal"
)

// sandboxTime bounds how long the sandbox may take to end before it is killed; its children end with it either way.
const sandboxTime = 30 * time.Second

// A part is a process or goroutine that runs beside the demo and ends with it.
type part struct {
	end   func()
	ended chan struct{}
}

// stop ends the part and waits until it has ended.
func (p *part) stop() {
	p.end()
	<-p.ended
}

func (d *Demo) fleetDir() string { return filepath.Join(d.Dir, "fleet") }

func (d *Demo) kubeconfig(cluster string) string {
	return filepath.Join(d.fleetDir(), "kubeconfigs", cluster+".kubeconfig")
}

func (d *Demo) clusters() []string { return slices.Sorted(maps.Keys(d.platform.Clusters)) }

// startFleet starts a control plane per cluster of the platform and returns when all are ready. If the fleet ends
// before it is told to, so does everything.
func (d *Demo) startFleet(ctx context.Context, fail context.CancelCauseFunc) (*part, error) {
	since := time.Now()
	clusters := d.clusters()
	cmd := exec.Command(d.Sandbox, "up", "--dir", d.fleetDir(), "--clusters", strings.Join(clusters, ","))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours: the daemon ends first, then its clusters
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the sandbox: %w", err)
	}
	var complaints tail
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the sandbox: %w", err)
	}
	d.screen.Show(fmt.Sprintf("starting %s", terminal.Count(len(clusters), "control plane")))
	ready := make(chan struct{})
	fleet := &part{ended: make(chan struct{}), end: func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		time.AfterFunc(sandboxTime, func() { _ = cmd.Process.Kill() })
	}}
	go func() {
		defer close(fleet.ended)
		d.readSandbox(stdout, ready)
		err := cmd.Wait()
		fail(fmt.Errorf("the sandbox ended: %w", errors.Join(err, complaints.err())))
	}()
	select {
	case <-ready:
		d.took(since, "the fleet is ready: %s", strings.Join(clusters, ", "))
		return fleet, nil
	case <-ctx.Done():
		fleet.stop()
		return nil, context.Cause(ctx)
	}
}

// readSandbox shows the sandbox's reports until it is ready, and then goes on reading, so that it never blocks.
func (d *Demo) readSandbox(r io.Reader, ready chan<- struct{}) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if ready == nil {
			continue
		}
		if strings.HasPrefix(lines.Text(), "ready") {
			close(ready)
			ready = nil
			continue
		}
		d.screen.Show(lines.Text())
	}
}

// startDaemon runs the daemon in this process and returns once it answers. Its log is a file.
func (d *Demo) startDaemon(ctx context.Context, m *monitor, fail context.CancelCauseFunc) (*part, client.Client, error) {
	listen, err := freeAddress(ctx, d.Listen)
	if err != nil {
		return nil, client.Client{}, err
	}
	opens, err := d.identities()
	if err != nil {
		return nil, client.Client{}, err
	}
	log, err := os.Create(d.daemonLog())
	if err != nil {
		return nil, client.Client{}, fmt.Errorf("write the daemon's log: %w", err)
	}
	asked := client.Client{Server: "http://" + listen}
	ctx, cancel := context.WithCancel(ctx)
	daemon := &part{ended: make(chan struct{}), end: cancel}
	go func() {
		defer close(daemon.ended)
		defer func() { _ = log.Close() }()
		err := d.Transom(ctx, append([]string{
			"serve", "--platform", d.repos.platform, "--kubeconfigs", filepath.Join(d.fleetDir(), "kubeconfigs"),
			"--data", filepath.Join(d.Dir, "data"), "--listen", listen, "--log-format", "json",
			"--check-hosts", m.address, "--anonymous-viewers", // there is nothing in a demo that somebody could not read
		}, opens...), log)
		if ctx.Err() == nil {
			fail(fmt.Errorf("the daemon ended: %w", err))
		}
	}()
	for {
		if _, err := asked.Events(ctx); err == nil {
			return daemon, asked, nil
		}
		select {
		case <-ctx.Done():
			daemon.stop()
			return nil, asked, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// identities are the daemon's flags for the keys that open the platform's sealed values: of the file beside the platform that is named
// like it, which only this person may read as a copy. There are none without that file.
func (d *Demo) identities() ([]string, error) {
	text, err := os.ReadFile(filepath.Clean(d.Example) + ".agekey")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	copied := filepath.Join(d.Dir, "identities.txt")
	if err == nil {
		err = os.WriteFile(copied, text, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("copy the age identities of the platform: %w", err)
	}
	return []string{"--age-identities", copied}, nil
}

func (d *Demo) daemonLog() string { return filepath.Join(d.Dir, "daemon.log") }

// freeAddress is the wished one, or, where none is, the usual one or any that is free.
func freeAddress(ctx context.Context, wished string) (string, error) {
	try := []string{wished}
	if wished == "" {
		try = []string{client.DefaultListen, "127.0.0.1:0"}
	}
	var failed error
	for _, address := range try {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			failed = fmt.Errorf("listen on %s: %w; choose another address with --listen", address, err)
			continue
		}
		free := l.Addr().String()
		return free, l.Close()
	}
	return "", failed
}

// A tail keeps the end of a process's error output.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-4096):]
	return len(p), nil
}

// err is the kept text as an error; nil: there is none.
func (t *tail) err() error {
	if text := strings.TrimSpace(string(t.text)); text != "" {
		return errors.New(text)
	}
	return nil
}

// lastWords prints the end of the daemon's log, which is removed with the directory.
func (d *Demo) lastWords() {
	log, err := os.ReadFile(d.daemonLog())
	if err != nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	d.say("the daemon's last words:")
	for _, line := range lines[max(0, len(lines)-10):] {
		d.say("  %s", line)
	}
}
