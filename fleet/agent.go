package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"transom.dev/fleet/apply"
	"transom.dev/render/platform"
	"transom.dev/render/wording"
)

const (
	burst      = 50 * time.Millisecond // events come in bursts; one visit answers them all
	visitLimit = 2 * time.Minute       // how long one visit may take
	sweepEvery = 10 * time.Minute      // how often everything is looked at although nothing seems to have happened
)

// An agent works for one cluster.
type agent struct {
	fleet   *Fleet
	cluster string
	queue   *queue
	link    *link

	assignments *assignments
	checkpoints *checkpoints
	refusals    *refusals

	end         context.CancelFunc // nil until started; guarded by Fleet.mu
	predecessor *agent             // that this one takes over from; nil if there is none, or it never ran
	ended       chan struct{}

	// Used by the link's goroutine alone: the last report, and the connection it was about.
	reported ClusterResult
	conn     *connection
}

func newAgent(f *Fleet, cluster string, last *agent) *agent {
	a := &agent{fleet: f, cluster: cluster, assignments: newAssignments(), checkpoints: newCheckpoints(), ended: make(chan struct{})}
	a.queue = newQueue(a.outdated)
	a.refusals = newRefusals(func(o apply.Owner) { a.queue.add(o, due) }, func() { a.link.renotify() })
	if last != nil && last.end != nil {
		a.predecessor = last
	}
	dial := f.dial
	if dial == nil {
		dial = f.dialApply
	}
	a.link = newLink(func(ctx context.Context) (member, error) {
		return dial(ctx, cluster, a.assignments.own(), events{instance: a.event, unreachable: a.link.probe})
	}, a.linked)
	a.link.turn = f.shared.TakeTurn
	return a
}

// run works until ctx is done and the visits under way have ended.
func (a *agent) run(ctx, visits context.Context) {
	defer close(a.ended)
	if a.predecessor != nil {
		<-a.predecessor.ended
		a.predecessor = nil
	}
	linked, unlink := context.WithCancel(visits)
	var link sync.WaitGroup
	link.Go(func() { a.link.run(linked, visits) })
	defer link.Wait()
	defer unlink()

	var checkpoints sync.WaitGroup
	checkpoints.Go(func() { a.keepCheckpoints(ctx) })
	defer checkpoints.Wait()

	defer a.refusals.close()
	defer a.queue.close()
	defer context.AfterFunc(ctx, a.queue.close)()
	var looks sync.WaitGroup
	looks.Go(func() { a.serve(ctx, a.awaitFirst, func() int { return lookers }, a.queue.look, member.Look) })
	defer looks.Wait()
	a.serve(ctx, a.link.wait, a.workers, a.queue.work, member.Apply)
}

// assign replaces the assignment of an environment and queues the instances that differ.
func (a *agent) assign(next *assignment, releaseFiles []string) {
	wasOwn := a.assignments.own()
	prev, foreign := a.assignments.replace(next)
	if wasOwn != next.cluster.Own {
		a.link.reconnect()
	}
	if prev == nil || foreign || next.concernsAll(prev) {
		a.refusals.leaveAll(next.Environment)
		a.queue.add(everything(next.Environment), due)
		a.link.renotify()
	}
	if prev == nil {
		return
	}
	applied, recorded := next.changed(prev, releaseFiles)
	if next.forgets(prev, releaseFiles) {
		a.queue.add(inventoriesOf(next.Environment), due)
	}
	a.queueAnew(applied, changed)
	a.queueAnew(recorded, happened)
	a.queueAnew(a.assignments.takeUnfetched(next.Environment), overtaken)
	if prev.Proof != next.Proof {
		a.queueAnew(a.assignments.takeUnproven(next.Environment), changed)
	}
}

// queueAnew queues instances whose failures so far say nothing any more.
func (a *agent) queueAnew(instances []apply.Owner, why reason) {
	for _, o := range instances {
		a.refusals.leave(o)
		a.queue.forget(o)
		a.queue.add(o, why)
	}
}

