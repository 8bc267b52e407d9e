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
	head            []*platform.Instance
	here            state.Records
	elsewhere       map[string]state.Records
	restless        []platform.RequestKey
	known           bool
}

// due returns the requests to look at: those that the head asks for, as indexes in it, and those that it does not ask for.
func (m *Memory) due(f *facts) (heads []int, orphans []platform.RequestKey) {
	if !m.continues(f) {
		heads = make([]int, len(f.Head))
		for at := range heads {
			heads[at] = at
		}
		return heads, f.orphans()
	}
	keys := map[platform.RequestKey]bool{}
	for _, k := range m.restless {
		keys[k] = true
	}
	for k := range f.Told {
		keys[k] = true
	}
	differing(m.head, f.Head, func(k platform.RequestKey) { keys[k] = true })
	for k := range f.Releases.Differing(m.here) {
		keys[k] = true
	}
	for _, up := range f.Environment.PromotesFrom {
		for k := range f.Elsewhere[up].Differing(m.elsewhere[up]) {
			keys[k] = true
		}
	}
	for k := range keys {
		if at, asked := f.indexOf(k); asked {
			heads = append(heads, at)
		} else if f.Releases.Of(k) != nil {
			orphans = append(orphans, k)
		}
	}
	slices.Sort(heads)
	slices.SortFunc(orphans, platform.RequestKey.Compare)
	return heads, orphans
}

// continues reports whether the facts that are the same for all requests are those of the last pass.
func (m *Memory) continues(f *facts) bool {
	return m.known && maps.Equal(m.environments, f.Platform.Environments) &&
		slices.Equal(m.pins, f.people.pins) && slices.Equal(m.overrides, f.people.overrides)
}

// remember keeps a pass, in which these requests did not rest.
func (m *Memory) remember(f *facts, heads []int, orphans []platform.RequestKey) {
	*m = Memory{
		environments: f.Platform.Environments, pins: f.people.pins, overrides: f.people.overrides,
		head: f.Head, here: f.Releases, elsewhere: f.Elsewhere, restless: slices.Clone(orphans), known: true,
	}
	for _, at := range heads {
		m.restless = append(m.restless, f.Head[at].Request.Key)
	}
}

// differing calls visit with the requests whose instances are not the very same in two lists, both sorted by request.
func differing(before, after []*platform.Instance, visit func(platform.RequestKey)) {
	for len(before) > 0 && len(after) > 0 {
		if before[0] == after[0] {
			before, after = before[1:], after[1:]
			continue
		}
		order := compareInstances(before[0], after[0])
		if order <= 0 {
			visit(before[0].Request.Key)
			before = before[1:]
		}
		if order >= 0 {
			visit(after[0].Request.Key)
			after = after[1:]
		}
	}
	for _, i := range slices.Concat(before, after) {
		visit(i.Request.Key)
	}
}

func compareInstances(a, b *platform.Instance) int { return a.Request.Key.Compare(b.Request.Key) }

// withResting are the instances of the head, but for those at some indexes, and the chosen ones instead: sorted by request. Where the very
// same were chosen it is the head itself, so that the next steps find nothing else in it.
func withResting(head []*platform.Instance, replaced []int, chosen []*platform.Instance) []*platform.Instance {
	slices.SortFunc(chosen, compareInstances)
	if len(head) > 0 && slices.EqualFunc(replaced, chosen, func(at int, i *platform.Instance) bool { return head[at] == i }) {
		return head
	}
	resting, from := make([]*platform.Instance, 0, len(head)), 0
	for _, at := range replaced {
		resting, from = append(resting, head[from:at]...), at+1
	}
	resting = append(resting, head[from:]...)
	all := make([]*platform.Instance, 0, len(resting)+len(chosen))
	for _, i := range chosen {
		before, _ := slices.BinarySearchFunc(resting, i, compareInstances)
		all, resting = append(append(all, resting[:before]...), i), resting[before:]
	}
	return append(all, resting...)
}
