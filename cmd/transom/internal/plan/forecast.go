package plan

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/promotion"
	"transom.dev/render"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/preview"
	"transom.dev/render/state"
)

// A forecast has the passes that the daemon would make over the environments: with the platform, and with the one that is
// merged already.
type forecast struct {
	platform *platform.Platform
	before   *platform.Platform // that is merged already; nil: nobody knows
	of       map[string]*reconciler.Foreseen
	earlier  map[string]*reconciler.Foreseen // without this merge; nil: nobody knows
}

// ahead and behind stand for the commits of platforms that have none: the work tree, which comes after all others, and a
// directory that it is compared with, which comes right before it.
const (
	ahead  = "the work tree"
	behind = "the directory compared with"
)

// makeForecast has the daemon's own passes made over the states of the environments, with the platform and without it.
func makeForecast(ctx context.Context, r *render.Renderer, dir string, p *platform.Platform, base *Baseline) (*forecast, error) {
	all := &forecast{platform: p}
	past := history{}
	past.clone, _ = gitrepo.Open(dir) // without a clone nothing is known to be older than anything
	f := &reconciler.Foresight{
		Platform: asOf(p, ahead), States: map[string]reconciler.Recorded{}, Renderer: r, Order: workspace.Environments(p),
		Generation: past.generation, Now: time.Now(),
	}
	bases := map[string]*render.Base{}
	for _, name := range f.Order {
		state, err := base.recorded(name)
		if err != nil {
			return nil, err
		}
		f.States[name], bases[name] = state, state.Base
	}
	var err error
	if all.of, err = f.All(ctx); err != nil {
		return nil, err
	}
	before, err := base.before(&past, bases)
	if err != nil {
		return nil, err
	}
	for _, p := range before {
		if err := all.compare(ctx, f, p); err != nil || all.hasEffect() {
			return all, err
		}
	}
	return all, nil
}

// compare foresees the environments without this merge, if p is the platform that is merged already.
func (o *forecast) compare(ctx context.Context, f *reconciler.Foresight, p *platform.Platform) (err error) {
	if o.before, o.earlier = p, nil; p == nil {
		return nil
	}
	own := *f
	own.Platform, own.Order = asOf(p, behind), workspace.Environments(p)
	own.Order = slices.DeleteFunc(own.Order, func(name string) bool { return f.States[name].Base == nil })
	o.earlier, err = own.All(ctx)
	return err
}

// hasEffect says whether this merge changes a release or a decision of an environment.
func (o *forecast) hasEffect() bool {
	for name, to := range o.of {
		m := o.merged(name)
		for _, k := range sorted(to.Last.Releases) {
			if !m.same(k) {
				return true
			}
		}
	}
	return slices.ContainsFunc(o.decisions(), Decision.hasEffect) || len(o.of) != len(o.earlier)
}

// asOf is a platform with the commit that it has, or with a name that stands for a commit.
func asOf(p *platform.Platform, commit string) *platform.Platform {
	own := *p
	if own.Commit == "" {
		own.Commit = commit
	}
	return &own
}

// history is the platform's, as far as a clone has it.
type history struct{ clone *gitrepo.Checkout }

// forks are the branches that a clone may have been made from.
var forks = []string{"refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master"}

// fork is the commit at which the checkout leaves the branch of its origin; empty: nobody knows.
func (h *history) fork() string {
	for _, branch := range forks {
		if h.clone == nil {
			break
		}
		if commit, err := h.clone.Fork(branch); err == nil {
			return commit
		}
	}
	return ""
}

// generation counts the commits before a commit. A commit that the clone does not have comes before all that it has.
func (h *history) generation(ctx context.Context, commit string) (int, error) {
	switch commit {
	case ahead:
		return math.MaxInt, nil
	case behind:
		return math.MaxInt - 1, nil
	}
	if h.clone == nil {
		return 0, nil
	}
	n, err := h.clone.Generation(ctx, commit)
	if err != nil {
		return 0, nil //nolint:nilerr // it is not there
	}
	return n, nil
}

// merged is the future of an environment without this merge.
type merged struct {
	requests []platform.RequestKey // that change, and to the same and on the same conditions with it
	earlier  *reconciler.Foreseen  // nil: nothing is known
	of       *reconciler.Foreseen
}

