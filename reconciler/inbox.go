package reconciler

import (
	"context"
	"slices"
	"sync"
	"time"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/trigger"
	"transom.dev/render/platform"
)

// An inbox takes the wishes that other goroutines have of a loop. Passes that are asked for before one begins become one.
type inbox struct {
	latch *trigger.Latch

	mu       sync.Mutex
	platform *platform.Platform // that the next pass reconciles
	offered  *platform.Platform // the same, without the Holds of later ones that cannot be followed
	broken   error              // why the latest platform cannot be followed; nil: it is
	wish     *wish              // nil: nobody wants a pass
	pace     pace
	came     time.Time // the first news that the last pass was for
	began    time.Time // the last pass
	builds   int       // how often one was ready that no pass waited for
	refetch  bool      // the fleet asks for the present state commit, even if that is the same
}

// A wish is for a pass.
type wish struct {
	urgency           // the highest of all who want it
	came    time.Time // when the first of them did
}

// wake asks for a pass.
func (i *inbox) wake(cause string, why urgency) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.wakeLocked(cause, why)
}

func (i *inbox) wakeLocked(cause string, why urgency) {
	if i.wish == nil {
		i.wish = &wish{why, time.Now()}
	}
	i.wish.urgency = max(i.wish.urgency, why)
	i.latch.Fire(cause)
}

// wait blocks until it is time for a pass that somebody asked for, and returns the causes of it, each once. It fails only when ctx is
// done.
func (i *inbox) wait(ctx context.Context) (causes []string, err error) {
	for {
		limited, cancel := i.untilDue(ctx)
		more, _ := i.latch.Wait(limited)
		cancel()
		for _, cause := range more {
			if !slices.Contains(causes, cause) {
				causes = append(causes, cause)
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case i.take(time.Now()):
			return causes, nil
		}
	}
}

// untilDue returns a context that is done when it is time for the pass that somebody asked for.
func (i *inbox) untilDue(ctx context.Context) (context.Context, context.CancelFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.wish == nil {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, i.pace.next(i.wish.urgency, i.wish.came))
}

// take reports whether it is time for a pass that somebody asked for, and if so, grants it.
func (i *inbox) take(now time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.wish == nil || now.Before(i.pace.next(i.wish.urgency, i.wish.came)) {
		return false
	}
	i.came, i.began, i.wish = i.wish.came, now, nil
	return true
}

// passed takes that the pass that was granted has ended.
func (i *inbox) passed() {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	i.pace.passed(now.Sub(i.began), now)
}

// offer makes p the platform that the next pass reconciles and asks for that pass, which need not be at once where p is not new.
func (i *inbox) offer(p *platform.Platform, cause string) {
	i.mu.Lock()
	why := progress
	if i.platform != p {
		why = immediate
	}
	i.platform, i.offered, i.broken = p, p, nil
	i.mu.Unlock()
	i.wake(cause, why)
}

// stopFollowing takes that p cannot be followed, and why: passes go on with the platform that was offered last. The Holds that p has beside those are
// added to it, as what a person holds is not to go on; the ones that a platform since then added go with their files.
func (i *inbox) stopFollowing(environment string, p *platform.Platform, why error, board *status.Board) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.broken = why
	board.EnvironmentFailed(environment, why)
	if i.offered == nil {
		return
	}
	known := map[[2]string]bool{}
	for _, d := range i.offered.Decisions {
		known[[2]string{d.File, d.Digest}] = true
	}
	decisions := slices.Clone(i.offered.Decisions)
	for _, d := range p.Decisions {
		if d.Environment == environment && d.MayHold() && !known[[2]string{d.File, d.Digest}] {
			decisions = append(decisions, d)
		}
	}
	if !slices.Equal(decisions, i.platform.Decisions) {
		held := *i.offered
		held.Decisions = decisions
		i.platform = &held
		i.wakeLocked("hold", immediate)
	}
}

// unfollowed says why the latest platform cannot be followed; empty: it is.
func (i *inbox) unfollowed() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.broken == nil {
		return ""
	}
	return i.broken.Error()
}

// reached tells status that a pass succeeded. Where that was over the platform of before, the error of the latest one stays, or comes back after
// that of a pass.
func (i *inbox) reached(environment string, board *status.Board) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.broken != nil {
		board.EnvironmentFailed(environment, i.broken)
		return
	}
	board.EnvironmentReached(environment)
}

func (i *inbox) latestPlatform() *platform.Platform {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.platform
}

// setCommitted takes that the loop has committed, and asks for a pass over what may have waited for that.
func (i *inbox) setCommitted(of urgency) {
	i.mu.Lock()
	i.pace.committed(of, i.came, time.Now())
	i.mu.Unlock()
	i.wake("commit", of)
}

// buildReady asks for a pass because a build is ready that an earlier one did not wait for.
func (i *inbox) buildReady() {
	i.mu.Lock()
	i.builds++
	i.mu.Unlock()
	i.wake("build", progress)
}

// buildsReady counts the builds that were ready and that no pass waited for.
func (i *inbox) buildsReady() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.builds
}

// askRefetch asks for a pass after which the fleet is given the state commit, even if that is the same.
func (i *inbox) askRefetch(cause string) {
	i.mu.Lock()
	i.refetch = true
	i.mu.Unlock()
	i.wake(cause, immediate)
}

// takeRefetch reports whether the fleet asked. Where the pass then fails, the fleet asks again.
func (i *inbox) takeRefetch() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	asked := i.refetch
	i.refetch = false
	return asked
}
