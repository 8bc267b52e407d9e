package worker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"transom.dev/render/internal/kustomize"
)

// memoryLimit bounds the data of a worker: its heap, stacks and the runtime's own.
const memoryLimit = 512 << 20

// outOfTime is the exit code of a worker that used up its processor time: that of a shell whose command met that signal.
const outOfTime = 128 + 24

// replaced is how much processor time a worker uses before another replaces it.
const replaced = 300 * time.Second

// Limits are the bounds of one run of a job.
type limits struct {
	seconds int           // of processor time
	wall    time.Duration // whatever the machine does: a last bound, far beyond the others
}

// ended is the error of a job whose worker ended.
type ended struct {
	how   string
	limit bool // it met one
}

func (e *ended) Error() string { return e.how }

// A process is a worker of this process, doing one job at a time.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *head
	used   time.Duration // processor time, as of the last job
	rest   *time.Timer   // ends it when it has had no job for a while
	dead   bool          // it is about to end
}

// head keeps the beginning of the text that is written to it.
type head struct {
	mu   sync.Mutex
	text []byte
}

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text = append(h.text, p[:min(len(p), 8<<10-len(h.text))]...)
	return len(p), nil
}

func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.text)
}

// begin starts a worker.
func begin() (*process, error) {
	p := &process{}
	var out io.ReadCloser
	var failed error
	cmd, err := start(func() *exec.Cmd {
		p.stderr = &head{}
		cmd := exec.Command(executable, argument)
		cmd.Args[0] = os.Args[0]
		cmd.Env = []string{"PATH="}
		cmd.Dir = "/"
		cmd.Stderr = p.stderr
		p.in, failed = cmd.StdinPipe()
		if failed == nil {
			out, failed = cmd.StdoutPipe()
		}
		return cmd
	})
	if err := errors.Join(failed, err); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	p.cmd, p.out = cmd, bufio.NewReader(out)
	return p, nil
}

// do has the worker do a job. Where the error is *ended the worker is no more.
func (p *process) do(j kustomize.Job, l limits) (response, error) {
	var late atomic.Bool
	timer := time.AfterFunc(l.wall, func() {
		late.Store(true)
		_ = p.cmd.Process.Kill()
	})
	err := writeFrame(p.in, request{l.seconds, j.Files, j.Chart}.encode())
	if err == nil {
		var content []byte
		if content, err = readFrame(p.out, maxResponse); err == nil {
			var a response
			if a, err = decodeResponse(content); err == nil {
				p.used = time.Duration(a.used) * time.Microsecond
				p.dead = !timer.Stop()
				return a, nil
			}
		}
	}
	timer.Stop()
	before := p.used
	p.end()
	return response{}, p.ended(l, p.cmd.ProcessState.UserTime()+p.cmd.ProcessState.SystemTime()-before, late.Load())
}

// ended says which limit the worker met, from its exit and its last words.
func (p *process) ended(l limits, took time.Duration, late bool) *ended {
	said := p.stderr.String()
	for _, sign := range []string{"out of memory", "cannot allocate memory", "stack overflow", "pthread_create failed"} {
		if strings.Contains(said, sign) {
			return &ended{fmt.Sprintf("needed more than %d MiB of memory", memoryLimit>>20), true}
		}
	}
	switch {
	case p.cmd.ProcessState.ExitCode() == outOfTime, took >= time.Duration(l.seconds)*time.Second-600*time.Millisecond:
		return &ended{fmt.Sprintf("needed more than %d s of processor time", l.seconds), true}
	case late:
		return &ended{fmt.Sprintf("took longer than %.0f s", l.wall.Seconds()), true}
	case peakMemory(p.cmd.ProcessState) >= memoryLimit/4*3: // without memory the Go runtime has other last words, too
		return &ended{fmt.Sprintf("needed more than %d MiB of memory", memoryLimit>>20), true}
	}
	line, _, _ := strings.Cut(said, "\n")
	return &ended{strings.TrimSpace(fmt.Sprintf("ended its worker: %s %s", p.cmd.ProcessState, line)), false}
}

// end ends the worker and waits for that.
func (p *process) end() {
	_ = p.cmd.Process.Kill()
	_ = p.in.Close()
	_ = p.cmd.Wait()
}
