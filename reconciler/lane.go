package reconciler

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"transom.dev/fleet"
	"transom.dev/reconciler/trigger"
	"transom.dev/render"
	"transom.dev/render/platform"
)

// How long a lane waits before it tries a failed pass again.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// lane reconciles one environment, one pass at a time. Passes that are asked for while one runs become one.
type lane struct {
	name     string
	latch    *trigger.Latch
	renderer render.Renderer
	watchdog watchdog

	mu        sync.Mutex
	platform  *platform.Platform // that the next pass reconciles
	waking    bool               // somebody asked for a pass that is about to be
	committed time.Time          // when this lane did so last
	builds    int                // how often one was ready that no pass waited for
	doubted   bool               // the fleet asks for the present state commit, even if that is the same

	// Of the goroutine that runs passes; caches of the content of Git.
	url      string // of the state repository that repo is
	repo     StateRepo
	identity string        // for a state repository that has none yet
	last     *held         // the content of the branch when this lane last saw or moved it
	done     inputs        // of the last pass that succeeded
	next     time.Time     // when something can change by itself; zero: never
	soak     time.Duration // the longest that somebody asks for here

	unrendered unrendered // instances whose rendering failed

	evidence evidence // of the files of the state
	proof    *proof   // of the state that is deployed; nil: there is none yet, or none is needed

	recorded *held                        // whose instances status was told
	talked   map[platform.RequestKey]bool // of whom it was told more in the last pass than the state holds
}

// News of health comes in bursts. A lane waits that long for more of it, and longer after it has committed: a thousand
// instances that become healthy one after the other are a few commits.
const (
	burst = 50 * time.Millisecond
	pace  = time.Second
)

// listen asks for a pass because of news of health.
func (l *lane) listen(cause string) {
	l.mu.Lock()
	after := max(burst, time.Until(l.committed.Add(pace)))
	l.mu.Unlock()
	l.wake(cause, after)
}

// built asks for a pass because a build is ready that an earlier one did not wait for.
func (l *lane) built() {
	l.mu.Lock()
	l.builds++
	l.mu.Unlock()
	l.listen("build")
}

// sleep is how long the lane rests if nothing wakes it. While something soaks its cluster is to remember it every tenth;
// otherwise the machine's clock may be set meanwhile.
func (l *lane) sleep(now time.Time) time.Duration {
	longest := time.Minute
	if l.soak > 0 {
		longest = max(l.soak/10, time.Second)
	}
	return max(20*time.Millisecond, min(l.next.Sub(now), longest))
}

// wake asks for a pass once after has gone by; until then, others that ask are given the same pass. It does not wait for
// one that somebody else asked for later.
func (l *lane) wake(cause string, after time.Duration) {
	if after <= 0 {
		l.latch.Fire(cause)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waking {
		return
	}
	l.waking = true
	time.AfterFunc(after, func() {
		l.mu.Lock()
		l.waking = false
		l.mu.Unlock()
		l.latch.Fire(cause)
	})
}

// paced notes that the lane has committed.
func (l *lane) paced() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.committed = time.Now()
}

// lanes owns a goroutine per environment.
type lanes struct {
	mu      sync.Mutex
	byName  map[string]*lane
	running sync.WaitGroup
}

// startLanes gives every environment of p its pass, in lanes that it makes where there are none. An environment whose file
// is gone is let go: its clusters are no longer written to, and nothing is deleted.
func (r *Reconciler) startLanes(ctx context.Context, p *platform.Platform, causes []string) {
	l := &r.lanes
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byName == nil {
		l.byName = map[string]*lane{}
	}
	for name, e := range p.Environments {
		if e.Broken {
			r.Board.EnvironmentFailed(name, errBroken(e))
			continue
		}
		known := l.byName[name]
		if known == nil {
			known = &lane{name: name, latch: trigger.New()}
			known.renderer.Stepped = func() { known.watchdog.stepped(r.Now()) }
			known.renderer.Ready = known.built
			l.byName[name] = known
			l.running.Go(func() { r.runLane(ctx, known) })
		}
		known.offer(p, causes)
	}
	for name, known := range l.byName {
		if p.Environments[name] == nil {
			known.offer(p, causes)
		}
	}
}

func (l *lanes) wait() { l.running.Wait() }

// Refetch has the fleet told anew of an environment's state, once that was fetched. It is meant as fleet.Fleet's Refetch.
func (r *Reconciler) Refetch(environment string) {
	r.lanes.mu.Lock()
	l := r.lanes.byName[environment]
	r.lanes.mu.Unlock()
	if l == nil {
		return
	}
	l.mu.Lock()
	l.doubted = true
	l.mu.Unlock()
	l.latch.Fire("another daemon's writes")
}

// takeDoubt reports whether the fleet asked. Where the pass then fails, the fleet asks again.
func (l *lane) takeDoubt() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	doubted := l.doubted
	l.doubted = false
	return doubted
}

// listen asks for a pass over each of these environments because of news of health.
func (l *lanes) listen(cause string, environments ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range environments {
		if known := l.byName[name]; known != nil {
			known.listen(cause)
		}
	}
}

// wake asks for a pass over each of these environments, after a moment: such causes come in bursts.
func (l *lanes) wake(cause string, after time.Duration, environments ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range environments {
		if known := l.byName[name]; known != nil {
			known.wake(cause, after)
		}
	}
}

// offer makes p the platform that the next pass reconciles and asks for that pass.
func (l *lane) offer(p *platform.Platform, causes []string) {
	l.mu.Lock()
	l.platform = p
	l.mu.Unlock()
	l.latch.Fire(strings.Join(causes, ", "))
}

func (l *lane) latest() *platform.Platform {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.platform
}

// runLane runs passes until ctx is done. A pass that failed is tried again, later each time.
func (r *Reconciler) runLane(ctx context.Context, l *lane) {
	retry := firstRetry
	again := time.AfterFunc(lastRetry, func() { l.latch.Fire("time") })
	defer again.Stop()
	again.Stop()
	for {
		causes, err := l.latch.Wait(ctx)
		if err != nil {
			return
		}
		started := r.Now()
		l.watchdog.begin(started)
		err = r.pass(ctx, l)
		l.watchdog.end()
		if r.Took != nil {
			r.Took(l.name, "", r.Now().Sub(started))
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.Board.EnvironmentFailed(l.name, err)
			r.Logger.Debug("pass failed", "environment", l.name, "cause", causes, "again", retry, "err", err)
			again.Reset(retry)
			retry = min(2*retry, lastRetry)
		default:
			retry = firstRetry
			again.Stop()
			if !l.next.IsZero() {
				again.Reset(l.sleep(r.Now()))
			}
			r.reconciled(l.name)
			r.Board.EnvironmentReached(l.name)
			r.Logger.Debug("pass done", "environment", l.name, "cause", causes, "took", r.Now().Sub(started))
		}
	}
}

// pass brings the environment up to date once. A fault of ours is the failure of this pass: it is told and tried again,
// while the other environments go on.
func (r *Reconciler) pass(ctx context.Context, l *lane) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			l.last, l.recorded = nil, nil
			r.Logger.Error("fault", "environment", l.name, "err", fault, "stack", string(debug.Stack()))
			err = fmt.Errorf("the pass came upon a fault of Transom, which is worth a report: %v", fault)
		}
	}()
	p := l.latest()
	if p.Environments[l.name] == nil {
		r.Board.Forget(l.name)
		r.states.forget(l.name)
		r.health.watch(l.name, nil)
		return r.Fleet.Deploy(fleet.Target{Environment: l.name})
	}
	return r.Reconcile(ctx, p, l)
}
