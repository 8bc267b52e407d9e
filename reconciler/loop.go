package reconciler

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"transom.dev/fleet"
	"transom.dev/reconciler/promotion"
	"transom.dev/reconciler/trigger"
	"transom.dev/render"
	"transom.dev/render/platform"
)

// How long a loop waits before it tries a failed pass again.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// A loop reconciles one environment, one pass at a time, in a goroutine of its own. All but its inbox belongs to that
// goroutine.
type loop struct {
	environment string
	inbox       inbox
	watchdog    watchdog
	renderer    render.Renderer

	branch     stateBranch
	schedule   schedule
	unrendered unrendered
	memory     promotion.Memory
	evidence   evidence // of the files of the state
	proof      *proof   // of the state that is deployed; nil: there is none yet, or none is needed
	reported   reported // to status
	followed   string   // the last platform commit of which no request is deferred
}

// reported is the last report of an environment to status.
type reported struct {
	state     *stateContent                // whose instances status has
	platform  *platform.Platform           // whose Problems it has
	mentioned map[platform.RequestKey]bool // instances of which it said more than the state has
}

// runLoop makes passes until ctx is done. A pass that failed is tried again, later each time.
func (r *Reconciler) runLoop(ctx context.Context, l *loop) {
	retry := firstRetry
	again := time.AfterFunc(lastRetry, func() { l.inbox.wake("time", progress) })
	defer again.Stop()
	again.Stop()
	for {
		causes, err := l.inbox.wait(ctx)
		if err != nil {
			return
		}
		started := r.Now()
		l.watchdog.begin(started)
		r.cache.underWay.begin()
		err = r.runPass(ctx, l)
		r.cache.underWay.end()
		l.watchdog.end()
		l.inbox.passed()
		r.took(l.environment, "", r.Now().Sub(started))
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.Board.EnvironmentFailed(l.environment, err)
			r.Logger.Debug("pass failed", "environment", l.environment, "cause", causes, "again", retry, "err", err)
			again.Reset(retry)
			retry = min(2*retry, lastRetry)
		default:
			retry = firstRetry
			again.Stop()
			if !l.schedule.next.IsZero() {
				again.Reset(l.schedule.sleep(r.Now()))
			}
			r.cache.readiness.reconciled(l.environment)
			l.inbox.reached(l.environment, r.Board)
			r.Logger.Debug("pass done", "environment", l.environment, "cause", causes, "took", r.Now().Sub(started))
		}
	}
}

// runPass makes one pass. A fault of ours is the failure of this pass: it is logged and the pass tried again, while the
// other environments go on.
func (r *Reconciler) runPass(ctx context.Context, l *loop) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			l.branch.last, l.reported.state = nil, nil
			r.Logger.Error("fault", "environment", l.environment, "err", fault, "stack", string(debug.Stack()))
			err = fmt.Errorf("the pass came upon a fault of Transom, which is worth a report: %v", fault)
		}
	}()
	p := l.inbox.latestPlatform()
	defer r.cache.deferred.passed(l.environment, p)
	e := p.Environments[l.environment]
	if e == nil {
		r.Board.Forget(l.environment)
		l.reported = reported{}
		r.cache.records.forget(l.environment)
		r.cache.health.setClusters(l.environment, nil)
		return r.Fleet.Deploy(fleet.Target{Environment: l.environment})
	}
	return (&pass{r: r, loop: l, platform: p, environment: e}).reconcile(ctx)
}

// took reports how long a phase of a pass took; the phase "" is all of it.
func (r *Reconciler) took(environment, phase string, took time.Duration) {
	if r.Figures != nil {
		r.Figures.Pass(environment, phase, took)
	}
}

// loops are those of all environments.
type loops struct {
	mu      sync.Mutex
	byName  map[string]*loop
	running sync.WaitGroup
}

// startLoops gives every environment of p a pass, in loops that it makes where there are none. An environment whose file
// is gone is let go: its clusters are no longer written to, and nothing is deleted.
func (r *Reconciler) startLoops(ctx context.Context, p *platform.Platform, causes []string) {
	all := &r.cache.loops
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.byName == nil {
		all.byName = map[string]*loop{}
	}
	cause := strings.Join(causes, ", ")
	for name, e := range p.Environments {
		if e.Broken {
			if l := all.byName[name]; l != nil {
				l.inbox.stopFollowing(name, p, errBroken(e), r.Board)
			} else {
				r.Board.EnvironmentFailed(name, errBroken(e))
			}
			continue
		}
		l := all.byName[name]
		if l == nil {
			l = &loop{environment: name, inbox: inbox{latch: trigger.New()}, branch: r.cache.followed.take(name)}
			l.renderer.Stepped = func() { l.watchdog.stepped(r.Now()) }
			l.renderer.Ready = l.inbox.buildReady
			all.byName[name] = l
			all.running.Go(func() { r.runLoop(ctx, l) })
		}
		l.inbox.offer(p, cause)
	}
	for name, l := range all.byName {
		if p.Environments[name] == nil {
			l.inbox.offer(p, cause)
		}
	}
}

// wait returns when every loop has ended.
func (all *loops) wait() { all.running.Wait() }

// named returns the loop of an environment, or nil.
func (all *loops) named(environment string) *loop {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.byName[environment]
}

// wake asks for a pass over each of these environments as soon as its pace allows it.
func (all *loops) wake(cause string, why urgency, environments ...string) {
	for _, name := range environments {
		if l := all.named(name); l != nil {
			l.inbox.wake(cause, why)
		}
	}
}

// A schedule says whether a pass would find something to do, and when the next one may.
type schedule struct {
	done inputs        // of the last pass that succeeded
	next time.Time     // when something can change by itself; zero: never
	soak time.Duration // the longest that somebody asks for in the environment
}

// upToDate says that a pass with these inputs would find nothing to do now.
func (s *schedule) upToDate(now inputs, at time.Time) bool {
	if !s.done.same(now) {
		return false
	}
	early := s.soak == 0 && at.Before(s.next)
	return early || s.next.IsZero()
}

// sleep is how long the loop rests if nothing wakes it. While something soaks its cluster is to remember it every tenth;
// otherwise the machine's clock may be set meanwhile.
func (s *schedule) sleep(now time.Time) time.Duration {
	longest := time.Minute
	if s.soak > 0 {
		longest = max(s.soak/10, time.Second)
	}
	return max(20*time.Millisecond, min(s.next.Sub(now), longest))
}
