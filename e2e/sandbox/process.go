package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// process is a component running as a child of this one.
type process struct {
	component string
	logFile   string
	cmd       *exec.Cmd
	done      chan struct{} // closed once it has ended and has been waited for; err is set before
	err       error
}

// launcher starts children from one thread that lives as long as this process does: the kernel ties a parent-death
// signal to the thread that forked, and the runtime may end any other.
type launcher chan func()

func newLauncher() launcher {
	l := make(launcher)
	go func() {
		runtime.LockOSThread()
		for start := range l {
			start()
		}
	}()
	return l
}

// start runs this binary again as a component, which is killed when this process ends in any way.
func (l launcher) start(logFile, component string, args ...string) (*process, error) {
	if err := os.MkdirAll(filepath.Dir(logFile), 0o755); err != nil {
		return nil, fmt.Errorf("start %s: %w", component, err)
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", component, err)
	}
	defer log.Close()

	cmd := exec.Command("/proc/self/exe", append([]string{component}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Setpgid:   true, // a Ctrl-C in the terminal is for us; we take the children down
	}
	started := make(chan error)
	l <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", component, err)
	}
	p := &process{component: component, logFile: logFile, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// kill ends the process and returns once it is gone. The work of an orderly end is of no use to
// anybody: all that it knows is in etcd, and etcd's data lives no longer than the sandbox.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended already
	<-p.done
}

// running says whether the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// exited describes the end of a process that should still be there.
func (p *process) exited() error {
	how := "exit status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("%s ended by itself (%s); the end of %s:\n%s", p.component, how, p.logFile, tail(p.logFile))
}

// bind is a context that ends with the process, which is then its cause.
func (p *process) bind(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-p.done:
			cancel(p.exited())
		case <-ctx.Done():
			cancel(nil)
		}
	}()
	return ctx
}

const (
	pollInterval = 50 * time.Millisecond
	startTimeout = 3 * time.Minute // a machine that compiles beside us can be that slow
)

// await polls until probe succeeds. It gives up when the process that is to make it succeed has ended.
func (p *process) await(ctx context.Context, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.exited()
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; at last: %w", p.component, context.Cause(ctx), err)
		case <-time.After(pollInterval):
		}
	}
}

// tail is the last lines of a log, for the message about a component that failed.
func tail(file string) string {
	const lines = 10
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return "  " + strings.Join(all[max(0, len(all)-lines):], "\n  ")
}
