package reconciler

import (
	"sync"
	"time"

	"transom.dev/reconciler/trigger"
	"transom.dev/render/platform"
)

// News of health comes in bursts. A loop waits that long for more of it, and longer after it has committed: a thousand
// instances that become healthy one after the other are a few commits.
const (
	burst = 50 * time.Millisecond
	pace  = time.Second
)

// An inbox takes the wishes that other goroutines have of a loop. Passes that are asked for while one runs become one.
type inbox struct {
	latch *trigger.Latch

	mu        sync.Mutex
	platform  *platform.Platform // that the next pass reconciles
	waking    bool               // somebody asked for a pass that is about to be
	committed time.Time          // when the loop did so last
	builds    int                // how often one was ready that no pass waited for
	refetch   bool               // the fleet asks for the present state commit, even if that is the same
}

// offer makes p the platform that the next pass reconciles and asks for that pass.
func (i *inbox) offer(p *platform.Platform, cause string) {
	i.mu.Lock()
	i.platform = p
	i.mu.Unlock()
	i.latch.Fire(cause)
}

func (i *inbox) latestPlatform() *platform.Platform {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.platform
}

// wakeSoon asks for a pass once a moment has gone by; until then, others that ask are given the same pass.
func (i *inbox) wakeSoon(cause string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.waking {
		return
	}
	i.waking = true
	time.AfterFunc(max(burst, time.Until(i.committed.Add(pace))), func() {
		i.mu.Lock()
		i.waking = false
		i.mu.Unlock()
		i.latch.Fire(cause)
	})
}

// setCommitted takes that the loop has committed: the next pass for news of health waits longer.
func (i *inbox) setCommitted() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.committed = time.Now()
}

// buildReady asks for a pass because a build is ready that an earlier one did not wait for.
func (i *inbox) buildReady() {
	i.mu.Lock()
	i.builds++
	i.mu.Unlock()
	i.wakeSoon("build")
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
	i.latch.Fire(cause)
}

// takeRefetch reports whether the fleet asked. Where the pass then fails, the fleet asks again.
func (i *inbox) takeRefetch() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	asked := i.refetch
	i.refetch = false
	return asked
}