// refetch has the state fetched that an instance waits for. Where the state came while the visit was under way, the instance
// is visited again at once.
func (a *agent) refetch(o apply.Owner, than *assignment) {
	if !a.assignments.awaitFetch(o, than) {
		a.queueAnew([]apply.Owner{o}, overtaken)
		return
	}
	if a.fleet.Refetch != nil {
		a.fleet.Refetch(o.Environment)
	}
}

// awaitProof has an instance visited again once there is another proof than one.
func (a *agent) awaitProof(o apply.Owner, than Proof) {
	if !a.assignments.awaitProof(o, than) {
		a.queueAnew([]apply.Owner{o}, changed)
	}
}

// event queues an instance because something about its objects happened on the cluster. Its last result is outdated before the
// instance is queued: a visit that began before that time would be no answer to the event, and none might follow.
func (a *agent) event(o apply.Owner) {
	a.outdated(o)
	a.queue.addAfter(o, happened, burst)
}

// outdated reports that the last result of an instance may not be true any more.
func (a *agent) outdated(o apply.Owner) {
	if a.fleet.Outdated != nil {
		a.fleet.Outdated(o.Environment, a.cluster, platform.RequestKey{Team: o.Team, Name: o.Request}, time.Now())
	}
}

// linked reports how the cluster is doing, if that changed, and queues everything for a new connection: the events
// that happened while there was none are unknown.
func (a *agent) linked(c *connection, err error) {
	now := ClusterResult{Cluster: a.cluster}
	if err != nil {
		now.Err = wording.Clean(err.Error())
	} else {
		now.Reachable, now.UID, now.Problem = true, c.uid, a.identityProblem(c.uid)
		now.introduce(c, time.Now())
		now.Refusing = a.refusals.message()
	}
	if c != nil && c != a.conn {
		a.refusals.leaveAll("")
		for _, as := range a.assignments.all() {
			a.queue.add(everything(as.Environment), due)
		}
	}
	if now.Since = a.reported.Since; a.reported.Cluster == "" || now.Reachable != a.reported.Reachable {
		now.Since = time.Now()
		if !now.Reachable && a.conn != nil {
			now.Since = a.conn.lastAnswer()
		}
	}
	a.conn = c
	if now != a.reported {
		a.reported = now
		a.fleet.ReportCluster(now)
	}
}

// introduce says which version of Kubernetes answers, and how it is reached.
func (r *ClusterResult) introduce(c *connection, now time.Time) {
	r.Version = wording.Clean(c.Version())
	var warnings []string
	if c.refused != nil {
		warnings = append(warnings, "the new way to reach it is not used, and the one of before stays: "+c.refused.Error())
	}
	if way := c.Credential(); way != nil {
		r.User, r.Source, r.Expires = wording.Clean(way.User), way.Source, way.Expires
		warnings = append(warnings, way.Warning(now))
	}
	warnings = slices.DeleteFunc(warnings, func(w string) bool { return w == "" })
	r.Warning = wording.Clean(strings.Join(warnings, "; "))
}

func (a *agent) identityProblem(uid string) string {
	for _, as := range a.assignments.all() {
		if twin := as.twin(uid); twin != "" {
			return fmt.Sprintf("cluster %s is the one that environment %s knows as %s already, by its identity %s, so nothing is written "+
				"under the name %s; correct its kubeconfig, or remove clusters/%s.yaml", a.cluster, as.Environment, twin, uid, a.cluster, a.cluster)
		}
		if pinned := as.cluster.UID; pinned != "" && pinned != uid {
			return fmt.Sprintf("environment %s knows cluster %s as %s, but the one that answers is %s, so nothing is written;"+
				" correct its kubeconfig, or if the cluster was rebuilt, accept it with spec.uid: %s in clusters/%s.yaml",
				as.Environment, a.cluster, pinned, uid, uid, a.cluster)
		}
	}
	return ""
}

// A request is the method of member that a visit calls.
type request func(m member, ctx context.Context, in apply.Instance) (apply.Result, error)

