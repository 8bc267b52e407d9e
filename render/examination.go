package render

import (
	"fmt"
	"sync"
	"time"

	"transom.dev/render/platform"
	"transom.dev/render/wording"
)

// A perVersion has a result for each version directory. A version that changed is another version, in the same directory. The
// zero value is empty and ready, and it may be used concurrently.
type perVersion[T any] struct {
	mu      sync.Mutex
	results map[string]versionResult[T]
}

type versionResult[T any] struct {
	version *platform.Version
	result  *T
}

// of returns the result of a version, from make where there is none.
func (p *perVersion[T]) of(v *platform.Version, make func() *T) *T {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.results[v.Dir]
	if ok && known.version == v {
		return known.result
	}
	if p.results == nil || len(p.results) >= cacheGeneration { // so many versions do not come and go often
		p.results = map[string]versionResult[T]{}
	}
	known = versionResult[T]{v, make()}
	p.results[v.Dir] = known
	return known.result
}

// drop forgets a result of a version, unless there is another one by now.
func (p *perVersion[T]) drop(v *platform.Version, result *T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.results[v.Dir].result == result {
		delete(p.results, v.Dir)
	}
}

const (
	// examiningTime bounds how long a pass waits for versions that no pass has seen before, all of them together.
	examiningTime = 1500 * time.Millisecond
	// mostExamined is how many versions are examined at a time.
	mostExamined = 16
)

// examiners bounds how many versions this process examines at a time: each takes memory.
var examiners = make(chan struct{}, mostExamined)

// An examination finds out, on its own goroutine, whether a version is sound. How long it takes depends on the files of the
// version: its work is bounded by numbers, and may be seconds.
type examination struct {
	done     chan struct{}
	problems []platform.Problem // once it is done
	retry    bool               // once it is done: a build of the version is not at its end

	mu       sync.Mutex
	awaited  bool // some pass did not wait for it
	finished bool
}

// soundBy is sound with an end to the waiting. Where passes do not wait for long builds, one does not wait either for a version
// that takes long to examine: the Problem says so, and Ready asks for another pass once the examination is done.
func (x examiner) soundBy(end func() time.Time, v *platform.Version) []platform.Problem {
	if x.ready == nil {
		return x.sound(v)
	}
	e := x.examinations.of(v, func() *examination { return x.examine(v) })
	remaining := time.NewTimer(time.Until(end()))
	defer remaining.Stop()
	select {
	case <-e.done:
	case <-remaining.C:
		if e.leave() {
			return []platform.Problem{{
				File: kustomizationOf(v), Rule: RuleUnfinished, Message: "takes longer to examine than others; that goes on, and the request keeps what it has until then",
			}}
		}
	}
	if e.retry {
		x.examinations.drop(v, e)
	}
	return e.problems
}

// examine begins the examination of a version.
func (x examiner) examine(v *platform.Version) *examination {
	e := &examination{done: make(chan struct{})}
	go func() {
		examiners <- struct{}{}
		defer func() { <-examiners }()
		defer x.end(e, v)
		e.problems, e.retry = x.soundness(v)
	}()
	return e
}

// end ends an examination, by a panic as well: a fault that one version brings to light is a Problem of its requests.
func (x examiner) end(e *examination, v *platform.Version) {
	if fault := recover(); fault != nil {
		e.problems = []platform.Problem{{
			File: kustomizationOf(v), Rule: "fault",
			Message: fmt.Sprintf("examining it came upon a fault of Transom, which is worth a report: %v, at %s", fault, wording.FaultyLine()),
		}}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.finished = true
	close(e.done)
	if e.awaited {
		go x.ready()
	}
}

// leave reports whether the examination goes on, and has it tell when it is done.
func (e *examination) leave() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.awaited = e.awaited || !e.finished
	return !e.finished
}
