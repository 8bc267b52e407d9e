package promotion_test

import (
	"slices"
	"strings"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// asleep reports whether a release is suspended on some cluster that counts.
func (o *oracle) asleep(environment string, r *state.Release) bool {
	if r == nil || r.Absent {
		return false
	}
	for cluster, p := range r.Clusters {
		on := o.stages[environment].live[r.Key.Name+"@"+cluster]
		if on != nil && on.revision == p.Observed() && o.faultOf(environment, on) == sleeps && o.counts(environment, cluster) {
			return true
		}
	}
	return false
}

// weakens notes a release that brings bytes which failed, or were not healthy, and is content with less. It checks R17.
func (o *oracle) weakens(s *stage, p *pass, was, is *state.Release, changed []string) {
	if _, back := p.Restore[is.Key]; back || is.Absent || was == nil || was.Digest == is.Digest {
		return
	}
	id := at(s.name, is.Key.Name, is.Digest)
	if len(changed) == 0 { // it is another release in its record alone
		o.weak[id] = o.weak[at(s.name, is.Key.Name, was.Digest)]
		return
	}
	if remembers(&state.Release{Promotion: was.Promotion}, is.Digest) {
		return // it was proven before
	}
	o.weak[id] = slices.ContainsFunc(changed, func(c string) bool {
		bytes := is.Clusters[c].Revision
		if ran := was.Clusters[c]; ran.Revision == bytes && ran.Release == "" && o.asksLess(is.Version, was.Version) && !was.Absent {
			said := o.observe(s.name, is.Key, c)
			if o.counts(s.name, c) && !ran.Joining && (said.Revision != ran.Observed() || said.Health != state.Healthy) {
				return true
			}
		}
		stays := was.Clusters[c].Revision == bytes && was.Clusters[c].Release == "" && !was.Absent
		if stays && o.weak[at(s.name, is.Key.Name, was.Digest)] && !o.asksLess(was.Version, is.Version) {
			return true // of the same bytes no more is asked than before
		}
		return slices.ContainsFunc(was.Promotion.Rejected, func(f state.Failure) bool {
			return f.Cluster == c && f.State != "" && o.asksLess(is.Version, f.Version) && bytes == "r "+o.bytesOf(f.Version)+strings.TrimPrefix(f.RenderKey, f.Version)
		})
	})
}

// asksLess reports whether a version has no health entry where another one has, or is content where that is not.
func (o *oracle) asksLess(version, than string) bool {
	if o.content(than) {
		return false
	}
	return o.content(version) || len(o.rules[version]) < len(o.rules[than])
}

// content reports whether a version asks for nothing but that it is applied.
func (o *oracle) content(version string) bool {
	return slices.ContainsFunc(o.rules[version], func(h platform.Health) bool { return h.Applied })
}

func (w *world) bytesOf(version string) string {
	if same := w.bytes[version]; same != "" {
		return same
	}
	return version
}
