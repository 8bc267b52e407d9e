package reconciler

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"time"

	"transom.dev/reconciler/promotion"
	"transom.dev/render"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// Foresight foresees the commits of the daemon with a platform that is not merged yet. It makes the daemon's own passes on
// copies of the states' records: promotion chooses and admits, rendering renders, and nothing is written.
//
// The observations of clusters are not in Git, so they are assumed: a release that was healthy when it was recorded is
// healthy still, and one that comes becomes healthy and stays so for as long as any gate asks.
type Foresight struct {
	Platform   *platform.Platform // whose Commit is the one that it would be merged as
	States     map[string]Recorded
	Order      []string // all environments, each after those that it promotes from
	Renderer   *render.Renderer
	Generation func(ctx context.Context, commit string) (int, error) // of platform commits
	Now        time.Time
}

// Recorded is the content of an environment's state repository.
type Recorded struct {
	Base   *render.Base
	Commit string                                                  // of the state
	At     func(ctx context.Context, commit string) (fs.FS, error) // nil: the past cannot be read
}

// rounds bounds the passes over each environment. Nothing needs as many: the rollouts under way and the instances that wait
// are in the records.
const rounds = 50

// All returns the future of every environment.
func (f *Foresight) All(ctx context.Context) (map[string]*Foreseen, error) {
	soon := f.begin(f.Platform)
	soon.observe = soon.asRecorded
	if err := soon.runUntilQuiet(ctx); err != nil {
		return nil, err
	}
	rest := soon.fork(unhurried(f.Platform))
	rest.observe = rest.wellForLong
	if err := rest.runUntilQuiet(ctx); err != nil {
		return nil, err
	}
	all := map[string]*Foreseen{}
	for _, name := range f.Order {
		found, err := f.foresee(soon, rest, name)
		if err != nil {
			return nil, err
		}
		all[name] = found
	}
	return all, nil
}

// unhurried is a platform in whose environments nothing waits for its turn: clusters and instances then wait only for the
// health of others, which is assumed.
func unhurried(p *platform.Platform) *platform.Platform {
	free := *p
	free.Environments = map[string]*platform.Environment{}
	for name, e := range p.Environments {
		free.Environments[name] = e.Unhurried()
	}
	return &free
}

// A simulation makes passes over all environments, one after the other, until none has anything to commit.
type simulation struct {
	*Foresight
	platform *platform.Platform
	bases    map[string]*render.Base
	states   map[string]*render.State // all that was committed, as one
	passes   map[string]*Answers
	observe  func(environment string, k platform.RequestKey, cluster string) promotion.Observation
}

func (f *Foresight) begin(p *platform.Platform) *simulation {
	s := &simulation{
		Foresight: f, platform: p, bases: map[string]*render.Base{}, states: map[string]*render.State{}, passes: map[string]*Answers{},
	}
	for name, state := range f.States {
		s.bases[name] = copied(state.Base)
	}
	return s
}

// fork goes on from where a simulation is, with another platform.
func (s *simulation) fork(p *platform.Platform) *simulation {
	next := s.begin(p)
	for name, base := range s.bases {
		next.bases[name], next.states[name] = copied(base), s.states[name]
	}
	return next
}

// copied is a base that can be advanced while the other stays as it is.
func copied(b *render.Base) *render.Base {
	return &render.Base{Releases: maps.Clone(b.Releases), Fleet: b.Fleet, Files: b.Files, Pins: b.Pins}
}

// runUntilQuiet makes passes over all environments until none has anything to commit, or for as many rounds as are allowed.
func (s *simulation) runUntilQuiet(ctx context.Context) error {
	for range rounds {
		moved := false
		for _, name := range s.Order {
			e := s.platform.Environments[name]
			if e == nil || e.Broken {
				continue
			}
			changed, err := s.pass(ctx, name)
			if err != nil {
				return fmt.Errorf("foresee %s: %w", name, err)
			}
			moved = moved || changed
		}
		if !moved {
			return nil
		}
	}
	return nil
}

// pass does the same as pass.advance, without a repository and a fleet. It reports whether there was anything to
// commit.
func (s *simulation) pass(ctx context.Context, name string) (bool, error) {
	base, elsewhere := s.bases[name], map[string]state.Records{}
	for other, b := range s.bases {
		elsewhere[other] = b.Records()
	}
	view := ViewOf(ctx, s.platform, name, base, Sources{
		State: s.States[name].Commit, Elsewhere: elsewhere, Renderer: s.Renderer, Generation: s.Generation, At: s.States[name].At,
		Now: promotion.Clock{Wall: s.Now}, Observe: s.observe,
		Check: func(promotion.CheckSubject) promotion.Checked { // others answer well, as clusters are healthy
			return promotion.Checked{Verdict: promotion.Passes, Passed: forLong}
		},
	})
	direction, answers, err := Direction(ctx, view.Choose(), s.States[name].At)
	if err != nil {
		return false, err
	}
	rendered, err := s.Renderer.Direct(s.platform, name, base, direction)
	if err != nil {
		return false, err
	}
	s.passes[name] = answers
	if len(rendered.Changes) == 0 {
		return false, nil
	}
	if before := s.states[name]; before != nil {
		s.states[name] = before.Then(rendered)
	} else {
		s.states[name] = rendered
	}
	return true, base.Commit(rendered)
}

// asRecorded observes a release that its environment recorded as healthy as healthy still, and any other as on its way.
func (s *simulation) asRecorded(environment string, k platform.RequestKey, cluster string) promotion.Observation {
	said := promotion.Observation{Health: state.Progressing}
	was, is := s.States[environment].Base.Releases[k], s.bases[environment].Releases[k]
	if is == nil {
		return promotion.Observation{}
	}
	said.Revision = is.Clusters[cluster].Observed()
	if promotion.Ended(was) && was.Absent == is.Absent && was.Clusters[cluster].Observed() == said.Revision {
		said.Health = state.Healthy
	}
	return said
}

// forLong is more than any gate asks for.
const forLong = 10 * 365 * 24 * time.Hour

func (s *simulation) wellForLong(environment string, k platform.RequestKey, cluster string) promotion.Observation {
	is := s.bases[environment].Releases[k]
	if is == nil {
		return promotion.Observation{}
	}
	return promotion.Observation{Revision: is.Clusters[cluster].Observed(), Health: state.Healthy, Soaked: forLong}
}

// standings are those of an environment's last pass; there are none of a broken one.
func (s *simulation) standings(name string) map[platform.RequestKey]*promotion.Standing {
	if s.passes[name] == nil {
		return nil
	}
	return s.passes[name].standings()
}
