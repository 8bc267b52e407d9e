package promotion

import (
	"maps"
	"slices"
	"time"

	"transom.dev/render/platform"
)

// View is all that a pass over one environment decides from. None of it is changed.
type View struct {
	Platform    *platform.Platform    // the head
	Environment *platform.Environment // of the head; not Broken
	Head        []*platform.Instance  // that the head asks for here, sorted by request
	Prospects   Prospects

	State    string                                    // the commit that the environment's state is at
	Releases map[platform.RequestKey]*platform.Release // that it holds

	// Elsewhere are the releases that the other environments hold, by name. One that is missing cannot be read:
	// nothing is promoted from it, and nothing is forgotten for it.
	Elsewhere map[string]map[platform.RequestKey]*platform.Release

	// Observe returns a cluster's observation of an instance, the same all through a pass.
	Observe func(environment string, k platform.RequestKey, cluster string) Observation

	// Merged returns the platform commit that brought a file, and its author; nil: nobody knows.
	Merged func(file string) (commit, author string)

	// Tried orders the tries of rendering that came to nothing at this platform commit: it returns the number of an
	// instance's last one, and 0 where there was none. nil: there was none of any. It may be forgotten at any time: it
	// decides who is tried first, and nothing else.
	Tried func(k platform.RequestKey) int

	Now Clock
}