// merged is the forecast of one environment without this merge.
func (o *forecast) merged(name string) *merged {
	m := &merged{of: o.of[name], earlier: o.earlier[name]}
	for _, k := range sorted(m.of.Last.Releases) {
		if m.same(k) && !sameBytes(m.of.Before.Releases[k], m.of.Last.Releases[k]) {
			m.requests = append(m.requests, k)
		}
	}
	return m
}

// same says whether a request comes to the same bytes with and without this merge, in the same steps and behind the same gates.
func (m *merged) same(k platform.RequestKey) bool {
	a, b := m.of, m.earlier
	return b != nil && sameBytes(a.Entered.Releases[k], b.Entered.Releases[k]) && sameBytes(a.Later.Releases[k], b.Later.Releases[k]) &&
		sameBytes(a.Last.Releases[k], b.Last.Releases[k]) && slices.Equal(gates(a.Standings[k]), gates(b.Standings[k]))
}

// brings says whether a change comes without this merge.
func (m *merged) brings(c preview.Change) bool {
	switch {
	case c.Request != "":
		return slices.Contains(m.requests, platform.RequestKey{Team: c.Team, Name: c.Request})
	case m.earlier == nil:
		return false
	case c.Team == "":
		return slices.Contains(m.earlier.Now.LetGo, c.Cluster)
	}
	file := state.NamespaceFile(c.Cluster, c.Team)
	was, is := namespaceIn(m.earlier, file), namespaceIn(m.of, file)
	return was != nil && bytes.Equal(was, is)
}

// namespaceIn is the last content that a file of a team's namespace comes to; nil: it does not change.
func namespaceIn(f *reconciler.Foreseen, file string) (content []byte) {
	for _, state := range []*render.State{f.Now, f.Promoted, f.Blocked} {
		if changed, ok := state.Changes[file]; ok {
			content = changed
		}
	}
	return content
}

// sameBytes says whether two records are of the same bytes.
func sameBytes(a, b *state.Release) bool {
	if gone(a) || gone(b) {
		return gone(a) && gone(b)
	}
	return !changesBytes(a, b)
}

// gone says whether a record is of a removal, or not there.
func gone(r *state.Release) bool { return r == nil || r.Absent }

// gates lists the gates that are closed for a standing, each once, sorted.
func gates(s *promotion.Standing) (names []gate.Name) {
	if s == nil {
		return nil
	}
	for _, g := range s.Gates {
		names = append(names, g.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// digest names the changes of an environment's placements: as the daemon asks for their Approval, if it does.
func (o *forecast) digest(name string) (string, error) {
	to := o.of[name]
	if to.Plan != "" {
		return to.Plan, nil
	}
	digest, err := preview.Digest(to.Before, to.Now)
	if err != nil {
		return "", fmt.Errorf("plan %s: %w", name, err)
	}
	return digest, nil
}

// changed lists the requests that change from one to the other, without those that leave.
func changed(before *render.Base, after *render.State, leave []platform.RequestKey) (keys []platform.RequestKey) {
	for _, k := range sorted(after.Releases) {
		if !sameBytes(before.Releases[k], after.Releases[k]) && !slices.Contains(leave, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// isApproved says whether every request that changes has the Approvals that it needs.
func (o *forecast) isApproved(name string, before *render.Base, after *render.State, leave []platform.RequestKey) bool {
	keys := changed(before, after, leave)
	return len(keys) > 0 && !slices.ContainsFunc(keys, func(k platform.RequestKey) bool {
		return slices.Contains(gates(o.of[name].Standings[k]), gate.Approval)
	})
}

// skipsSoak says whether an Override skips the soak of every request that changes.
func (o *forecast) skipsSoak(name string, before *render.Base, after *render.State, leave []platform.RequestKey) bool {
	keys := changed(before, after, leave)
	return len(keys) > 0 && !slices.ContainsFunc(keys, func(k platform.RequestKey) bool {
		r := o.of[name].Rest[k]
		return r == nil || !slices.ContainsFunc(r.Promotion.Gates, func(g state.PassedGate) bool { return g.Gate == gate.Soak && g.Decision != "" })
	})
}

// sorted lists the requests of a map.
func sorted[V any](m map[platform.RequestKey]V) []platform.RequestKey {
	return slices.SortedFunc(maps.Keys(m), platform.RequestKey.Compare)
}
