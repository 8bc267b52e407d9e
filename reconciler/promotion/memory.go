package promotion

import (
	"maps"
	"slices"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A Memory spares a pass the requests that rest: whether one does depends on its instance, on its records here and right
// upstream, and on facts that are the same for all requests. So only the requests that did not rest in the last pass, and those
// of which something changed since, are looked at. A Memory belongs to one environment and one goroutine. The zero value knows
// of no pass, and after it every request is looked at.
type Memory struct {
	environments    map[string]*platform.Environment
	pins, overrides []*platform.Decision
	head            *platform.InstanceSet
	here            state.Records
	elsewhere       map[string]state.Records
	restless        []platform.RequestKey
	known           bool
}

// due returns the requests to look at: the instances that the head asks for, and the requests that it does not ask for.
func (m *Memory) due(f *facts) (heads []*platform.Instance, orphans []platform.RequestKey) {
	if !m.continues(f) {
		return f.Head.List(), f.orphans()
	}
	keys := map[platform.RequestKey]bool{}
	for _, k := range m.restless {
		keys[k] = true
	}
	for k := range f.Told {
		keys[k] = true
	}
	for k := range f.Head.Differing(m.head) {
		keys[k] = true
	}
	for k := range f.Releases.Differing(m.here) {
		keys[k] = true
	}
	for _, up := range f.Environment.PromotesFrom {
		for k := range f.Elsewhere[up].Differing(m.elsewhere[up]) {
			keys[k] = true
		}
	}
	for k := range keys {
		if i := f.Head.Of(k); i != nil {
			heads = append(heads, i)
		} else if f.Releases.Of(k) != nil {
			orphans = append(orphans, k)
		}
	}
	slices.SortFunc(heads, func(a, b *platform.Instance) int { return a.Request.Key.Compare(b.Request.Key) })
	slices.SortFunc(orphans, platform.RequestKey.Compare)
	return heads, orphans
}

// continues reports whether the facts that are the same for all requests are those of the last pass.
func (m *Memory) continues(f *facts) bool {
	return m.known && maps.Equal(m.environments, f.Platform.Environments) &&
		slices.Equal(m.pins, f.people.pins) && slices.Equal(m.overrides, f.people.overrides)
}

// remember keeps a pass, in which these requests did not rest.
func (m *Memory) remember(f *facts, heads []*platform.Instance, orphans []platform.RequestKey) {
	*m = Memory{
		environments: f.Platform.Environments, pins: f.people.pins, overrides: f.people.overrides,
		head: f.Head, here: f.Releases, elsewhere: f.Elsewhere, restless: slices.Clone(orphans), known: true,
	}
	for _, i := range heads {
		m.restless = append(m.restless, i.Request.Key)
	}
}

// withResting are the instances of the head, and the chosen ones instead of those that did not rest. Where the very same were chosen it is the head
// itself, so that the next steps find nothing else in it.
func withResting(head *platform.InstanceSet, restless, chosen []*platform.Instance) *platform.InstanceSet {
	changes := make(map[platform.RequestKey]*platform.Instance, len(restless))
	for _, i := range restless {
		changes[i.Request.Key] = nil
	}
	for _, i := range chosen {
		changes[i.Request.Key] = i
	}
	return head.With(changes)
}
