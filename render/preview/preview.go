// Package preview says the effects of a State before anybody commits it. In go an environment's Base, a State and the platform
// that it was rendered from; out come its changes object by object, the dangers in them, the requests that move to another
// version, are renamed or leave clusters, and the digest by which a person approves exactly that.
//
// A preview decides nothing and commits nothing, reads no cluster, and never shows a value of a Secret.
package preview

import (
	"fmt"
	"maps"
	"slices"

	"transom.dev/render"
	"transom.dev/render/platform"
)

// A Preview is the effect of a platform on one environment: the changes that it takes now, and those that follow once
// everything that the platform's head yields has been promoted as far as there.
type Preview struct {
	// Now is the state that the environment takes without promotion. One that promotes from no other takes everything. Any
	// other renders the releases that it has anew, as its own file, clusters and overlays are now. How fast that goes is up
	// to gates and waves, and to a rollout over many instances.
	Now *render.State

	// Entered is the environment's base after Now; Promoted is the state that promotion makes of that. nil where nothing is
	// promoted.
	Entered  *render.Base
	Promoted *render.State
}

// Of returns the effect of a platform on an environment that has the base.
func Of(r *render.Renderer, p *platform.Platform, environment string, base *render.Base) (*Preview, error) {
	e := p.Environments[environment]
	if e == nil {
		return nil, fmt.Errorf("the platform has no environment %s", environment)
	}
	if len(e.PromotesFrom) == 0 {
		now, err := r.Render(p, environment, base)
		return &Preview{Now: now}, err
	}
	direction, problems := unpromoted(p, environment, base)
	direction.Examples = true
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
	return &Preview{Now: now, Entered: entered, Promoted: promoted}, nil
}

// Problems are those of both, each once where it is of both, sorted.
func (v *Preview) Problems() []platform.Problem {
	all := slices.Clone(v.Now.Problems)
	if v.Promoted != nil {
		all = append(all, v.Promoted.Problems...)
	}
	slices.SortStableFunc(all, platform.Problem.Compare)
	return slices.CompactFunc(all, func(a, b platform.Problem) bool {
		return a.Same(b) && a.Environment == b.Environment
	})
}

// unpromoted directs an environment to stay with the releases that it has.
func unpromoted(p *platform.Platform, environment string, base *render.Base) (d render.Direction, problems []platform.Problem) {
	var instances []*platform.Instance
	d.Keep = map[platform.RequestKey]bool{}
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
			instances = append(instances, i)
		}
		if leaves := p.Request(k) == nil && !p.Broken(environment, k); leaves {
			continue // it needs nothing, not even the offering that perhaps goes with it
		}
		for _, problem := range wrong {
			problem.Environment = environment
			problems = append(problems, problem)
		}
	}
	d.Instances = platform.NewInstanceSet(instances)
	return d, problems
}
