package worker

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/kustomize"
)

// How long and how much is kept of the jobs that were done in the background, and of those that were refused.
const (
	keepTime  = 10 * time.Minute
	keepBytes = 128 << 20
	keepQueue = 256 // jobs with their files
)

// A task is a job that takes long, or was refused. Its fields are guarded by the pool.
type task struct {
	key   digest
	job   kustomize.Job // without files when it is not to be done
	ready func()        // nil: nobody is to be told
	due   bool          // it is in the queue, or under way
	tried bool          // it has had a short run

	answer  *response // its result; nil: there is none yet
	failed  string    // why no worker could be started for it last; empty: one was
	refused string    // how it was ended last; empty: it was not
	wait    time.Duration
	until   time.Time // refused; or when the answer is forgotten
}

// task finds the task of a job, or makes it.
func (p *pool) task(key digest, j kustomize.Job) *task {
	t := p.tasks[key]
	if t == nil {
		t = &task{key: key, job: kustomize.Job{Subject: j.Subject, Chart: j.Chart}, until: time.Now()}
		p.tasks[key] = t
	}
	return t
}

// suspect reports whether a subject has a task that has not come to a good end.
func (p *pool) suspect(subject string) bool {
	for _, t := range p.tasks {
		if t.job.Subject == subject && t.answer == nil {
			return true
		}
	}
	return false
}

// soon does a job if a short run is enough for it. Otherwise it goes to the background, where jobs go at once that
// share their subject with one that is there.
func (p *pool) soon(j kustomize.Job, ready func()) ([]*yaml.Node, error) {
	key, err := keyOf(j)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	if t, suspect := p.tasks[key], p.suspect(j.Subject); t != nil || suspect {
		defer p.mu.Unlock()
		return p.ask(p.task(key, j), j, ready)
	}
	p.mu.Unlock()
	a, err := p.once(j, p.short)
	if how := (*ended)(nil); !errors.As(err, &how) {
		return result(j, a, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.task(key, j)
	t.tried = true
	return p.ask(t, j, ready)
}

// ask returns the result of a task, as far as there is one, and has the background do it when it is due.
func (p *pool) ask(t *task, j kustomize.Job, ready func()) ([]*yaml.Node, error) {
	t.ready = ready
	if t.answer != nil {
		return t.answer.documents()
	}
	if !t.due && !time.Now().Before(t.until) && len(p.queue) < keepQueue {
		t.due, t.job = true, j
		p.queue = append(p.queue, t)
		if !p.busy {
			p.busy = true
			go p.background()
		}
	}
	switch {
	case t.refused != "":
		return nil, unfinished(j, t.refused)
	case t.failed != "":
		return nil, &kustomize.Unfinished{Message: fmt.Sprintf("build %s: %s; it is tried again every minute", j.Subject, t.failed)}
	default:
		return nil, pending(j)
	}
}

// background does tasks, one at a time, until there is none. Those that had no run yet come first and have a short one:
// most are not like the one that they share their subject with.
func (p *pool) background() {
	for t := p.next(); t != nil; t = p.next() {
		times, l := runs, p.whole
		if !t.tried {
			times, l = 1, p.short
		}
		var a response
		var err error
		var how *ended
		for range times {
			if a, err = p.once(t.job, l); !errors.As(err, &how) {
				break
			}
		}
		p.done(t, a, err)
	}
}

func (p *pool) next() *task {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	if len(p.queue) == 0 {
		p.busy = false
		return nil
	}
	n := max(0, slices.IndexFunc(p.queue, func(t *task) bool { return !t.tried }))
	t := p.queue[n]
	p.queue = slices.Delete(p.queue, n, n+1)
	return t
}

// done notes the result of a task, and tells who asked for it.
func (p *pool) done(t *task, a response, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var how *ended
	switch {
	case errors.As(err, &how) && !t.tried:
		t.tried = true
		p.queue = append(p.queue, t)
		return
	case errors.As(err, &how):
		p.refuse(t, how)
	case err != nil: // there was no worker
		t.due, t.failed, t.until = false, err.Error(), time.Now().Add(time.Minute)
		time.AfterFunc(time.Minute, t.ready)
	default:
		t.answer, t.refused, t.failed, t.until = &a, "", "", time.Now().Add(keepTime)
		t.due, t.job.Files = false, nil
	}
	go t.ready()
	for _, other := range p.tasks {
		if !other.due && other.answer == nil && other.refused == "" && other.ready != nil {
			go other.ready() // there is room for it now
			break
		}
	}
}

// refuse notes that a job was ended, and when it may be tried again.
func (p *pool) refuse(t *task, how *ended) {
	t.wait = min(max(p.wait, 2*t.wait), lastWait)
	t.refused, t.until = how.how, time.Now().Add(t.wait)
	t.due, t.tried, t.job.Files = false, true, nil
	if t.ready != nil {
		time.AfterFunc(t.wait, t.ready)
	}
	p.tidy()
}

// tidy forgets tasks that nobody has asked for in time, and the oldest answers of too many.
func (p *pool) tidy() {
	bytes, now := 0, time.Now()
	for _, t := range p.tasks {
		switch old := now.Sub(t.until); {
		case t.due:
		case t.answer != nil && old > 0, t.refused != "" && old > t.wait, t.answer == nil && t.refused == "" && old > keepTime:
			delete(p.tasks, t.key)
		case t.answer != nil:
			bytes += len(t.answer.objects)
		}
	}
	for bytes > keepBytes {
		var oldest *task
		for _, t := range p.tasks {
			if t.answer != nil && (oldest == nil || t.until.Before(oldest.until)) {
				oldest = t
			}
		}
		bytes -= len(oldest.answer.objects)
		delete(p.tasks, oldest.key)
	}
}