// Prospects answer questions whose answers only rendering and Git know. The answers stay the same all through a pass.
type Prospects interface {
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

// Pass is the outcome of one pass. Choose fills the exported fields.
type Pass struct {
	Instances []*platform.Instance         // that run here from now on, sorted by request
	Keep      map[platform.RequestKey]bool // have no instance and stay as they are

	// Records are the state's records, with the promotion facts that they remember from now on. The bytes that they name are
	// those of the state, but for a Restore.
	Records map[platform.RequestKey]*platform.Release

	Restore map[platform.RequestKey]Restoration // go back to bytes that ran; there is no instance for them
	Forget  []platform.RequestKey               // tombstones whose file goes, sorted

	Next      time.Time // when to look again though nothing was heard: the next time something can change by itself; zero: never
	Deletions string    // the digest of the deletions that wait for an Approval, if they do
	Plan      string    // the digest of the environment change that waits for an Approval, if one does; known once Admit has returned

	view      *View
	standings map[platform.RequestKey]*Standing
	moves     map[platform.RequestKey]*move // the changes that Choose decided, for Admit
	decisions decisions
	upstream  []map[platform.RequestKey]*platform.Release // the records of the environments that this one takes releases from
	rollouts  groups
	places    map[string]int  // that are free in each of them
	untried   map[string]bool // groups of which some were not tried to be rendered yet
	chosen    *chosen         // the decisions of Choose, for every call of Admit to begin from
	lazy      lazy

	departures    map[platform.RequestKey]*departure // of instances that are to leave clusters
	deletionsWait *Gate                              // why deletions wait
	planGate      *Gate                              // why the change of the environment waits
	plan          *platform.Decision                 // that approved the change of the environment
}

// Restoration takes an instance back: Release is recorded, and on Clusters its bytes are those of the state commit State.
type Restoration struct {
	Release  *platform.Release
	State    string
	Clusters []string // sorted
}

// A move is a change of an instance that Choose decided.
type move struct {
	removal bool
	cause   string
	group   string
	queued  bool                   // enters only if its group has a place left
	gates   []platform.ReleaseGate // that it passed
	from    []string               // environments that proved it
	content Content

	proposed bool // it could be rendered
}

// Choose decides which release every instance has from now on, and how the rollouts that were under way ended.
func (v *View) Choose() *Pass {
	p := v.open()
	var queue []*subject // that want to enter a rollout over many instances
	seen := 0
	for _, head := range v.Head {
		k := head.Request.Key
		base := v.Releases[k]
		if base != nil {
			seen++
		}
		if p.rests(k, base, head) {
			p.Instances = append(p.Instances, head)
			continue
		}
		queue = p.choose(&subject{Pass: p, key: k, base: base, head: head}, queue)
	}
	if seen < len(v.Releases) {
		queue = p.chooseOrphans(queue)
	}
	p.admitGroups(queue)
	p.keepProviders()
	p.limitDeletions()
	slices.SortFunc(p.Instances, func(a, b *platform.Instance) int { return a.Request.Key.Compare(b.Request.Key) })
	slices.SortFunc(p.Forget, platform.RequestKey.Compare)
	return p
}

func (v *View) open() *Pass {
	p := &Pass{
		Instances: make([]*platform.Instance, 0, len(v.Head)),
		Keep:      map[platform.RequestKey]bool{},
		Records:   map[platform.RequestKey]*platform.Release{},
		Restore:   map[platform.RequestKey]Restoration{},
		view:      v,
		standings: map[platform.RequestKey]*Standing{},
		moves:     map[platform.RequestKey]*move{},

		departures: map[platform.RequestKey]*departure{},
	}
	for _, up := range v.Environment.PromotesFrom {
		p.upstream = append(p.upstream, v.Elsewhere[up])
	}
	p.decisions = v.decide()
	for _, at := range p.decisions.edges {
		p.wake(at)
	}
	return p
}

// chooseOrphans goes through the records that the state holds and the head does not ask for.
func (p *Pass) chooseOrphans(queue []*subject) []*subject {
	asked := make(map[platform.RequestKey]bool, len(p.view.Head))
	for _, head := range p.view.Head {
		asked[head.Request.Key] = true
	}
	var orphans []platform.RequestKey
	for k := range maps.Keys(p.view.Releases) {
		if !asked[k] {
			orphans = append(orphans, k)
		}
	}
	slices.SortFunc(orphans, platform.RequestKey.Compare)
	for _, k := range orphans {
		queue = p.choose(&subject{Pass: p, key: k, base: p.view.Releases[k]}, queue)
	}
	return queue
}

// rests reports whether there is nothing to decide about an instance. Nearly all rest at nearly all times, so this is the
// cost of a pass.
func (p *Pass) rests(k platform.RequestKey, base *platform.Release, head *platform.Instance) bool {
	if base == nil || base.Digest != head.Release || base.Absent || base.Promotion.Rollout != nil ||
		p.decisions.concern(k, base.Offering) || slices.Contains(base.Promotion.Admitted, deletionsAdmitted) || len(base.Clusters) != len(head.Clusters) {
		return false
	}
	for _, c := range head.Clusters {
		if placed, ok := base.Clusters[c.Name]; !ok || placed.Joining || placed.Release != "" {
			return false
		}
	}
	for _, up := range p.upstream {
		if r := up[k]; r != nil && r.Digest != base.Digest {
			return false
		}
	}
	return !p.lacksProof(base)
}

// A subject is a request of the environment on its way through a pass.
type subject struct {
	*Pass
	key    platform.RequestKey
	base   *platform.Release  // the record from now on; nil: nothing was ever here
	head   *platform.Instance // that the head asks for; nil: none, or it is broken
	edited bool               // base is a copy that may be changed

	// The candidate that wants to enter, if it has to wait for its turn among others.
	next *candidate
	stay *platform.Instance
}

// edit returns the record to change.
func (s *subject) edit() *platform.Release {
	if !s.edited {
		s.base, s.edited = clone(s.base), true
		s.Records[s.key] = s.base
	}
	return s.base
}

// clone copies a record as far as this package changes it.
func clone(r *platform.Release) *platform.Release {
	c := *r
	c.Clusters = maps.Clone(r.Clusters)
	p := &c.Promotion
	p.Gates, p.Proven, p.Ran = slices.Clone(p.Gates), slices.Clone(p.Proven), slices.Clone(p.Ran)
	p.Rejected, p.Admitted = slices.Clone(p.Rejected), slices.Clone(p.Admitted)
	if p.Rollout != nil {
		rollout := *p.Rollout
		rollout.Moved, rollout.Pending = slices.Clone(rollout.Moved), slices.Clone(rollout.Pending)
		p.Rollout = &rollout
	}
	return &c
}

// choose decides about one instance, and puts it into the queue where that depends on the others.
func (p *Pass) choose(s *subject, queue []*subject) []*subject {
	p.noteDebts(s)
	p.deserted(s)
	if s.base != nil && p.follow(s) {
		return queue // it goes back to an earlier release, or is forgotten
	}
	next, stay := p.pick(s)
	switch {
	case next == nil:
		p.stay(s, stay)
	case next.group != "" && !next.within:
		s.next, s.stay = next, stay
		return append(queue, s)
	default:
		p.enter(s, next)
	}
	return queue
}

// deserted remembers the release that was healthy here when the files of all its clusters are gone: the record is let go of
// them, and when one comes back it is no older release that a failure goes back to.
func (p *Pass) deserted(s *subject) {
	if s.base == nil || len(s.base.Clusters) == 0 || s.base.Promotion.Rollout != nil {
		return
	}
	for cluster := range s.base.Clusters {
		if p.view.Platform.Clusters[cluster] != nil {
			return
		}
	}
	s.edit().Promotion.Ran = p.left(s.base)
}

// stay keeps an instance at the release that it has.
func (p *Pass) stay(s *subject, i *platform.Instance) {
	switch {
	case i != nil:
		p.Instances = append(p.Instances, i)
		leaving := p.depart(s, i)
		if s.head != nil && len(leaving) == 0 && slices.Contains(s.base.Promotion.Admitted, deletionsAdmitted) {
			admitted := &s.edit().Promotion.Admitted // nothing is to go any more
			*admitted = without(*admitted, []string{deletionsAdmitted})
		}
	case s.base != nil:
		p.Keep[s.key] = true
	}
}

// enter gives an instance another release, or none.
func (p *Pass) enter(s *subject, c *candidate) {
	p.overtake(s)
	p.moves[s.key] = &move{
		removal: c.removal, cause: c.cause, group: c.group, queued: s.next == c, gates: c.passed, from: c.from, content: c.content,
	}
	if c.restore != nil {
		p.restorePinned(s, c)
		return
	}
	if !c.removal {
		p.Instances = append(p.Instances, c.instance)
		if runs(s.base) {
			p.depart(s, c.instance)
		}
	}
	p.standing(s.key).State = Moving
}
