package fleet

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/wait"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

const (
	settle     = 50 * time.Millisecond // events come in bursts; one pass answers them all
	passLimit  = 2 * time.Minute       // how long one pass may take
	sweepEvery = 10 * time.Minute      // how often everything is looked at although nothing seems to have happened
)

// An agent works for one cluster.
type agent struct {
	fleet   *Fleet
	cluster string
	queue   queue
	link    *link

	checkpoints *checkpoints

	letGo context.CancelFunc // nil until started; guarded by Fleet.mu
	last  *agent             // whose place it takes; nil if there is none, or it never ran
	ended chan struct{}

	mu       sync.Mutex
	assigned map[string]*assignment // by environment
	doubted  map[apply.Owner]bool   // whose pass waits for the next assignment

	// Used by the link's goroutine alone: the last report, and the connection it was about.
	told ClusterResult
	conn *connection
}

func newAgent(f *Fleet, cluster string, last *agent) *agent {
	a := &agent{
		fleet: f, cluster: cluster, queue: newQueue(), checkpoints: newCheckpoints(),
		ended: make(chan struct{}), assigned: map[string]*assignment{}, doubted: map[apply.Owner]bool{},
	}
	if last != nil && last.letGo != nil {
		a.last = last
	}
	dial := f.dial
	if dial == nil {
		dial = f.dialApply
	}
	a.link = newLink(func(ctx context.Context) (member, error) {
		return dial(ctx, cluster, events{instance: a.event, doubt: a.link.doubt})
	}, a.linked)
	return a
}

// run works until ctx is done and the passes under way have ended.
func (a *agent) run(ctx, passes context.Context) {
	defer close(a.ended)
	if a.last != nil {
		<-a.last.ended
		a.last = nil
	}
	linked, unlink := context.WithCancel(passes)
	var link sync.WaitGroup
	link.Go(func() { a.link.run(linked, passes) })
	defer link.Wait()
	defer unlink()

	var checkpoints sync.WaitGroup
	checkpoints.Go(func() { a.keepCheckpoints(ctx) })
	defer checkpoints.Wait()

	defer a.queue.ShutDown()
	defer context.AfterFunc(ctx, a.queue.ShutDown)()
	var working errgroup.Group
	defer func() { _ = working.Wait() }() // its functions return no error
	working.SetLimit(cmp.Or(a.fleet.Concurrency, 8))
	for a.link.wait(ctx) {
		o, done := a.queue.Get()
		if done {
			return
		}
		working.Go(func() error {
			defer a.queue.Done(o)
			a.work(ctx, o)
			return nil
		})
	}
}

// assign replaces what an environment wants of the cluster and queues what that changes.
func (a *agent) assign(next *assignment, releaseFiles []string) {
	a.mu.Lock()
	prev := a.assigned[next.environment]
	a.assigned[next.environment] = next
	a.mu.Unlock()

	if prev == nil || prev.cluster != next.cluster || !prev.adoption.equal(next.adoption) || prev.external != next.external || prev.reportDrift != next.reportDrift {
		a.queue.Add(everything(next.environment))
		a.link.tell()
	}
	if prev == nil {
		return
	}
	for _, o := range next.changed(prev, releaseFiles) {
		a.queue.AddUrgent(o)
	}
	a.settleDoubts(next.environment)
}

// settleDoubts queues the instances that waited for the environment's state.
func (a *agent) settleDoubts(environment string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for o := range a.doubted {
		if o.Environment == environment {
			delete(a.doubted, o)
			a.queue.AddUrgent(o)
		}
	}
}

// doubt has the state fetched that an instance waits for.
func (a *agent) doubt(o apply.Owner) {
	a.mu.Lock()
	a.doubted[o] = true
	a.mu.Unlock()
	if a.fleet.Doubt != nil {
		a.fleet.Doubt(o.Environment)
	}
}

// unassign forgets an environment and returns how many are left.
func (a *agent) unassign(environment string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.assigned, environment)
	return len(a.assigned)
}

func (a *agent) idle() bool { return len(a.assignments()) == 0 }

func (a *agent) assignment(environment string) *assignment {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.assigned[environment]
}

func (a *agent) assignments() []*assignment {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.SortedFunc(maps.Values(a.assigned), func(x, y *assignment) int {
		return cmp.Compare(x.environment, y.environment)
	})
}

