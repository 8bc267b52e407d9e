package reconciler

import (
	"fmt"
	"sync"
	"time"

	"transom.dev/render/platform"
)

// requestsAtOnce is how many new requests one load resolves. A merge may bring very many, and nobody else's change waits for all of them:
// loads after it resolve the others.
const requestsAtOnce = 2_000

// causeDeferred is the cause of a load that resolves more of the requests of the commit that was loaded last.
const causeDeferred = "requests are deferred"

// passesLast is how long the next load waits at most for passes over the last one. An environment that hangs is not to keep the requests
// of the others from being resolved for ever.
const passesLast = 5 * time.Second

// deferred asks for the load of further requests once all environments had a pass over the last load, so that no pass has many more new
// requests than one load. It is safe for concurrent use.
type deferred struct {
	mu     sync.Mutex
	of     *platform.Platform
	waits  map[string]bool // environments that had no pass over it yet
	goOn   func()
	atMost *time.Timer
}

// loaded takes that a platform is about to be given to the loops.
func (d *deferred) loaded(p *platform.Platform, fire func(cause string)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == p {
		return
	}
	if d.atMost != nil {
		d.atMost.Stop()
	}
	d.of, d.waits = p, map[string]bool{}
	d.goOn = sync.OnceFunc(func() { fire(causeDeferred) })
	if p.Deferred() == 0 {
		d.goOn = func() {}
	}
	for name, e := range p.Environments {
		if !e.Broken {
			d.waits[name] = true
		}
	}
	d.atMost = time.AfterFunc(passesLast, d.goOn)
	d.goOnUnlessAwaited()
}

// passed takes that a pass over a platform ended, however it did.
func (d *deferred) passed(environment string, p *platform.Platform) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of != p {
		return
	}
	delete(d.waits, environment)
	d.goOnUnlessAwaited()
}

// goOnUnlessAwaited asks for the next load where no pass is waited for; the caller holds the lock.
func (d *deferred) goOnUnlessAwaited() {
	if len(d.waits) == 0 {
		d.goOn()
	}
}

// warnOfDeferred tells people of the requests that are deferred, where loads resolve so many new ones.
func warnOfDeferred(p *platform.Platform, atOnce int) []platform.Problem {
	n := p.Deferred()
	if n == 0 {
		return nil
	}
	return []platform.Problem{{
		File: "requests", Rule: "deferred", Warning: true,
		Message: fmt.Sprintf("%d new requests and decisions of this commit are still to be resolved, %d requests at a time, so that nobody else's change waits for them; nothing is to be done", n, atOnce),
	}}
}

// follow returns the platform commit that the loop's environment follows: one with deferred requests is followed once they are resolved.
func (l *loop) follow(p *platform.Platform) string {
	if p.Deferred() == 0 {
		l.followed = p.Commit
	}
	return l.followed
}
