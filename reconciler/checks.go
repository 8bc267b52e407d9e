package reconciler

import (
	"context"
	"sync"
)

// askChecks has other parties asked until ctx is done, and returns a function that waits for the end of that.
func (r *Reconciler) askChecks(ctx context.Context) (wait func()) {
	if r.Checks == nil {
		return func() {}
	}
	r.Checks.Memory = remembering{&r.cache.health, r.cache.readiness.platform}
	r.Checks.News = func(environment string) { r.cache.loops.wake("check", progress, environment) }
	var asking sync.WaitGroup
	if r.Jobs != nil {
		j := &jobs{runner: r.Jobs, platform: r.cache.readiness.platform, records: &r.cache.records, members: r.cache.health.membersOf}
		r.Checks.Jobs = j.ask
		asking.Go(func() { j.sweep(ctx) })
	}
	asking.Go(func() { _ = r.Checks.Run(ctx) }) // it ends with ctx
	return asking.Wait
}

// answersOf counts the answers to the checks of an environment that were news.
func (r *Reconciler) answersOf(environment string) int {
	if r.Checks == nil {
		return 0
	}
	return r.Checks.NewsOf(environment)
}
