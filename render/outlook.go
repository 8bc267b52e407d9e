package render

import (
	"embed"
	"fmt"
	"maps"
	"slices"

	"transom.dev/render/platform"
)

// An Outlook is what a platform means to one environment: what it takes now, and what follows once everything that the
// platform's head yields has been promoted as far as there.
type Outlook struct {
	// Now is what the environment takes without promotion. One that promotes from no other takes everything. Any other
	// renders the releases that it has anew, as its own file, clusters and overlays are now. How fast that goes is left
	// to gates and waves, and to a rollout over many instances.
	Now *State

	// Entered is what the environment has after Now; Promoted is what becomes of that. nil where nothing is promoted.
	Entered  *Base
	Promoted *State
}

// Outlook says what a platform means to an environment that has the base.
func (r *Renderer) Outlook(p *platform.Platform, environment string, base *Base) (*Outlook, error) {
	e := p.Environments[environment]
	if e == nil {
		return nil, fmt.Errorf("the platform has no environment %s", environment)
	}
	if len(e.PromotesFrom) == 0 {
		now, err := r.Render(p, environment, base)
		return &Outlook{Now: now}, err
	}
	direction, problems := standing(p, environment, base)
	now, err := r.Direct(p, environment, base, direction)
	if err != nil {
		return nil, err
	}
	now.Problems = append(now.Problems, problems...)
	slices.SortFunc(now.Problems, platform.Problem.Compare)
	entered, err := base.After(now)
	if err != nil {
		return nil, err
	}
	promoted, err := r.Render(p, environment, entered)
	if err != nil {
		return nil, err
	}
	return &Outlook{Now: now, Entered: entered, Promoted: promoted}, nil
}

// Problems are those of both, each once where it is of both, sorted.
func (o *Outlook) Problems() []platform.Problem {
	all := slices.Clone(o.Now.Problems)
	if o.Promoted != nil {
		all = append(all, o.Promoted.Problems...)
	}
	slices.SortStableFunc(all, platform.Problem.Compare)
	return slices.CompactFunc(all, func(a, b platform.Problem) bool {
		return a.String() == b.String() && a.Environment == b.Environment
	})
}

// standing directs an environment to stay with the releases that it has.
func standing(p *platform.Platform, environment string, base *Base) (d Direction, problems []platform.Problem) {
	d = Direction{Instances: []*platform.Instance{}, Keep: map[platform.RequestKey]bool{}}
	for _, k := range slices.SortedFunc(maps.Keys(base.Releases), platform.RequestKey.Compare) {
		release := base.Releases[k]
		if release.Absent {
			continue
		}
		i, wrong := p.InstanceOf(environment, k, release.Request, release.Version, release.VersionDigest, release.File)
		switch {
		case i == nil, i.Release != release.Digest: // where the environment chooses another version by itself, that is promoted
			d.Keep[k] = true
		default:
			d.Instances = append(d.Instances, i)
		}
		for _, problem := range wrong {
			problem.Environment = environment
			problems = append(problems, problem)
		}
	}
	return d, problems
}

// After is the base once a State is committed, for somebody who does not commit it.
func (b *Base) After(s *State) (*Base, error) {
	if len(s.Changes) == 0 {
		return b, nil
	}
	files := b.Files
	if files == nil {
		files = embed.FS{}
	}
	changes := maps.Clone(s.Changes)
	for _, cluster := range s.LetGo {
		changes[clustersDir+"/"+cluster] = nil
	}
	edited, err := platform.Edited(files, changes)
	if err != nil {
		return nil, fmt.Errorf("take in the state of %s: %w", s.Environment, err)
	}
	after := &Base{Releases: maps.Clone(b.Releases), Pins: b.Pins}
	after.Advance(s, edited)
	return after, nil
}

// Anticipated says which of the requests whose release changes once promoted would have changed to exactly that without
// this platform as well, because the platform before yields it too: these are on their way already. Sorted.
func (o *Outlook) Anticipated(before *platform.Platform) (keys []platform.RequestKey) {
	if o.Promoted == nil || before == nil {
		return nil
	}
	yielded := map[platform.RequestKey]string{}
	for _, i := range before.Instances(o.Promoted.Environment) {
		yielded[i.Request.Key] = i.Release
	}
	for k, release := range o.Promoted.Releases {
		_, there := yielded[k]
		if there && yielded[k] == release.Digest || release.Absent && !there && !before.Broken(o.Promoted.Environment, k) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, platform.RequestKey.Compare)
	return keys
}
