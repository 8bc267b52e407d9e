package reconciler

import (
	"context"
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

	mu       sync.Mutex
	platform *platform.Platform // what the next pass reconciles

	// Of the goroutine that runs passes; caches of what Git holds.
	url  string // of the state repository that repo is
	repo StateRepo
	last *held  // what the branch held when this lane last saw or moved it
	done inputs // of the last pass that succeeded
}

// lanes owns a goroutine per environment.
type lanes struct {
	reconciler *Reconciler
	byName     map[string]*lane
	running    sync.WaitGroup
}

// start gives every environment of p its pass, in lanes that it makes where there are none. An environment whose file
// is gone is let go: its clusters are no longer written to, and nothing is deleted.
func (l *lanes) start(ctx context.Context, p *platform.Platform, causes []string) {
	for name, e := range p.Environments {
		if e.Broken {
			l.reconciler.Board.EnvironmentFailed(name, errBroken(e))
			continue
		}
		if l.byName[name] == nil {
			l.byName[name] = &lane{name: name, latch: trigger.New()}
			l.running.Go(func() { l.reconciler.runLane(ctx, l.byName[name]) })
		}
		l.byName[name].offer(p, causes)
	}
	for name, known := range l.byName {
		if p.Environments[name] == nil {
			known.offer(p, causes)
		}
	}
}

func (l *lanes) wait() { l.running.Wait() }

// offer makes p what the next pass reconciles and asks for that pass.
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
	again := time.AfterFunc(lastRetry, func() { l.latch.Fire("retry") })
	defer again.Stop()
	again.Stop()
	for {
		causes, err := l.latch.Wait(ctx)
		if err != nil {
			return
		}
		started := r.Now()
		err = r.pass(ctx, l)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.Board.EnvironmentFailed(l.name, err)
			r.Logger.Error("pass failed", "environment", l.name, "cause", causes, "again", retry, "err", err)
			again.Reset(retry)
			retry = min(2*retry, lastRetry)
		default:
			retry = firstRetry
			r.reconciled(l.name)
			r.Logger.Debug("pass done", "environment", l.name, "cause", causes, "took", r.Now().Sub(started))
		}
	}
}

func (r *Reconciler) pass(ctx context.Context, l *lane) error {
	p := l.latest()
	if p.Environments[l.name] == nil {
		r.Board.Forget(l.name)
		return r.Fleet.Deploy(fleet.Target{Environment: l.name})
	}
	return r.Reconcile(ctx, p, l)
}
