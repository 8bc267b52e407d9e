package render

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"weak"

	"transom.dev/render/platform"
	"transom.dev/render/state"
	"transom.dev/render/wording"
)

// A candidate is an instance on its way to a release: it succeeds on all its clusters or keeps all it has.
type candidate struct {
	instance   *platform.Instance
	base       *state.Release // nil: new here
	evaluation *evaluation
	placements []*placement // sorted by cluster
	kept       map[string]state.Placement
	problems   []platform.Problem
	prepared   bool
	judged     *judgement     // of its placements; nil: they were not judged
	next       *state.Release // the record it comes to, once that was asked; base where nothing changes
}

// A placement is an instance on one cluster.
type placement struct {
	evaluated
	revision string
	carried  bool               // the base's bytes stay
	manifest []byte             // empty where they are carried
	warnings []platform.Problem // of bytes that are not carried

	before    string // the base's revision
	selectors string // that are not as the rule says, as the record has them
	reshapes  bool   // urgent values alone change the bytes, and objects come or go
}

func (c *candidate) key() platform.RequestKey { return c.instance.Request.Key }

// broken reports whether a Problem keeps the candidate where it is.
func (c *candidate) broken() bool {
	return slices.ContainsFunc(c.problems, blocks)
}

func blocks(p platform.Problem) bool { return !p.Warning }

// takenAlready reports whether the environment runs this very version for the request.
func (c *candidate) takenAlready() bool {
	return c.base != nil && !c.base.Absent && c.base.VersionDigest == c.instance.Version.Digest
}

// add reports Problems as the candidate's own, each once: most concern all of its clusters.
func (c *candidate) add(problems ...platform.Problem) {
	k := c.key()
	for _, p := range problems {
		p.Environment, p.Request = c.instance.Environment.Name, &k
		if p.File == "" {
			p.File = c.instance.Request.File
		}
		p = p.Cleaned()
		if !slices.ContainsFunc(c.problems, p.Same) {
			c.problems = append(c.problems, p)
		}
	}
}

