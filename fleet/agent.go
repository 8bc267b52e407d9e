package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
)

const (
	settle     = 50 * time.Millisecond // events come in bursts; one pass answers them all
	passLimit  = 2 * time.Minute       // how long one pass may take
	sweepEvery = 10 * time.Minute      // how often everything is looked at although nothing seems to have happened
	lookers    = 4                     // how many instances of one cluster are looked at at a time, apart from those worked on
)

// An agent works for one cluster.
type agent struct {
	fleet   *Fleet
	cluster string
	queue   *queue
	link    *link

	checkpoints *checkpoints

	letGo context.CancelFunc // nil until started; guarded by Fleet.mu
	last  *agent             // whose place it takes; nil if there is none, or it never ran
	ended chan struct{}

	mu       sync.Mutex
	assigned map[string]*assignment // by environment
	doubted  map[apply.Owner]bool   // whose pass waits for the next assignment
	foreign  map[string]bool        // by environment: the last pass found that somebody else keeps it here
	held     map[apply.Owner]bool   // that wait for another proof

	// Used by the link's goroutine alone: the last report, and the connection it was about.
	told ClusterResult
	conn *connection
}

func newAgent(f *Fleet, cluster string, last *agent) *agent {
	a := &agent{
		fleet: f, cluster: cluster, checkpoints: newCheckpoints(),
		ended: make(chan struct{}), assigned: map[string]*assignment{}, doubted: map[apply.Owner]bool{}, foreign: map[string]bool{},
		held: map[apply.Owner]bool{},
	}
	a.queue = newQueue(a.outdated)
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

	defer a.queue.close()
	defer context.AfterFunc(ctx, a.queue.close)()
	var looks sync.WaitGroup
	looks.Go(func() { a.serve(ctx, lookers, a.queue.look, member.Look) })
	defer looks.Wait()
	a.serve(ctx, cmp.Or(a.fleet.Concurrency, 8), a.queue.work, member.Apply)
}

// serve takes instances from next, each once one of so many workers is free, until ctx is done and the passes under way
// have ended.
func (a *agent) serve(ctx context.Context, workers int, next func() (apply.Owner, bool), do passing) {
	var working sync.WaitGroup
	defer working.Wait()
	busy := make(chan struct{}, workers)
	for a.link.wait(ctx) {
		busy <- struct{}{}
		o, ok := next()
		if !ok {
			return
		}
		working.Go(func() {
			defer func() { <-busy }()
			defer a.queue.done(o)
			a.work(ctx, o, do)
		})
	}
}

// assign replaces the assignment of an environment and queues the instances that differ.
func (a *agent) assign(next *assignment, releaseFiles []string) {
	a.mu.Lock()
	prev := a.assigned[next.environment]
	a.assigned[next.environment] = next
	foreign := a.foreign[next.environment]
	a.mu.Unlock()

	if prev == nil || foreign || next.concernsAll(prev) {
		a.queue.add(everything(next.environment), due)
		a.link.tell()
	}
	if prev == nil {
		return
	}
	applied, recorded := next.changed(prev, releaseFiles)
	for _, o := range applied {
		a.queue.forget(o)
		a.queue.add(o, changed)
	}
	for _, o := range recorded {
		a.queue.forget(o)
		a.queue.add(o, happened)
	}
	a.resume(a.doubted, next.environment)
	if prev.proof != next.proof {
		a.resume(a.held, next.environment)
	}
}

// resume queues the instances that waited for the environment's state, or for another proof of it.
func (a *agent) resume(waiting map[apply.Owner]bool, environment string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for o := range waiting {
		if o.Environment == environment {
			delete(waiting, o)
			a.queue.forget(o)
			a.queue.add(o, changed)
		}
	}
}

// hold notes that an instance waits for another proof than a pass had.
func (a *agent) hold(o apply.Owner, had Proof) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.assigned[o.Environment]; now != nil && now.proof != had {
		a.queue.forget(o)
		a.queue.add(o, changed)
		return
	}
	a.held[o] = true
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

