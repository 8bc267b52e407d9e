package worker

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kustomize"
)

const (
	// A job that is ended has a second whole run: a fault of the machine is none of the job.
	runs = 2

	// How long a refused job waits before it is tried again: twice as long each time.
	firstWait = 10 * time.Minute
	lastWait  = 24 * time.Hour

	// A worker that has had no job for so long is ended.
	restTime = time.Minute
)

// A pool has the workers of this process. There are as many as processors, at most four, and at least two: one may be
// busy with a job that nobody waits for. All of it ends with the process.
type pool struct {
	short limits // of a job that a pass waits for
	whole limits
	wait  time.Duration // before a job is tried again that was refused for the first time
	slots chan struct{} // one for each worker that has a job

	mu      sync.Mutex
	resting []*process
	tasks   map[digest]*task
	queue   []*task // that the background does next
	busy    bool    // the background is at work
}

type digest [sha256.Size]byte

// workers is the pool of this process.
var workers = sync.OnceValue(func() *pool {
	return &pool{
		short: limits{1, 10 * time.Second}, whole: limits{8, time.Minute}, wait: firstWait,
		slots: make(chan struct{}, max(2, min(4, runtime.NumCPU()))), tasks: map[digest]*task{},
	}
})

// Run does a job and waits for it. It is a kustomize.Runner.
func Run(j kustomize.Job) ([]*yaml.Node, error) {
	if !enabled.Load() {
		return here(j)
	}
	return workers().run(j)
}

// Soon returns a Runner that does not wait for jobs that take long: it fails with Unfinished, and calls ready, on any
// goroutine, once the job is worth another try.
func Soon(ready func()) kustomize.Runner {
	return func(j kustomize.Job) ([]*yaml.Node, error) {
		if !enabled.Load() {
			return here(j)
		}
		return workers().soon(j, ready)
	}
}

// run does a job, unless it was refused not long ago. A job that shares its subject with a refused one may be like it, and has
// a short run only.
func (p *pool) run(j kustomize.Job) ([]*yaml.Node, error) {
	key, err := keyOf(j)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	t, suspect := p.tasks[key], p.suspect(j.Subject)
	if t != nil && t.refused != "" && time.Now().Before(t.until) {
		p.mu.Unlock()
		return nil, unfinished(j, t.refused)
	}
	p.mu.Unlock()
	times, l := runs, p.whole
	if t == nil && suspect {
		times, l = 1, p.short
	}
	var last *ended
	for range times {
		a, err := p.once(j, l)
		if !errors.As(err, &last) {
			return result(j, a, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse(p.task(key, j), last)
	return nil, unfinished(j, last.how)
}

// once does a job in whichever worker is free, or in a new one. That one which was at rest has ended meanwhile is none of
// the job.
func (p *pool) once(j kustomize.Job, l limits) (response, error) {
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	for {
		w, err := p.take(), error(nil)
		rested := w != nil
		if !rested {
			if w, err = begin(); err != nil {
				return response{}, err
			}
		}
		a, err := w.do(j, l)
		if how := (*ended)(nil); errors.As(err, &how) && rested && !how.limit {
			continue
		}
		if err == nil {
			p.give(w)
		}
		return a, err
	}
}

// take returns a worker that is at rest, or nil.
func (p *pool) take() *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.resting) > 0 {
		w := p.resting[len(p.resting)-1]
		p.resting = p.resting[:len(p.resting)-1]
		if w.rest.Stop() {
			return w
		}
	}
	return nil
}

// give keeps a worker for the next job.
func (p *pool) give(w *process) {
	if w.dead || w.used > replaced {
		w.end()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resting = append(p.resting, w)
	w.rest = time.AfterFunc(restTime, w.end)
}

func keyOf(j kustomize.Job) (digest, error) {
	content := request{0, j.Files, j.Chart}.encode()
	if len(content) > maxRequest {
		return digest{}, &kustomize.Failure{Message: fmt.Sprintf("%s reads more than %d MiB of files", j.Subject, maxRequest>>20)}
	}
	return sha256.Sum256(content), nil
}

// result is a Runner's answer for a job that came to an end.
func result(j kustomize.Job, a response, err error) ([]*yaml.Node, error) {
	if err != nil {
		return nil, &kustomize.Unfinished{Message: fmt.Sprintf("build %s: %v", j.Subject, err)}
	}
	return a.documents()
}

func unfinished(j kustomize.Job, how string) error {
	remedy := "Make less of it: fewer components, patches or copies"
	if len(j.Chart) > 0 {
		remedy = "Look for a template that loops, or prints without end"
	}
	return &kustomize.Unfinished{Message: fmt.Sprintf("the build of %s %s, and was ended; what it was to replace stays. "+
		"%s. It is tried again from time to time", j.Subject, how, remedy)}
}

func pending(j kustomize.Job) error {
	return &kustomize.Unfinished{Message: fmt.Sprintf("the build of %s takes longer than others; it goes on, and what it is to replace stays until then", j.Subject)}
}
