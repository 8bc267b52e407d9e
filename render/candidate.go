package render

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"transom.dev/render/internal/kustomize"
	"transom.dev/render/platform"
)

// A candidate is an instance on its way to a release: it succeeds on all its clusters or keeps all it has.
type candidate struct {
	instance   *platform.Instance
	base       *platform.Release // nil: new here
	placements []*placement      // sorted by cluster
	kept       map[string]platform.ReleasePlacement
	outputs    map[string]any
	problems   []platform.Problem
}

// A placement is an instance on one cluster.
type placement struct {
	cluster   *platform.Cluster
	inputs    platform.Inputs
	key       string // the render key
	revision  string
	wrapper   *kustomize.Wrapper
	manifest  []byte // nil where the base's bytes are carried over
	carried   bool
	namespace string // empty for a cluster-scoped version
}

func (c *candidate) key() platform.RequestKey { return c.instance.Request.Key }

// broken reports whether a Problem keeps the candidate where it is.
func (c *candidate) broken() bool {
	return slices.ContainsFunc(c.problems, func(p platform.Problem) bool { return !p.Warning })
}

// add reports Problems as the candidate's own, each once: most concern all of its clusters.
func (c *candidate) add(problems ...platform.Problem) {
	k := c.key()
	for _, p := range problems {
		p.Environment, p.Request = c.instance.Environment.Name, &k
		if p.File == "" {
			p.File = c.instance.Request.File
		}
		if !slices.ContainsFunc(c.problems, func(known platform.Problem) bool { return known.String() == p.String() }) {
			c.problems = append(c.problems, p)
		}
	}
}

func (c *candidate) report(file, rule, format string, args ...any) {
	c.add(platform.Problem{File: file, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

// prepare finds out what the candidate's placements depend on, and builds those whose render key changed.
func (p *pass) prepare(c *candidate) {
	c.add(p.renderer.guard(versionTree(c.instance.Version))...)
	if c.broken() {
		return
	}
	p.keepUnreadable(c)
	for _, cluster := range c.instance.Clusters {
		if cluster.Broken {
			continue
		}
		p.place(c, cluster)
	}
	if c.broken() {
		return
	}
	for _, placement := range c.placements {
		if !placement.carried {
			p.render(c, placement)
		}
	}
}

// keepUnreadable carries over the placements on clusters whose file cannot be read: what runs there stays.
func (p *pass) keepUnreadable(c *candidate) {
	c.kept = map[string]platform.ReleasePlacement{}
	if c.base == nil {
		return
	}
	for name, placement := range c.base.Clusters {
		if cluster := p.platform.Clusters[name]; cluster != nil && cluster.Broken {
			c.kept[name] = placement
		}
	}
}

// place evaluates the instance for one cluster and decides whether the base's bytes still hold.
func (p *pass) place(c *candidate, cluster *platform.Cluster) {
	inputs, problems := c.instance.Inputs(cluster, nil)
	c.add(problems...)
	if len(problems) > 0 {
		return
	}
	if c.outputs == nil {
		outputs, problems := c.instance.Outputs(inputs)
		c.add(problems...)
		c.outputs = outputs
	}
	placed := &placement{cluster: cluster, inputs: inputs, key: renderKey(c.instance, inputs)}
	if c.instance.Version.Scope != platform.ClusterScoped {
		placed.namespace = inputs.Namespace
	}
	if c.base != nil {
		before := c.base.Clusters[cluster.Name]
		placed.carried = before.RenderKey == placed.key
		placed.revision = before.Revision
	}
	c.placements = append(c.placements, placed)
}

// renderKey is the digest of all that a placement's bytes depend on. The version's digest covers its version.yaml,
// and with it the condition of every component.
func renderKey(i *platform.Instance, in platform.Inputs) string {
	overlays := []string{}
	for _, overlay := range i.Environment.Overlays {
		overlays = append(overlays, overlay.Digest)
	}
	return platform.Digest(map[string]any{
		"inputs":   in.Map(),
		"offering": i.Offering.Name,
		"version":  i.Version.Digest,
		"overlays": overlays,
	})
}

// release is the record of a candidate that succeeded: the base's own where nothing in it changes.
func (p *pass) release(c *candidate) *platform.Release {
	i := c.instance
	r := &platform.Release{
		Key:           c.key(),
		Digest:        i.Release,
		Request:       releasedSpec(i.Request.Spec),
		Offering:      i.Offering.Name,
		Version:       i.Version.Number.String(),
		VersionDigest: i.Version.Digest,
		Commit:        p.platform.Commit,
		File:          i.Request.File,
		Clusters:      map[string]platform.ReleasePlacement{},
		Outputs:       c.outputs,
		Scope:         i.Version.Scope,
		Health:        i.Version.Health,
		Ignore:        i.Version.Ignore,
		Deletion:      i.Offering.Deletion,
		Adopt:         i.Request.Spec.Adopt,
	}
	maps.Copy(r.Clusters, c.kept)
	for _, placed := range c.placements {
		r.Clusters[placed.cluster.Name] = platform.ReleasePlacement{
			Revision: placed.revision, RenderKey: placed.key, Namespace: placed.namespace,
		}
	}
	if c.base == nil {
		return r
	}
	if c.base.Digest == r.Digest {
		r.Commit = c.base.Commit
	}
	if sameRelease(c.base, r) {
		return c.base
	}
	return r
}

// releasedSpec is what a release records of a request: hold is read at the head and belongs to none.
func releasedSpec(spec platform.RequestSpec) *platform.RequestSpec {
	environments := make(map[string]platform.RequestEnvironment, len(spec.Environments))
	for name, environment := range spec.Environments {
		environment.Hold = false
		environments[name] = environment
	}
	spec.Environments = environments
	return &spec
}

// sameRelease compares records as files: decoding may have told an empty map from none.
func sameRelease(a, b *platform.Release) bool {
	return reflect.DeepEqual(a, b) || string(a.Encode()) == string(b.Encode())
}
