package render

import (
	"fmt"
	"maps"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// A snapshot has everything that a pass reads: the platform, the records and bytes of an environment, and its direction.
// Nothing in it changes during the pass.
type snapshot struct {
	platform    *platform.Platform
	environment *platform.Environment
	base        *Base
	direction   Direction
	instances   *platform.InstanceSet // the direction's, else the head's
	policies    []*platform.Policy    // of the environment, sorted by name
	index       *index                // of the base
	shares      shares                // of expressions

	// continued says that nothing but requests and versions changed since the last pass: only requests that may come to
	// another record are visited, and the clusters that are gone were let go before.
	continued bool
}

func newSnapshot(p *platform.Platform, environment string, base *Base, d Direction) (*snapshot, error) {
	env := p.Environments[environment]
	if env == nil {
		return nil, fmt.Errorf("render %s: the platform has no such environment", environment)
	}
	if base == nil {
		base = &Base{}
	}
	s := &snapshot{
		platform: p, environment: env, base: base, direction: d, instances: d.Instances,
		policies: judging(p, environment), index: base.indexed(environment),
	}
	if s.instances == nil {
		s.instances = p.InstanceSet(environment)
	}
	return s, nil
}

// unchanged is the State of an environment that keeps all it has.
func (s *snapshot) unchanged(problems []platform.Problem) *State {
	return &State{
		Environment: s.environment.Name,
		Changes:     map[string][]byte{},
		Fleet:       s.base.Fleet,
		Problems:    problems,
	}
}

// instance returns the instance of a request, or nil.
func (s *snapshot) instance(k platform.RequestKey) *platform.Instance {
	return s.instances.Of(k)
}

// restored returns the record that a request is given back, or nil.
func (s *snapshot) restored(k platform.RequestKey) *state.Release {
	return s.direction.Restore[k].Release
}

// kept reports whether a request without an instance stays: because the direction says so, or because nobody can tell
// whether it has one.
func (s *snapshot) kept(k platform.RequestKey) bool {
	return s.direction.Keep[k] || s.platform.Broken(s.environment.Name, k)
}

// recordOf returns the record of a request before this pass, as it is from now on if nothing else happens to it.
// Clusters that are let go are not in it.
func (s *snapshot) recordOf(k platform.RequestKey) *state.Release {
	r := s.direction.Records[k]
	if r == nil {
		r = s.base.Releases[k]
	}
	if r == nil || s.continued {
		return r
	}
	return s.withoutGone(r)
}

// withoutGone returns a record without the clusters that the platform no longer has.
func (s *snapshot) withoutGone(release *state.Release) *state.Release {
	for cluster := range release.Clusters {
		if s.platform.Clusters[cluster] == nil {
			remaining := maps.Clone(release.Clusters)
			maps.DeleteFunc(remaining, func(name string, _ state.Placement) bool {
				return s.platform.Clusters[name] == nil
			})
			return release.WithClusters(remaining)
		}
	}
	return release
}

// tombstone records the removal of a request's release from the environment: it keeps everything that pruning the objects
// needs. A removal that is under way goes on.
func (s *snapshot) tombstone(k platform.RequestKey) *state.Release {
	r := s.recordOf(k)
	if r.Absent {
		return r.WithClusters(nil)
	}
	return &state.Release{
		Key:           r.Key,
		Digest:        r.RemovalDigest(),
		Absent:        true,
		Offering:      r.Offering,
		Version:       r.Version,
		VersionDigest: r.VersionDigest,
		Commit:        s.platform.Commit,
		File:          r.File,
		Promotion:     r.Promotion,
		Scope:         r.Scope,
		Deletion:      r.Deletion,
		OnRemoval:     r.OnRemoval,
	}
}

// checkRestorations checks that all bytes to restore are the recorded ones, and notes the objects in them.
func (s *snapshot) checkRestorations(written writtenObjects) error {
	for k, restoration := range s.direction.Restore {
		if restoration.Release == nil {
			return fmt.Errorf("render %s: restore %s: there is no record to restore", s.environment.Name, k)
		}
		for cluster, placed := range restoration.Release.Clusters {
			manifest, given := restoration.Manifests[cluster]
			switch {
			case given && state.Revision(manifest) != placed.Revision:
				return fmt.Errorf("render %s: restore %s on %s: the bytes are %s, and the record says %s",
					s.environment.Name, k, cluster, state.Revision(manifest), placed.Revision)
			case !given && placementOf(s.base.Releases[k], cluster).Revision != placed.Revision:
				return fmt.Errorf("render %s: restore %s on %s: there are no bytes of revision %s",
					s.environment.Name, k, cluster, placed.Revision)
			case given:
				if objects, err := parseObjects(manifest); err == nil {
					written.known.put(placed.Revision, idsOf(objects))
				}
			}
		}
	}
	return nil
}

func placementOf(r *state.Release, cluster string) state.Placement {
	if r == nil {
		return state.Placement{}
	}
	return r.Clusters[cluster]
}
