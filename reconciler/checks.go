package reconciler

import (
	"context"
	"sync"

	"transom.dev/reconciler/promotion"
)

// askChecks has other parties asked until ctx is done, and returns a function that waits for the end of that.
func (r *Reconciler) askChecks(ctx context.Context) (wait func()) {
	if r.Checks == nil {
		return func() {}
	}
	r.Checks.News = func(environment string) { r.cache.loops.wake("check", progress, environment) }
	var asking sync.WaitGroup
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

// readChecks returns how promotion reads the checks of the environment, and begins to note which it reads.
func (p *pass) readChecks() func(promotion.CheckSubject) promotion.Checked {
	if p.r.Checks == nil {
		return nil
	}
	p.answers = p.r.Checks.Begin(p.loop.environment)
	return func(s promotion.CheckSubject) promotion.Checked {
		return p.answers.Check(s, map[string]any{
			"request":     map[string]any{"name": s.Of.Key.Name, "team": s.Of.Key.Team},
			"release":     map[string]any{"digest": s.Of.Digest, "offering": s.Of.Offering, "version": s.Of.Version},
			"environment": map[string]any{"name": p.environment.Name, "values": p.environment.Values},
		})
	}
}

// forgetChecks has nobody asked any more about releases that nobody waits for.
func (p *pass) forgetChecks() {
	if p.answers != nil {
		p.answers.End()
	}
}
