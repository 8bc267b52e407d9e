package promotion

import (
	"cmp"
	"maps"
	"slices"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Choice is the release that every instance of an environment has from now on, before anybody knows the bytes of it. It is made
// in one go, when all instances are decided, and never changed.
type Choice struct {
	Instances *platform.InstanceSet        // that run here from now on
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
	records   map[platform.RequestKey]*state.Release // as Choice.Records
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

// chooser collects the rulings of which Choose makes a Choice.
type chooser struct {
	*facts
	rulings   map[platform.RequestKey]ruling
	records   map[platform.RequestKey]*state.Release // that are to be written
	standings *standings
	groups    *groups
	deletions *deletions
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
	heads = slices.DeleteFunc(heads, func(i *platform.Instance) bool { return c.rests(v.Releases.Of(i.Request.Key), i) })
	for _, i := range heads {
		c.choose(c.subject(i.Request.Key, i))
	}
	for _, k := range orphans {
		c.choose(c.subject(k, nil))
	}
	memory.remember(c.facts, heads, orphans)
	slots, untried := c.enterGroups()
	instances := withResting(v.Head, heads, c.instances())
	c.keepProviders(instances)
	c.limitDeletions()
	return c.choice(instances, decided{
		facts: c.facts, records: c.records, standings: c.standings, moves: c.moves(), deletions: c.deletions, slots: slots, untried: untried,
	})
}

func newChooser(v *View) *chooser {
	c := &chooser{
		facts:     v.facts(),
		rulings:   map[platform.RequestKey]ruling{},
		records:   map[platform.RequestKey]*state.Release{},
		standings: &standings{byKey: map[platform.RequestKey]*Standing{}},
		deletions: newDeletions(),
	}
	c.groups = c.newGroups(c.records, func(k platform.RequestKey) *Restoration { return c.rulings[k].restore })
	for _, pin := range c.people.pins { // it moves something by ending
		c.standings.wake(v.Now.past(pin.Until))
	}
	return c
}

// newGroups counts the groups of the environment by the records that its instances have by the time that somebody asks.
func (f *facts) newGroups(records map[platform.RequestKey]*state.Release, restored func(platform.RequestKey) *Restoration) *groups {
	return newGroups(f.Environment.Rollout.Instances, f.people, func(yield func(*state.Release)) {
		for k, r := range f.Releases.All() {
			if now := records[k]; now != nil {
				r = now
			}
			if back := restored(k); back != nil {
				r = back.Release
			}
			yield(r)
		}
	})
}

// subject is a request that the chooser decides about.
func (c *chooser) subject(k platform.RequestKey, head *platform.Instance) *subject {
	return &subject{facts: c.facts, key: k, base: c.Releases.Of(k), head: head, records: c.records}
}

// choose decides about one instance, and puts it into the queue where that depends on the others.
func (c *chooser) choose(s *subject) {
	c.standings.record(s.key, outcome{debts: c.people.debts(s.key, s.offering())})
	s.desert()
	if s.base != nil {
		if r, decided := c.follow(s); decided {
			c.rulings[s.key] = r
			return
		}
	}
	picked := picker{s, c.groups}.pick()
	c.standings.record(s.key, picked.outcome)
	if s.head == nil {
		c.deleteRemoved(s, picked)
	}
	switch next := picked.next; {
	case next == nil:
		c.rulings[s.key] = c.stay(s, picked.stay)
	case next.group != "" && !next.within:
		c.queue = append(c.queue, &queued{s, next, picked.stay})
	default:
		c.rulings[s.key] = c.enter(s, next, false)
	}
}

// follow brings the record of an instance up to date, and reports whether that decides the instance: it goes back to an earlier
// release, or its removal goes on.
func (c *chooser) follow(s *subject) (r ruling, decides bool) {
	f := follower{s}.follow()
	c.standings.record(s.key, f.outcome)
	switch {
	case f.back != nil:
		return ruling{restore: f.back}, true
	case f.forget:
		delete(c.records, s.key)
		return ruling{forgotten: true}, true
	case f.keep:
		return ruling{kept: true}, true
	}
	return r, false
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
func (c *chooser) stay(s *subject, i *platform.Instance) ruling {
	if i == nil {
		return ruling{kept: s.base != nil}
	}
	leaves := c.deletions.depart(s, i)
	if s.head != nil && !leaves && slices.Contains(s.base.Promotion.Admitted, deletionsAdmitted) {
		admitted := &s.edit().Promotion.Admitted // nothing is to go any more
		*admitted = without(*admitted, []string{deletionsAdmitted})
	}
	return ruling{instance: i}
}

// enter gives an instance another release, or none.
func (c *chooser) enter(s *subject, next *candidate, queued bool) ruling {
	follower{s}.overtake()
	m := &move{candidate: next, queued: queued}
	if next.restore != nil {
		return c.restorePinned(s, m)
	}
	c.standings.record(s.key, outcome{state: Moving})
	if next.removal {
		return ruling{move: m}
	}
	if runs(s.base) {
		c.deletions.depart(s, next.instance)
	}
	return ruling{instance: next.instance, move: m}
}

func (c *chooser) restorePinned(s *subject, m *move) ruling {
	if back := s.restorePinned(m.candidate); back != nil {
		c.standings.record(s.key, outcome{state: RollingBack})
		return ruling{restore: back, move: m}
	}
	c.standings.record(s.key, outcome{gates: []Gate{
		{Name: gate.Pin, Reason: "what ran before is not to be found in state commit " + m.restore.State, Opens: "another Pin"},
	}})
	return ruling{kept: true, move: m}
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
			c.rulings[s.key] = c.enter(s.subject, s.next, true)
			continue
		}
		c.rulings[s.key] = c.stay(s.subject, s.stay)
		c.standings.record(s.key, outcome{candidate: &s.next.content, gates: []Gate{c.groups.queued(name)}})
		if slots[name] > 0 && c.failures(s.key) == 0 {
			untried[name] = true
		}
	}
	return slots, untried
}

// keepProviders keeps an instance that would go while something bound to it comes in the same pass.
func (c *chooser) keepProviders(instances *platform.InstanceSet) {
	if !slices.ContainsFunc(slices.Collect(maps.Values(c.rulings)), ruling.removes) {
		return
	}
	for i := range instances.All() {
		for _, provider := range i.Bindings {
			if r := c.rulings[provider]; r.removes() {
				c.callOff(provider, r.move, boundConsumer(i.Request.Key))
			}
		}
	}
}

// callOff has the removal of an instance wait in this pass.
func (c *chooser) callOff(k platform.RequestKey, m *move, why Gate) {
	c.rulings[k] = ruling{kept: true}
	c.standings.record(k, outcome{state: Waiting, candidate: &m.content, removal: true, gates: []Gate{why}})
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
			if r := c.rulings[k]; r.move != nil {
				c.rulings[k] = r.passing(c.people.passed(gate.Approval, approval))
			}
		}
	}
	if d.gate == nil {
		return
	}
	for k, r := range c.rulings {
		if r.removes() && !d.admitted[k] {
			c.callOff(k, r.move, *d.gate)
		}
	}
}

// admitDeletion records that a person let an instance's deletions through.
func (c *chooser) admitDeletion(k platform.RequestKey) {
	r := c.records[k]
	if r == nil {
		r = c.Releases.Of(k).Clone()
		c.records[k] = r
	}
	r.Admit(deletionsAdmitted)
}