// found remembers whether somebody else keeps an environment on this cluster: then every new assignment is looked at.
func (a *agent) found(environment string, foreign bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.foreign[environment] = foreign
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
func (a *agent) event(o apply.Owner) {
	a.queue.addAfter(o, happened, settle)
	a.outdated(o)
}

// outdated tells that the last result of an instance may not hold any more.
func (a *agent) outdated(o apply.Owner) {
	if a.fleet.Outdated != nil {
		a.fleet.Outdated(o.Environment, a.cluster, platform.RequestKey{Team: o.Team, Name: o.Request}, time.Now())
	}
}

// everything is the entry of the queue for a sweep of all instances of an environment.
func everything(environment string) apply.Owner { return apply.Owner{Environment: environment} }

// linked tells how the cluster is doing, if that changed, and queues everything for a new connection: the events
// that happened while there was none are unknown.
func (a *agent) linked(c *connection, err error) {
	now := ClusterResult{Cluster: a.cluster}
	if err != nil {
		now.Err = platform.Clean(err.Error())
	} else {
		now.Reachable, now.UID, now.Problem = true, c.uid, a.identityProblem(c.uid)
	}
	if c != nil && c != a.conn {
		for _, as := range a.assignments() {
			a.queue.add(everything(as.environment), due)
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
		if twin := as.twin(uid); twin != "" {
			return fmt.Sprintf("cluster %s is the one that environment %s knows as %s already, by its identity %s, so nothing is written "+
				"under the name %s; correct its kubeconfig, or remove clusters/%s.yaml", a.cluster, as.environment, twin, uid, a.cluster, a.cluster)
		}
		if pinned := as.cluster.UID; pinned != "" && pinned != uid {
			return fmt.Sprintf("environment %s knows cluster %s as %s, but the one that answers is %s, so nothing is written;"+
				" correct its kubeconfig, or if the cluster was rebuilt, accept it with spec.uid: %s in clusters/%s.yaml",
				as.environment, a.cluster, pinned, uid, uid, a.cluster)
		}
	}
	return ""
}

// passing is how a pass is made: by a method of member.
type passing func(m member, ctx context.Context, in apply.Instance) (apply.Result, error)

// work makes one pass over an instance, or a sweep. The assignment is looked up once the cluster can be reached; an
// environment that does not pin this very cluster does nothing here until it does.
func (a *agent) work(ctx context.Context, o apply.Owner, do passing) {
	conn, ok := a.link.use(ctx)
	if !ok {
		return
	}
	defer conn.release()
	began := time.Now()
	as := a.assignment(o.Environment)
	if as == nil || !as.writesTo(conn.uid) {
		a.queue.forget(o)
		return
	}
	limited, cancel := context.WithTimeout(conn.ctx, passLimit)
	defer cancel()
	var result *Result
	var err error
	if o == everything(o.Environment) {
		err = a.sweep(limited, conn, as, o)
	} else {
		result, err = a.pass(limited, conn, as, o, do)
	}
	switch {
	case errors.Is(err, apply.ErrRequests):
		a.queue.add(o, found)
		return
	case err != nil && conn.lost():
		a.queue.add(o, due) // it waits for the next connection: nothing is known about it, which is no failure
		return
	}
	if result != nil {
		result.Err, result.Began, result.At = err, began, time.Now()
		result.cleaned()
		a.found(o.Environment, result.Foreign != nil)
		a.fleet.Report(*result)
		if result.Doubted {
			a.doubt(o)
		}
		if result.Held != "" {
			a.hold(o, as.proof)
		}
	}
	if err != nil || result != nil && !result.Settled {
		a.queue.retry(o)
	} else {
		a.queue.forget(o)
	}
	if result != nil && result.LookAfter > 0 {
		a.queue.addAfter(o, due, result.LookAfter)
	}
}

// pass brings one instance closer to its desired state.
func (a *agent) pass(ctx context.Context, conn *connection, as *assignment, o apply.Owner, do passing) (result *Result, err error) {
	defer func() { // a fault that one instance brings to light is that instance's failure
		if fault := recover(); fault != nil {
			err = fmt.Errorf("a pass over it came upon a fault of Transom, which is worth a report: %v", fault)
		}
	}()
	in, err := as.instance(o)
	if err == nil && in.Absent && (as.state.Commit == "" || as.awaited[o] && !in.Recorded || as.shares(o)) {
		return nil, nil
	}
	result = &Result{
		Environment: o.Environment, Cluster: a.cluster, Team: o.Team, Request: o.Request,
		Commit: as.state.Commit, Revision: in.Revision, Anew: in.Anew, Absent: in.Absent,
		Observed: as.cluster.State == platform.ClusterPaused,
	}
	if err != nil {
		return result, err
	}
	if result.Observed {
		do = member.Observe
	}
	result.Result, err = do(conn, ctx, in)
	if result.Foreign != nil {
		result.Message = result.Foreign.Of(a.cluster, o.Environment)
	}
	return result, err
}

// sweep queues all instances of an environment: those that have a placement here, those whose removal is recorded, and
// those that only have an inventory, because they were removed while nobody looked.
func (a *agent) sweep(ctx context.Context, conn *connection, as *assignment, o apply.Owner) error {
	for _, known := range slices.Concat(as.owners(), as.removed()) {
		a.queue.add(known, due)
	}
	present, err := conn.Owners(ctx, as.environment)
	if err != nil {
		return err
	}
	for _, p := range present {
		if p.Request != "" && !as.places(p) { // a namespace stays
			a.queue.add(p, due)
		}
	}
	a.queue.addAfter(o, due, wait.Jitter(sweepEvery, 0.3))
	return nil
}
