package fleet

import (
	"context"
	"fmt"
	"sync"
	"time"

	"transom.dev/fleet/apply"
	"transom.dev/fleet/credential"
	"transom.dev/render/platform"
	"transom.dev/render/sealed"
)

// Fleet applies the state of environments to their clusters, and keeps it so. Set the functions, start Run, and hand
// over a Target whenever an environment has a new commit. All methods are safe for concurrent use.
type Fleet struct {
	// Connect says how to reach a cluster, which may be the daemon's own one; it is asked again after Reconnect and whenever the
	// cluster went away. Its error lands in status, so it says how to mend it. Where it is fs.ErrNotExist, nobody gives a way
	// any more, and a connection that there is ends.
	Connect func(ctx context.Context, cluster string, own bool) (*credential.Credential, error)

	// Report receives the Result of every visit to an instance, ReportCluster every change of a cluster. They are called by many
	// goroutines at a time, in order for one instance or cluster, and delay that cluster's work while they run.
	Report        func(Result)
	ReportCluster func(ClusterResult)

	// Outdated, if set, is called where since a time something happened to an instance that the visit of its last Result
	// may not have seen, or that it is due to be tried again. A Result with a later Began tells how it is now. It is
	// called often, also about instances that are none, and must not block.
	Outdated func(environment, cluster string, k platform.RequestKey, at time.Time)

	// Refetch, if set, is called where another daemon may have applied a later commit of an environment's state. The objects
	// that it wrote stay until the next Deploy hands over the result of a new fetch, even if that is the same commit. It
	// must not block.
	Refetch func(environment string)

	// Concurrency bounds how many instances of one cluster are worked on at a time, up to 64; 0 is as many as its API server
	// takes requests well, and 8 at first. Those that no request has to be made for are looked at besides.
	Concurrency int

	// Limits bound the answers of each cluster's API server.
	Limits apply.Limits

	// Keys, if set, read the keys of sealed Secrets. They are asked for each time that one is written.
	Keys func() (*sealed.Keys, error)

	dial   dialer       // connects Run to clusters; nil: apply.Connect
	shared apply.Shared // by all clusters

	mu       sync.Mutex
	agents   map[string]*agent    // by cluster; one that was ended stays until another takes over
	contents map[string]*contents // by environment, of its current target
	start    func(*agent)         // nil unless running
}

// A Placement is an instance on a cluster.
type Placement struct{ Environment, Cluster, Team, Request string }

// Result says how one visit found an instance on a cluster, and which objects it wrote.
type Result struct {
	Placement

	Commit   string // of the state that the visit applied
	Revision string // sha256:<hex> of the manifests; empty with Absent
	Anew     string // that of the placement's record
	Absent   bool   // the state has no such placement; with Settled, neither has the cluster
	Observed bool   // the cluster is paused: nothing was written

	apply.Result
	Err error // the visit ended early and is tried again: the cluster refused or did not answer, or the state could not be read

	Began, At time.Time // when the visit began and ended

	tried bool // the objects that were refused before were tried, because it was its turn
}

// ClusterResult is how one cluster is doing.
type ClusterResult struct {
	Cluster   string
	UID       string // of the kube-system namespace of the cluster that answers; empty while unreachable
	Reachable bool
	Err       string    // why it cannot be reached
	Problem   string    // which fault a person must fix: nothing is written for an environment that pins another identity or name
	Since     time.Time // when it became reachable; while it is not: when it last answered

	Version string    // of Kubernetes; empty: not known
	User    string    // whom it takes the daemon for; empty: the credential does not say
	Source  string    // of the credential
	Expires time.Time // when the credential ends; zero: it does not say
	Warning string    // which fault of the credential a person must mend, although the cluster is reachable

	Refusing string // the causes for which its API server refuses several instances, and how many wait
}

// drain is how long a visit may go on after the context of Run ended. It is shorter than the 30 seconds after which
// Kubernetes kills a pod.
const drain = 20 * time.Second

// Run works until ctx is done. Then no new visit starts, those under way are given a moment to finish, and Run returns
// when every goroutine has ended. A Fleet runs once.
func (f *Fleet) Run(ctx context.Context) error {
	visits, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var agents sync.WaitGroup
	f.begin(func(a *agent) {
		ctx, cancel := context.WithCancel(ctx)
		a.end = cancel
		agents.Go(func() {
			defer cancel()
			a.run(ctx, visits)
		})
	})
	<-ctx.Done()
	f.begin(nil)
	defer time.AfterFunc(drain, cut).Stop()
	agents.Wait()
	return nil
}

// begin sets how agents are started and starts those that wait for it.
func (f *Fleet) begin(start func(*agent)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.start = start; start == nil {
		return
	}
	for _, a := range f.agents {
		start(a)
	}
}

// Deploy hands over the target of an environment from now on and does not wait for any cluster. The instances that differ
// from the environment's target before are queued at once, ahead of all others; for a cluster that is new to the
// environment, all instances are. A cluster that is no longer among the target's is let go: nothing on it is touched.
//
// An error means that the snapshot could not be read, and that the target before stays in force.
func (f *Fleet) Deploy(t Target) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.contents[t.Environment]
	assigned, now, err := t.assignments(before)
	if err != nil {
		return fmt.Errorf("deploy %s: %w", t.Environment, err)
	}
	for name, a := range f.agents {
		if assigned[name] != nil {
			continue
		}
		a.refusals.leaveAll(t.Environment)
		if a.assignments.remove(t.Environment) == 0 {
			f.retire(a)
		}
	}
	var changed []string
	if before != nil && now != nil {
		changed = before.releases.differing(now.releases.listing)
	}
	for name, as := range assigned {
		f.agent(name).assign(as, changed)
	}
	if f.contents == nil {
		f.contents = map[string]*contents{}
	}
	f.contents[t.Environment] = now
	return nil
}

// retire ends the agent of a cluster that no environment names any more.
func (f *Fleet) retire(a *agent) {
	if a.end != nil {
		a.end()
	} else {
		delete(f.agents, a.cluster)
	}
}

// agent returns the agent of a cluster, a new one if there is none or the last one was ended. The new one starts
// when the last one has returned: two visits to one instance never overlap.
func (f *Fleet) agent(cluster string) *agent {
	last := f.agents[cluster]
	if last != nil && len(last.assignments.all()) > 0 {
		return last
	}
	if f.agents == nil {
		f.agents = map[string]*agent{}
	}
	a := newAgent(f, cluster, last)
	f.agents[cluster] = a
	if f.start != nil {
		f.start(a)
	}
	return a
}

// Reconnect makes a new connection to a cluster, because the way to reach it changed. The targets stay the same. Where the new
// way leads nowhere, the connection of before stays for as long as it works, and the ClusterResult says so.
func (f *Fleet) Reconnect(cluster string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a := f.agents[cluster]; a != nil {
		a.link.reconnect()
	}
}