// work makes one visit to an instance, or a sweep. The assignment is looked up once the cluster can be reached; an
// environment that does not pin this very cluster does nothing here until it does.
func (a *agent) work(ctx context.Context, o apply.Owner, do request) {
	conn, ok := a.link.use(ctx)
	if !ok {
		return
	}
	defer conn.release()
	began := time.Now()
	as := a.assignments.of(o.Environment)
	if as == nil || !as.writesTo(conn.uid) {
		a.refusals.leave(o)
		a.queue.forget(o)
		conn.endFirst()
		return
	}
	limited, cancel := context.WithTimeout(conn.ctx, visitLimit)
	defer cancel()
	var result *Result
	var err error
	switch o {
	case everything(o.Environment):
		err = a.sweep(limited, conn, as, o)
	case inventoriesOf(o.Environment):
		err = a.sweepInventories(limited, conn, as)
	default:
		result, err = a.visit(limited, conn, as, o, do)
		if !errors.Is(err, apply.ErrRequests) { // a look that was in vain was no visit
			conn.endFirst()
		}
	}
	switch {
	case errors.Is(err, apply.ErrRequests):
		a.queue.add(o, found)
		return
	case err != nil && conn.lost():
		a.queue.add(o, due) // it waits for the next connection: nothing is known about it, which is no failure
		return
	}
	waits := false
	if result != nil {
		result.Began, result.At = began, time.Now()
		waits = a.conclude(o, as, result, err)
	}
	unsettled := result != nil && !result.Settled && !waits
	if waits {
		err = nil // it is visited when its turn comes
	}
	if err != nil || unsettled {
		a.queue.retry(o)
	} else {
		a.queue.forget(o)
	}
	if result != nil && result.LookAfter > 0 {
		a.queue.addAfter(o, due, result.LookAfter)
	}
}

// visit brings one instance closer to its desired state, or looks how it does. The result is nil where nothing is to be done.
func (a *agent) visit(ctx context.Context, conn *connection, as *assignment, o apply.Owner, do request) (result *Result, err error) {
	defer func() { // a fault that one instance brings to light is that instance's failure
		if fault := recover(); fault != nil {
			err = fmt.Errorf("a pass over it came upon a fault of Transom, which is worth a report: %v", fault)
		}
	}()
	in, err := as.instance(o)
	if err == nil && in.Absent && as.keeps(o, in) {
		return nil, nil
	}
	result = &Result{
		Placement: Placement{Environment: o.Environment, Cluster: a.cluster, Team: o.Team, Request: o.Request},
		Commit:    as.Commit, Revision: in.Revision, Anew: in.Anew, Absent: in.Absent,
		Observed: as.cluster.State == platform.ClusterPaused,
	}
	if err != nil {
		return result, err
	}
	if result.Observed {
		do = member.Observe
	}
	in = opening(in, a.fleet)
	if wait := a.refusals.of(o, in.Revision); wait != nil {
		result.tried, err = a.mayTry(ctx, conn, in, wait)
		if unknown := !result.tried && wait.refusal.Ended; err != nil || unknown {
			return nil, err
		}
		if !result.tried {
			in.Refused = wait.refusal
		}
	}
	result.Result, err = do(conn, ctx, in)
	if result.Foreign != nil {
		result.Message = result.Foreign.Of(a.cluster, o.Environment)
	}
	return result, err
}

// conclude reports the result of a visit, which may have ended with an error, and says whether the instance waits for others.
func (a *agent) conclude(o apply.Owner, as *assignment, result *Result, err error) (waits bool) {
	result.Err = err
	waits = a.refuse(o, result, err)
	switch {
	case waits && err != nil:
		result.Err = fmt.Errorf("%w%s", err, waitsForOthers)
	case waits:
		result.Result = result.Result.Add(waitsForOthers)
	}
	result.clean()
	a.assignments.setForeign(o.Environment, result.Foreign != nil)
	a.fleet.Report(*result)
	if result.Overtaken {
		a.refetch(o, as)
	}
	if result.Withheld != "" {
		a.awaitProof(o, as.Proof)
	}
	return waits
}

// opening gives an instance the keys of its sealed values.
func opening(in apply.Instance, f *Fleet) apply.Instance {
	in.Keys = f.Keys
	return in
}
