package promotion_test

import (
	"maps"
	"slices"
	"time"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// leaves checks the clusters that an instance leaves, while it stays on others or is to come to them, against these others:
// before it goes from anywhere all of them that count have the bytes that they are to have, and have been well for as long
// as their wave asks. It checks R85.
func (o *oracle) leaves(s *stage, p *pass, was, is *state.Release, gone []string) {
	if is.Absent || was == nil || was.Absent || len(gone) == 0 {
		return
	}
	if _, back := p.Restore[is.Key]; back {
		o.breaks("%s goes back to %s of %s and takes it from %v", s.name, is.Digest, is.Key, gone)
	}
	wanted := o.wanted(p, is)
	if len(wanted) == 0 {
		return // it leaves all of them
	}
	gone = slices.DeleteFunc(slices.Clone(gone), func(c string) bool { return o.hurries(s.name, is, c) })
	if len(gone) == 0 {
		return
	}
	counting := 0
	for _, c := range wanted {
		if !o.counts(s.name, c.Name) {
			continue
		}
		counting++
		placed, there := is.Clusters[c.Name]
		on := s.live[is.Key.Name+"@"+c.Name]
		switch {
		case !there || placed.Release != "":
			o.breaks("%s takes %s from %v before %s has %s", s.name, is.Key, gone, c.Name, is.Digest)
		case on == nil || on.revision != placed.Observed():
			o.breaks("%s takes %s from %v before %s runs %s", s.name, is.Key, gone, c.Name, placed.Revision)
		case on.well < o.waveSoak(s.name, c):
			o.breaks("%s takes %s from %v when %s is well for %s", s.name, is.Key, gone, c.Name, on.well)
		default:
			if health, _ := o.health(s.name, on); health != state.Healthy && !o.isBlind(c.Name) { // the last observation is believed until somebody looks
				o.breaks("%s takes %s from %v, and %s is %s", s.name, is.Key, gone, c.Name, health)
			}
		}
	}
	if counting == 0 {
		o.breaks("%s takes %s from %v, and nothing that counts is left", s.name, is.Key, gone)
	}
}

// wanted are the clusters that an instance is to be on, as the platform is now.
func (o *oracle) wanted(p *pass, is *state.Release) []*platform.Cluster {
	i := p.Instances.Of(is.Key)
	if i == nil {
		return nil
	}
	spec := i.Request.Spec
	return o.resolve(i.Environment.Name, is.Key, &spec, i.Version).Clusters
}

// hurries reports whether a person said that a cluster is not to wait. It checks R86.
func (o *oracle) hurries(environment string, is *state.Release, cluster string) bool {
	if o.skips(environment, "leave", is) {
		return true
	}
	c := o.platform.Clusters[cluster]
	return c.Now && c.State == platform.ClusterDraining && o.let[environment]
}

func (o *oracle) waveSoak(environment string, c *platform.Cluster) time.Duration {
	for _, w := range o.platform.Environments[environment].Rollout.Waves {
		if w.Clusters == nil || c.Labels["tier"] == "canary" {
			return w.Soak
		}
	}
	return 0
}

// spread notes where an instance is that was healthy in all waves.
func (o *oracle) spread(id string, r *state.Release) {
	o.whole[id], o.clusters[id] = r.Digest, maps.Clone(r.Clusters)
}

// wherever checks a rollback against the clusters on which the release before was: it is on all of them again that the
// environment still has, and as it was where the failure had moved it or had left. It checks R88.
func (o *oracle) wherever(s *stage, was, is *state.Release) {
	for c, ran := range o.clusters[at(s.name, is.Key.Name)] {
		on := o.platform.Clusters[c]
		if on == nil || !o.member(s.name, on) || on.State == platform.ClusterDraining {
			continue
		}
		_, stayed := was.Clusters[c]
		moved := !stayed || slices.Contains(was.Promotion.Rollout.Moved, c)
		if has := is.Clusters[c].RenderKey; has == "" || moved && has != ran.RenderKey {
			o.breaks("%s goes back to %s of %s, and %s has %q", s.name, is.Digest, is.Key, c, has)
		}
	}
}
