package fleet

import (
	"context"
	"maps"
	"sync"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

// Checkpoint has an instance's inventory on a cluster remember a revision: for how long it was observed to be healthy, and the
// answers to checks. A Result for that revision gives it back. It returns at once and delays no visit. Of several for one instance only
// the last is certain to be written. One that cannot be written now is dropped, because a later one says more: when
// the cluster cannot be reached, is not written to, or has no inventory of the instance.
func (f *Fleet) Checkpoint(environment, cluster string, k platform.RequestKey, checkpoint apply.Checkpoint) {
	f.mu.Lock()
	a := f.agents[cluster]
	f.mu.Unlock()
	if a != nil {
		o := apply.Owner{Environment: environment, Team: k.Team, Request: k.Name}
		a.checkpoints.put(o, checkpoint)
	}
}

// checkpoints are those that wait to be written, the last of each instance.
type checkpoints struct {
	some chan struct{} // one pending at most: there are some

	mu      sync.Mutex
	waiting map[apply.Owner]apply.Checkpoint
}

func newCheckpoints() *checkpoints {
	return &checkpoints{some: make(chan struct{}, 1), waiting: map[apply.Owner]apply.Checkpoint{}}
}

func (c *checkpoints) put(o apply.Owner, checkpoint apply.Checkpoint) {
	c.mu.Lock()
	c.waiting[o] = checkpoint
	c.mu.Unlock()
	signal(c.some)
}

func (c *checkpoints) take() map[apply.Owner]apply.Checkpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := maps.Clone(c.waiting)
	clear(c.waiting)
	return taken
}

// keepCheckpoints writes until ctx is done, and then those that wait by then.
func (a *agent) keepCheckpoints(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-a.checkpoints.some:
		}
		for o, checkpoint := range a.checkpoints.take() {
			a.writeCheckpoint(o, checkpoint)
		}
	}
}

func (a *agent) writeCheckpoint(o apply.Owner, checkpoint apply.Checkpoint) {
	conn, ok := a.link.current()
	if !ok {
		return
	}
	defer conn.release()
	as := a.assignments.of(o.Environment)
	if as == nil || !as.writesTo(conn.uid) || as.cluster.State == platform.ClusterPaused {
		return
	}
	in := apply.Instance{Owner: o, State: as.state(), Lineage: as.Lineage}
	_ = conn.Checkpoint(conn.ctx, in, checkpoint) // the next one says more
}