func (c *candidate) report(file, rule, format string, args ...any) {
	c.add(platform.Problem{File: file, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

// recovered ends a panic while the candidate is prepared: a fault that one instance brings to light is that instance's
// Problem, and no other's.
func (c *candidate) recovered() {
	if fault := recover(); fault != nil {
		c.report("", "fault", "rendering it came upon a fault of Transom, which is worth a report: %v, at %s; "+
			"it keeps what it has", fault, wording.FaultyLine())
	}
}

// stepFrom returns the request of the release that the candidate's release would follow. It is nil where the environment runs
// none of the same offering, or the same release.
func (c *candidate) stepFrom() *platform.RequestSpec {
	switch base := c.base; {
	case base == nil, base.Absent, base.Offering != c.instance.Offering.Name, base.Digest == c.instance.Release:
		return nil
	default:
		return base.Request
	}
}

// longTexts reports the texts that are longer than they may be. Of a version that the environment runs for the request, they
// are only warned of: it has run with them.
func (c *candidate) longTexts() {
	for _, problem := range c.instance.Long {
		problem.Warning = c.takenAlready()
		c.add(problem)
	}
}

// addPlacement decides whether the base's bytes are still those of the candidate on a cluster.
func (c *candidate) addPlacement(e evaluated) *placement {
	placed := &placement{evaluated: e}
	if c.base != nil {
		before := c.base.Clusters[e.cluster.Name]
		placed.carried, placed.revision, placed.before = before.RenderKey == e.key, before.Revision, before.Revision
		if placed.carried {
			placed.selectors = before.Selectors
		}
	}
	c.placements = append(c.placements, placed)
	return placed
}

// keepUnreadable carries over the placements on clusters whose file cannot be read: the objects there stay.
func (c *candidate) keepUnreadable(clusters map[string]*platform.Cluster) {
	c.kept = map[string]state.Placement{}
	if c.base == nil {
		return
	}
	for name, placement := range c.base.Clusters {
		if cluster := clusters[name]; cluster != nil && cluster.Broken {
			c.kept[name] = placement
		}
	}
}

// release is the record of a candidate that succeeded, at a commit of the platform: the base's own where nothing in it changes.
func (c *candidate) release(commit string) *state.Release {
	if c.base != nil && c.evaluation.recorded == weak.Make(c.base) && c.carried() {
		return c.base
	}
	r := c.released(commit)
	if c.base != nil && sameRelease(c.base, r) {
		r = c.base
	}
	if len(c.kept) == 0 {
		c.evaluation.recorded = weak.Make(r)
	}
	return r
}

// carried reports whether the candidate keeps all its bytes, and nothing else.
func (c *candidate) carried() bool {
	return len(c.kept) == 0 && !slices.ContainsFunc(c.placements, func(p *placement) bool { return !p.carried })
}

// released is the record of a candidate that succeeded as it is made.
func (c *candidate) released(commit string) *state.Release {
	i := c.instance
	r := &state.Release{
		Key:           c.key(),
		Digest:        i.Release,
		Request:       i.Request.Spec.Released(),
		Offering:      i.Offering.Name,
		Version:       i.Version.Number.String(),
		VersionDigest: i.Version.Digest,
		Commit:        commit,
		File:          i.Request.File,
		Clusters:      map[string]state.Placement{},
		Outputs:       c.evaluation.outputs,
		Scope:         i.Version.Scope,
		Health:        i.Version.Health,
		Ignore:        i.Version.Ignore,
		Observes:      i.Version.Observed,
		Deletion:      i.Offering.Deletion,
		Adopt:         i.Request.Spec.Adopt,
		OnRemoval:     i.Request.Spec.OnRemoval,
	}
	maps.Copy(r.Clusters, c.kept)
	for _, placed := range c.placements {
		before := placementOf(c.base, placed.cluster.Name)
		renderer := rendererOf(i.Version)
		if placed.carried {
			renderer = before.Renderer
		}
		r.Clusters[placed.cluster.Name] = state.Placement{
			Revision: placed.revision, RenderKey: placed.key, Namespace: placed.namespace, Renderer: renderer,
			ValueKey: placed.valueKeyAfter(before), UrgentKey: placed.urgentKeyNow(),
			Selectors: placed.selectors, Joining: before.Joining, Anew: c.anew(placed, before),
		}
	}
	switch {
	case c.evaluation.hooks == retriedHooks:
		r.Installed, r.InstalledAgain = i.Release, true
	case c.base != nil && !c.base.Absent:
		r.Installed, r.InstalledAgain = c.base.Installed, c.base.InstalledAgain
	case i.Version.Chart != nil && i.Version.Chart.Hooks:
		r.Installed = i.Release
	}
	if c.base != nil {
		r.KeepObserved(c.base)
		r.Promotion = c.base.Promotion
		if c.base.Digest == r.Digest {
			r.Commit = c.base.Commit
		}
	}
	return r
}

// valueKeyAfter is the value key of the placement that the record has. Bytes of before there were such keys get one only where they are
// annotated anyway.
func (p *placement) valueKeyAfter(before state.Placement) string {
	if p.carried && before.ValueKey == "" && p.urgentKey == "" {
		return ""
	}
	return p.valueKey
}

// anew names the candidate's version where it brings bytes that another one had brought there before.
func (c *candidate) anew(placed *placement, before state.Placement) string {
	v := c.instance.Version
	switch {
	case c.base == nil || c.base.Absent || before.Revision == "" || before.Revision != placed.revision:
		return ""
	case cmp.Or(before.Version, c.base.Version) == v.Number.String() && c.base.Offering == v.Offering:
		return before.Anew
	}
	return v.Number.String()
}

// sameRelease compares records as files, where they are not different at first sight: decoding may have told an empty
// map from none.
func sameRelease(a, b *state.Release) bool {
	if a.Digest != b.Digest || !maps.Equal(a.Clusters, b.Clusters) {
		return false
	}
	return reflect.DeepEqual(a, b) || a.WritesAs(b)
}

// keepsRelease reports whether the candidate is of the release that runs, and changes for the sake of others only.
func (c *candidate) keepsRelease() bool {
	return c.base != nil && !c.base.Absent && c.next != nil && c.next.Digest == c.base.Digest
}

// runs reports whether the environment runs the candidate's request already, for the same offering.
func (c *candidate) runs() bool {
	return c.base != nil && !c.base.Absent && c.base.Offering == c.instance.Offering.Name
}
