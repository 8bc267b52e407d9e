package promotion

import (
	"slices"
	"sync"

	"transom.dev/render/platform"
)

// View is all that a pass over one environment decides from. None of it is changed.
type View struct {
	Platform    *platform.Platform    // the head
	Environment *platform.Environment // of the head; not Broken
	Head        []*platform.Instance  // that the head asks for here, sorted by request
	Lookup      Lookup

	State    string                                    // the commit that the environment's state is at
	Releases map[platform.RequestKey]*platform.Release // that it holds

	// Elsewhere are the releases that the other environments hold, by name. One that is missing cannot be read:
	// nothing is promoted from it, and nothing is forgotten for it.
	Elsewhere map[string]map[platform.RequestKey]*platform.Release

	// Observe returns a cluster's observation of an instance, the same all through a pass.
	Observe func(environment string, k platform.RequestKey, cluster string) Observation

	// Merged returns the platform commit that brought a file, and its author; nil: nobody knows.
	Merged func(file string) (commit, author string)

	// Failures orders the failed renderings at this platform commit: it returns the number of an instance's last one, and 0
	// where there was none. nil: there was none of any. It may be forgotten at any time: it decides who is rendered first,
	// and nothing else.
	Failures func(k platform.RequestKey) int

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

	// Ran returns the record that a commit of this environment's state holds of a request.
	Ran(state string, k platform.RequestKey) (*platform.Release, error)
}

// facts are a View and the readings of it that most questions ask. None of it is changed.
type facts struct {
	*View
	people  *people
	history history
	up      upstreams
	down    downstreams

	window    func() *Gate                                         // closed while the environment may not change by the time of day
	consumers func() map[platform.RequestKey][]platform.RequestKey // requests that are bound to a request
	ownGroup  func() string                                        // the group of what the environment puts in now
}

func (v *View) facts() *facts {
	h := history{older: v.Lookup.Older, state: v.State}
	return &facts{
		View: v, people: v.decisions(), history: h, up: v.upstreams(h), down: v.downstreams(),
		window: sync.OnceValue(v.windowGate), consumers: sync.OnceValue(v.boundConsumers), ownGroup: sync.OnceValue(v.environmentGroup),
	}
}

// needsApproval reports whether a person approves all that changes in the environment.
func (v *View) needsApproval() bool { return v.Environment.Gates.Approval == "required" }

// withdrawn reports whether the version that a record names was withdrawn.
func (v *View) withdrawn(r *platform.Release) bool {
	version := v.Platform.Offerings[r.Offering].Version(r.Version)
	return version != nil && version.Lifecycle == platform.Withdrawn
}

// headOf returns the instance that the head asks for, or nil.
func (v *View) headOf(k platform.RequestKey) *platform.Instance {
	at, found := slices.BinarySearchFunc(v.Head, k, func(i *platform.Instance, k platform.RequestKey) int { return i.Request.Key.Compare(k) })
	if !found {
		return nil
	}
	return v.Head[at]
}

// failures is the number of an instance's last failed rendering.
func (v *View) failures(k platform.RequestKey) int {
	if v.Failures == nil {
		return 0
	}
	return v.Failures(k)
}

// rests reports whether there is nothing to decide about an instance. Nearly all rest at nearly all times, so this is the
// cost of a pass. A gate that a resting instance could wait for would have to be seen here.
func (f *facts) rests(base *platform.Release, head *platform.Instance) bool {
	if phaseOf(base) != settled || base.Digest != head.Release || f.people.concern(base.Key, base.Offering) || slices.Contains(base.Promotion.Admitted, deletionsAdmitted) {
		return false
	}
	return isWhole(base, head) && f.up.agree(base) && !f.down.lacksProof(base)
}

// isWhole reports whether a release is on exactly the clusters that it is placed on, with its own bytes.
func isWhole(base *platform.Release, head *platform.Instance) bool {
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