// event queues an instance because something about its objects happened on the cluster.
func (a *agent) event(o apply.Owner) { a.queue.AddAfter(o, settle) }

// everything is what the queue holds for a sweep of all instances of an environment.
func everything(environment string) apply.Owner { return apply.Owner{Environment: environment} }

// linked tells how the cluster is doing, if that changed, and queues everything for a new connection: what happened
// while there was none is unknown.
func (a *agent) linked(c *connection, err error) {
	now := ClusterResult{Cluster: a.cluster}
	if err != nil {
		now.Err = err.Error()
	} else {
		now.Reachable, now.UID, now.Problem = true, c.uid, a.identityProblem(c.uid)
	}
	if c != nil && c != a.conn {
		for _, as := range a.assignments() {
			a.queue.Add(everything(as.environment))
		}
	}
	a.conn = c
	if now.Since = a.told.Since; a.told.Cluster == "" || now.Reachable != a.told.Reachable {
		now.Since = time.Now()
	}
	if now != a.told {
		a.told = now
		a.fleet.ReportCluster(now)
	}
}

func (a *agent) identityProblem(uid string) string {
	for _, as := range a.assignments() {
		if pinned := as.cluster.UID; pinned != "" && pinned != uid {
			return fmt.Sprintf("environment %s knows cluster %s as %s, but the one that answers is %s, so nothing is written;"+
				" correct its kubeconfig, or if the cluster was rebuilt, accept it with spec.uid: %s in clusters/%s.yaml",
				as.environment, a.cluster, pinned, uid, uid, a.cluster)
		}
	}
	return ""
}

// work makes one pass over an instance, or a sweep. What is to be done is looked up once the cluster can be reached; an
// environment that does not pin this very cluster does nothing here until it does.
func (a *agent) work(ctx context.Context, o apply.Owner) {
	conn, ok := a.link.use(ctx)
	if !ok {
		return
	}
	defer conn.release()
	as := a.assignment(o.Environment)
	if as == nil || as.cluster.UID != conn.uid {
		a.queue.Forget(o)
		return
	}
	do := a.pass
	if o == everything(o.Environment) {
		do = a.sweep
	}
	limited, cancel := context.WithTimeout(conn.ctx, passLimit)
	defer cancel()
	result, err := do(limited, conn, as, o)
	if err != nil && conn.lost() {
		a.queue.Add(o) // it waits for the next connection: nothing is known about it, which is no failure
		return
	}
	if result != nil {
		result.Err, result.At = err, time.Now()
		a.fleet.Report(*result)
		if result.Doubted {
			a.doubt(o)
		}
	}
	if err != nil || result != nil && !result.Settled {
		a.queue.AddRateLimited(o)
	} else {
		a.queue.Forget(o)
	}
	if result != nil && result.LookAfter > 0 {
		a.queue.AddAfter(o, result.LookAfter)
	}
}

// pass brings one instance closer to what it shall be.
func (a *agent) pass(ctx context.Context, conn *connection, as *assignment, o apply.Owner) (*Result, error) {
	in, err := as.instance(o)
	if err == nil && in.Absent && (as.state.Commit == "" || as.awaited[o] && !in.Recorded) {
		return nil, nil
	}
	result := &Result{
		Environment: o.Environment, Cluster: a.cluster, Team: o.Team, Request: o.Request,
		Commit: as.state.Commit, Revision: in.Revision, Absent: in.Absent,
		Observed: as.cluster.State == platform.ClusterPaused,
	}
	if err != nil {
		return result, err
	}
	do := conn.Apply
	if result.Observed {
		do = conn.Observe
	}
	result.Result, err = do(ctx, in)
	return result, err
}

// sweep queues all instances of an environment: those that have a placement here, those whose removal is recorded, and
// those that only have an inventory, which is what is left of instances that were removed while nobody looked.
func (a *agent) sweep(ctx context.Context, conn *connection, as *assignment, o apply.Owner) (*Result, error) {
	for _, known := range slices.Concat(as.owners(), as.removed()) {
		a.queue.Add(known)
	}
	present, err := conn.Owners(ctx, as.environment)
	if err != nil {
		return nil, err
	}
	for _, p := range present {
		if p.Request != "" && !as.places(p) { // a namespace stays
			a.queue.Add(p)
		}
	}
	a.queue.AddAfter(o, wait.Jitter(sweepEvery, 0.3))
	return nil, nil
}
