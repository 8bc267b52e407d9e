package promotion

import (
	"slices"
	"sync"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// View is all that a pass over one environment decides from. None of it is changed.
type View struct {
	Platform    *platform.Platform    // the head
	Environment *platform.Environment // of the head; not Broken
	Head        *platform.InstanceSet // that the head asks for here
	Lookup      Lookup

	State    string        // the commit that the environment's state is at
	Releases state.Records // that it has

	// Elsewhere are the releases that the other environments have, by name. One that is missing cannot be read:
	// nothing is promoted from it, and nothing is forgotten for it.
	Elsewhere map[string]state.Records

	// Observe returns a cluster's observation of an instance, the same all through a pass.
	Observe func(environment string, k platform.RequestKey, cluster string) Observation

	// Merged returns the platform commit that brought a file, and its author; nil: nobody knows.
	Merged func(file string) (commit, author string)

	// Failures orders the failed renderings at this platform commit: it returns the number of an instance's last one, and 0
	// where there was none. nil: there was none of any. It may be forgotten at any time: it decides who is rendered first,
	// and nothing else.
	Failures func(k platform.RequestKey) int

	// Check returns the last answer to a check, the same all through a pass, and takes that somebody waits for the next one. nil:
	// nobody asks.
	Check func(s CheckSubject) Checked

	// Told are the requests of which a cluster told a value that may not be recorded yet.
	Told map[platform.RequestKey]bool

	// Memory, if set, spares this pass the requests that rest as they did in the pass before that had it. It decides nothing.
	Memory *Memory

	Now Clock
}

// A Lookup answers questions whose answers only rendering and Git know. The answers stay the same all through a pass.
type Lookup interface {
	// Broken says that a request has a Problem in this environment at the head.
	Broken(k platform.RequestKey) bool

	// Resolve makes an instance of this environment of a release; nil without Problems: the release does not place
	// the request here.
	Resolve(k platform.RequestKey, c Content) (*platform.Instance, []platform.Problem)

	// Keys returns the render keys that an instance would have now, by cluster.
	Keys(i *platform.Instance) (map[string]string, []platform.Problem)

	// Older says that platform commit a comes before b in history.
	Older(a, b string) bool

	// Later says that a file was merged, as of the head, in a later commit than the one that changed other files last, as of a platform
	// commit.
	Later(file, commit string, others ...string) bool

	// Ran returns the record that a commit of this environment's state has of a request.
	Ran(commit string, k platform.RequestKey) (*state.Release, error)
}

// facts are a View and the readings of it that most questions ask. None of it is changed.
type facts struct {
	*View
	people  *people
	history history
	up      upstreams
	down    downstreams
	waves   waves

	window    func() *Gate                                         // closed while the environment may not change by the time of day
	consumers func() map[platform.RequestKey][]platform.RequestKey // requests that are bound to a request
	ownGroup  func() string                                        // the group of what the environment puts in now
}

func (v *View) facts() *facts {
	p := newPeople(v)
	h := history{older: v.Lookup.Older, state: v.State}
	return &facts{
		View: v, people: p, history: h, up: newUpstreams(v, h), down: newDownstreams(v), waves: waves{v, p},
		window:    sync.OnceValue(func() *Gate { return windowGate(v.Environment, v.Now) }),
		consumers: sync.OnceValue(bindings{v}.consumers),
		ownGroup:  sync.OnceValue(func() string { return environmentGroup(v.Platform, v.Environment) }),
	}
}

// needsApproval reports whether a person approves all that changes in the environment.
func (v *View) needsApproval() bool { return v.Environment.Gates.Approval == "required" }

// withdrawn reports whether the version that a record names was withdrawn.
func (v *View) withdrawn(r *state.Release) bool {
	version := v.Platform.Offerings[r.Offering].Version(r.Version)
	return version != nil && version.Lifecycle == platform.Withdrawn
}

// failures is the number of an instance's last failed rendering.
func (v *View) failures(k platform.RequestKey) int {
	if v.Failures == nil {
		return 0
	}
	return v.Failures(k)
}

// rests reports whether there is nothing to decide about an instance. Nearly all rest at nearly all times, so this is the
// cost of a pass. A gate that a resting instance could wait for would have to be seen here, and Memory has to know of every fact
// that the answer depends on.
func (f *facts) rests(base *state.Release, head *platform.Instance) bool {
	if f.Told[head.Request.Key] || phaseOf(base) != settled || base.Digest != head.Release || f.people.concern(base.Key, base.Offering) || slices.Contains(base.Promotion.Admitted, deletionsAdmitted) {
		return false
	}
	return isWhole(base, head) && f.up.agree(base) && !f.down.lacksProof(base)
}

// isWhole reports whether a release is on exactly the clusters that it is placed on, with its own bytes.
func isWhole(base *state.Release, head *platform.Instance) bool {
	if len(base.Clusters) != len(head.Clusters) {
		return false
	}
	for _, c := range head.Clusters {
		if placed, ok := base.Clusters[c.Name]; !ok || placed.Joining || outdated(placed) {
			return false
		}
	}
	return true
}

// orphans lists the records that the state has and the head does not ask for, sorted.
func (v *View) orphans() []platform.RequestKey {
	var orphans []platform.RequestKey
	for k := range v.Releases.All() {
		if v.Head.Of(k) == nil {
			orphans = append(orphans, k)
		}
	}
	slices.SortFunc(orphans, platform.RequestKey.Compare)
	return orphans
}

// mayReturn reports whether an instance that goes back to an earlier release may come back to a cluster that it left
// meanwhile: the environment still has it, and nobody empties it.
func (v *View) mayReturn(cluster string) bool {
	c := v.Platform.Clusters[cluster]
	return c != nil && c.State != platform.ClusterDraining && selects(v.Environment, c)
}

// mayBelong reports whether a cluster is of the environment, or may be because its file cannot be read.
func (v *View) mayBelong(cluster string) bool {
	c := v.Platform.Clusters[cluster]
	if c == nil {
		return false
	}
	return c.Broken || selects(v.Environment, c)
}

// leavesNow reports whether a cluster is drained so that its placements are to be left at once, if a person approves that.
func (v *View) leavesNow(cluster string) bool {
	c := v.Platform.Clusters[cluster]
	return c != nil && c.Now && c.State == platform.ClusterDraining
}

// mayRun reports whether an environment runs a request, or may because its records cannot be read.
func (v *View) mayRun(environment string, k platform.RequestKey) bool {
	there, readable := v.Elsewhere[environment]
	return !readable || runs(there.Of(k))
}
