package promotion

import (
	"cmp"
	"maps"
	"slices"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Choice is the release that every instance of an environment has from now on, before anybody knows the bytes of it.
type Choice struct {
	Instances []*platform.Instance         // that run here from now on, sorted by request
	Keep      map[platform.RequestKey]bool // have no instance and stay as they are

	// Records are the state's records, with the promotion facts that they remember from now on. The bytes that they name are
	// those of the state, but for a Restore.
	Records map[platform.RequestKey]*state.Release

	Restore map[platform.RequestKey]Restoration // go back to bytes that ran; there is no instance for them
	Forget  []platform.RequestKey               // tombstones whose file goes, sorted

	Deletions string // the digest of the deletions that wait for an Approval, if they do

	decided decided // the readings that Admit goes on from
}

// decided is the part of a Choice that Admit goes on from, and does not change.
type decided struct {
	*facts
	standings *standings
	moves     map[platform.RequestKey]*move
	deletions *deletions
	slots     map[string]int  // that are free in each group that instances of this pass enter
	untried   map[string]bool // groups of which some members were not rendered for lack of slots, and never failed to
}

// Restoration takes an instance back: Release is recorded, and on Clusters its bytes are those of the state commit State.
type Restoration struct {
	Release  *state.Release
	State    string
	Clusters []string // sorted
}

// A move is the entry of another release, or the removal, that Choose decided for an instance.
type move struct {
	*candidate
	queued bool // it enters only if its group has a free slot
}

// chooser makes a Choice, instance by instance.
type chooser struct {
	*Choice
	*facts
	standings *standings
	groups    *groups
	deletions *deletions
	moves     map[platform.RequestKey]*move
	queue     []*queued // that want to enter a rollout over many instances
}

// queued is an instance that wants to enter a group.
type queued struct {
	*subject
	next *candidate
	stay *platform.Instance // where its turn has not come
}

// Choose decides which release every instance has from now on, and how the rollouts that were under way ended.
func (v *View) Choose() *Choice {
	c := newChooser(v)
	memory := v.Memory
	if memory == nil {
		memory = &Memory{}
	}
	heads, orphans := memory.due(c.facts)
	heads = slices.DeleteFunc(heads, func(at int) bool { return c.rests(v.Releases.Of(v.Head[at].Request.Key), v.Head[at]) })
	for _, at := range heads {
		k := v.Head[at].Request.Key
		c.choose(k, v.Releases.Of(k), v.Head[at])
	}
	for _, k := range orphans {
		c.choose(k, v.Releases.Of(k), nil)
	}
	memory.remember(c.facts, heads, orphans)
	slots, untried := c.enterGroups()
	c.Instances = withResting(v.Head, heads, c.Instances)
	c.keepProviders()
	c.limitDeletions()
	slices.SortFunc(c.Forget, platform.RequestKey.Compare)
	c.decided = decided{
		facts: c.facts, standings: c.standings, moves: c.moves, deletions: c.deletions, slots: slots, untried: untried,
	}
	c.Deletions = c.deletions.digest
	return c.Choice
}

func newChooser(v *View) *chooser {
	c := &chooser{
		Choice: &Choice{
			Keep:    map[platform.RequestKey]bool{},
			Records: map[platform.RequestKey]*state.Release{},
			Restore: map[platform.RequestKey]Restoration{},
		},
		facts:     v.facts(),
		standings: &standings{byKey: map[platform.RequestKey]*Standing{}},
		deletions: newDeletions(),
		moves:     map[platform.RequestKey]*move{},
	}
	c.groups = c.newGroups(c.facts)
	for _, pin := range c.people.pins { // it moves something by ending
		c.standings.wake(v.Now.past(pin.Until))
	}
	return c
}

// newGroups counts the groups of the environment with the records that a Choice has changed by the time that somebody asks.
func (c *Choice) newGroups(f *facts) *groups {
	return newGroups(f.Environment.Rollout.Instances, f.people, func(yield func(*state.Release)) {
		for k, r := range f.Releases.All() {
			if now := c.Records[k]; now != nil {
				r = now
			}
			if back, ok := c.Restore[k]; ok {
				r = back.Release
			}
			yield(r)
		}
	})
}

// choose decides about one instance, and puts it into the queue where that depends on the others.
func (c *chooser) choose(k platform.RequestKey, base *state.Release, head *platform.Instance) {
	s := &subject{facts: c.facts, key: k, base: base, head: head, records: c.Records}
	if debts := c.people.debts(k, s.offering()); len(debts) > 0 {
		c.standings.of(k).Debts = debts
	}
	s.desert()
	if base != nil && c.follow(s) {
		return
	}
	picked := picker{s, c.groups}.pick()
	if w := picked.waiting; w != nil {
		standing := c.standings.of(k)
		standing.Candidate, standing.Removal, standing.Overtaken = &w.content, w.removal, picked.overtaken
	}
	c.standings.record(k, picked.outcome)
	if s.head == nil {
		c.deleteRemoved(s, picked)
	}
	switch next := picked.next; {
	case next == nil:
		c.stay(s, picked.stay)
	case next.group != "" && !next.within:
		c.queue = append(c.queue, &queued{s, next, picked.stay})
	default:
		c.enter(s, next, false)
	}
}

// follow brings the record of an instance up to date, and reports whether that decides the instance: it goes back to an earlier
// release, or its removal goes on.
func (c *chooser) follow(s *subject) bool {
	f := follower{s}.follow()
	c.standings.record(s.key, f.outcome)
	switch {
	case f.back != nil:
		c.Restore[s.key] = *f.back
	case f.forget:
		c.Forget = append(c.Forget, s.key)
		delete(c.Records, s.key)
	case f.keep:
		c.Keep[s.key] = true
	default:
		return false
	}
	return true
}

// deleteRemoved counts the placements of a removal among the deletions, whether it may enter or waits.
func (c *chooser) deleteRemoved(s *subject, picked choice) {
	for _, candidate := range []*candidate{picked.next, picked.waiting} {
		if candidate != nil && candidate.removal {
			c.deletions.add(s, sortedKeys(s.base.Clusters))
		}
	}
}

// stay keeps an instance at the release that it has.
func (c *chooser) stay(s *subject, i *platform.Instance) {
	switch {
	case i != nil:
		c.Instances = append(c.Instances, i)
		leaves := c.deletions.depart(s, i)
		if s.head != nil && !leaves && slices.Contains(s.base.Promotion.Admitted, deletionsAdmitted) {
			admitted := &s.edit().Promotion.Admitted // nothing is to go any more
			*admitted = without(*admitted, []string{deletionsAdmitted})
		}
	case s.base != nil:
		c.Keep[s.key] = true
	}
}

// enter gives an instance another release, or none.
func (c *chooser) enter(s *subject, next *candidate, queued bool) {
	follower{s}.overtake()
	c.moves[s.key] = &move{candidate: next, queued: queued}
	if next.restore != nil {
		c.restorePinned(s, next)
		return
	}
	if !next.removal {
		c.Instances = append(c.Instances, next.instance)
		if runs(s.base) {
			c.deletions.depart(s, next.instance)
		}
	}
	c.standings.of(s.key).State = Moving
}

func (c *chooser) restorePinned(s *subject, next *candidate) {
	if back := s.restorePinned(next); back != nil {
		c.Restore[s.key] = *back
		c.standings.of(s.key).State = RollingBack
		return
	}
	c.Keep[s.key] = true
	c.standings.wait(s.key, Gate{Name: gate.Pin, Reason: "what ran before is not to be found in state commit " + next.restore.State, Opens: "another Pin"})
}

// spare is how many more instances than a group has free slots are rendered where some may turn out to have a Problem: they must
// not keep all others from it, nor is everything to be rendered that waits.
const spare = 16

// enterGroups lets those enter whose turn it is among the instances that make a change together. Those that could not be
// rendered come again after all others, so that everybody's turn comes.
func (c *chooser) enterGroups() (slots map[string]int, untried map[string]bool) {
	slots, untried = map[string]int{}, map[string]bool{}
	wanting, failing := map[string]int{}, map[string]bool{}
	for _, s := range c.queue {
		wanting[s.next.group]++
		failing[s.next.group] = failing[s.next.group] || c.failures(s.key) > 0
	}
	slices.SortFunc(c.queue, func(a, b *queued) int {
		return cmp.Or(cmp.Compare(c.failures(a.key), c.failures(b.key)), a.key.Compare(b.key))
	})
	rendered := map[string]int{}
	for name, n := range wanting {
		slots[name] = c.groups.free(name, n)
		mayFail := c.groups.of(name).flying == 0 || failing[name]
		if rendered[name] = slots[name]; rendered[name] > 0 && mayFail {
			rendered[name] += spare
		}
	}
	for _, s := range c.queue {
		name := s.next.group
		if rendered[name] > 0 {
			rendered[name]--
			c.enter(s.subject, s.next, true)
			continue
		}
		c.stay(s.subject, s.stay)
		c.standings.of(s.key).Candidate = &s.next.content
		c.standings.wait(s.key, c.groups.queued(name))
		if slots[name] > 0 && c.failures(s.key) == 0 {
			untried[name] = true
		}
	}
	return slots, untried
}

// keepProviders keeps an instance that would go while something bound to it comes in the same pass.
func (c *chooser) keepProviders() {
	if !slices.ContainsFunc(slices.Collect(maps.Values(c.moves)), func(m *move) bool { return m.removal }) {
		return
	}
	for _, i := range c.Instances {
		for _, provider := range i.Bindings {
			if m := c.moves[provider]; m != nil && m.removal {
				c.callOff(provider, m, boundConsumer(i.Request.Key))
			}
		}
	}
}

// callOff has the removal of an instance wait in this pass.
func (c *chooser) callOff(k platform.RequestKey, m *move, why Gate) {
	delete(c.moves, k)
	c.Keep[k] = true
	standing := c.standings.of(k)
	standing.State, standing.Removal, standing.Candidate = Waiting, true, &m.content
	c.standings.wait(k, why)
}

// limitDeletions lets deletions go that a person approved, and has the others wait where there are too many.
func (c *chooser) limitDeletions() {
	d := c.deletions
	for _, k := range d.letUrgentGo(c.people) {
		c.admitDeletion(k)
	}
	if approval := d.limit(c.facts); approval != nil {
		for k := range d.instances {
			c.admitDeletion(k)
			if m := c.moves[k]; m != nil {
				m.passed = append(m.passed, c.people.passed(gate.Approval, approval))
			}
		}
	}
	if d.gate == nil {
		return
	}
	for k, m := range c.moves {
		if m.removal && !d.admitted[k] {
			c.callOff(k, m, *d.gate)
		}
	}
}

// admitDeletion records that a person let an instance's deletions through.
func (c *chooser) admitDeletion(k platform.RequestKey) {
	r := c.Records[k]
	if r == nil {
		r = c.Releases.Of(k).Clone()
		c.Records[k] = r
	}
	r.Admit(deletionsAdmitted)
}
