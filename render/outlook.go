package render

import (
	"fmt"
	"maps"
	"slices"

	"transom.dev/render/platform"
)

// An Outlook is the effect of a platform on one environment: the changes that it takes now, and those that follow once
// everything that the platform's head yields has been promoted as far as there.
type Outlook struct {
	// Now is the state that the environment takes without promotion. One that promotes from no other takes everything. Any
	// other renders the releases that it has anew, as its own file, clusters and overlays are now. How fast that goes is left
	// to gates and waves, and to a rollout over many instances.
	Now *State

	// Entered is the environment's base after Now; Promoted is the state that promotion makes of that. nil where nothing is
	// promoted.
	Entered  *Base
	Promoted *State
}

// Outlook returns the effect of a platform on an environment that has the base.
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
		return a.Same(b) && a.Environment == b.Environment
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
