package platform

import (
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/Masterminds/semver/v3"
)

// contents are the instances of content that state repositories have recorded. They are shared by the Platforms of one
// Loader, which may be asked from several goroutines.
type contents struct {
	mutex sync.Mutex
	known map[string]*environmentContents
}

// environmentContents are those of one environment. Content that nobody asked for during a whole generation of requests is
// dropped.
type environmentContents struct {
	mutex    sync.Mutex
	new, old map[RequestKey][]*content // in the order of their arrival
}

const (
	maxContents        = 16 // of one request: more releases than a Release file names are not asked for
	contentsGeneration = 1 << 15
)

// content is the resolution of one recorded release of a request in an environment. It is valid for as long as the values
// that it was resolved with are the same: the environments with their clusters, and the offering.
type content struct {
	specs                        []*RequestSpec // equal ones, as several records have it
	version, versionDigest, file string

	stages   *stages
	offering *Offering
	sealed   map[string]*file // of the request, by environment

	request  *requestFile
	merged   *merged
	instance *Instance
	problems []Problem
}

// InstanceOf resolves recorded content in an environment, as the head says that environments, clusters and versions are:
// the spec of a request, whose file it names for Problems, with the version of that number, which must still be the one
// that was recorded. Where the spec names a version for this very environment, that wins. The lifecycle of the version is
// not looked at, for a release stays as it was released.
//
// An instance comes without Problems; without an instance Problems say why, and where there are none the content does not
// place the request in the environment. Content that is the head's own is the head's instance, and the same pointer comes
// back for the same content for as long as nothing that it depends on changes.
func (p *Platform) InstanceOf(environment string, k RequestKey, spec *RequestSpec, version, versionDigest, file string) (*Instance, []Problem) {
	if spec == nil {
		return nil, nil
	}
	if _, placed := spec.Environments[environment]; !placed {
		return nil, nil
	}
	known := p.contents.in(environment)
	known.mutex.Lock()
	defer known.mutex.Unlock()
	c := known.find(k, spec, version, versionDigest, file)
	if !p.stages.comesTo(c.stages, c.merged) || c.offering != p.Offerings[spec.Offering] || c.offering == nil || !maps.Equal(c.sealed, sealedOf(p, k)) {
		c.resolve(p, environment, k)
	}
	return c.instance, c.problems
}

func (c *contents) in(environment string) *environmentContents {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.known == nil {
		c.known = map[string]*environmentContents{}
	}
	if c.known[environment] == nil {
		c.known[environment] = &environmentContents{new: map[RequestKey][]*content{}}
	}
	return c.known[environment]
}

// find returns the content, a new one where it is not known.
func (e *environmentContents) find(k RequestKey, spec *RequestSpec, version, versionDigest, file string) *content {
	all, fresh := e.new[k]
	if !fresh {
		all = e.old[k]
		e.keep(k, all)
	}
	for _, c := range all {
		if c.version == version && c.versionDigest == versionDigest && c.file == file && c.has(spec) {
			return c
		}
	}
	c := &content{specs: []*RequestSpec{spec}, version: version, versionDigest: versionDigest, file: file}
	e.keep(k, append(all[max(0, len(all)+1-maxContents):len(all):len(all)], c))
	return c
}

func (e *environmentContents) keep(k RequestKey, all []*content) {
	if len(e.new) >= contentsGeneration {
		e.old, e.new = e.new, map[RequestKey][]*content{}
	}
	e.new[k] = all
}

// has compares by value once per record, and then by pointer.
func (c *content) has(spec *RequestSpec) bool {
	if slices.Contains(c.specs, spec) {
		return true
	}
	if !reflect.DeepEqual(c.specs[0], spec) {
		return false
	}
	const records = 8
	c.specs = append(c.specs[max(0, len(c.specs)+1-records):len(c.specs):len(c.specs)], spec)
	return true
}

// resolve resolves the content with this platform.
func (c *content) resolve(p *Platform, environment string, k RequestKey) {
	spec := c.specs[0]
	c.stages, c.offering, c.sealed = p.stages, p.Offerings[spec.Offering], sealedOf(p, k)
	if c.instance, c.problems = c.own(p, environment, k), nil; c.instance != nil {
		return
	}
	if c.request == nil {
		c.request = &requestFile{request: &Request{Key: k, File: c.file, Spec: *spec}}
	}
	c.request = c.request.sealing(c.sealed)
	d := c.request.document(environment)
	if e := p.Environments[environment]; e == nil || e.Broken {
		d.problem("spec.environments."+environment, ruleBroken, "environment %s has a Problem", environment)
	}
	if !d.broken() {
		checkRequested(p, d, c.request.request)
	}
	if d.broken() {
		c.problems = d.problems
		return
	}
	in := resolveAs(d, c.request, environment, c.versionOf(d, environment), c.offering, p.stages, c.merged)
	c.instance, c.merged = in.instance, in.merged
	if c.instance == nil {
		c.problems = in.problems
	}
}

// own returns the head's instance where that is of this very content, before it is bound to the head's other requests:
// recorded content is bound to the releases that the environment runs.
func (c *content) own(p *Platform, environment string, k RequestKey) *Instance {
	if p.teams[k.Team] == nil || p.teams[k.Team].resolved[k] == nil {
		return nil
	}
	in := p.teams[k.Team].resolved[k].in[environment]
	if in == nil || in.instance == nil || in.instance.Request.File != c.file {
		return nil
	}
	i := in.instance
	recorded := i.Version.Number.String() == c.version && i.Version.Digest == c.versionDigest
	if !recorded && c.allows(environment) {
		return nil
	}
	if !reflect.DeepEqual(i.Request.Spec.Released(), c.specs[0]) {
		return nil
	}
	return i
}

// versionOf returns the version that was recorded, or nil.
func (c *content) versionOf(d *document, environment string) *Version {
	if !c.allows(environment) {
		return selectVersion(d, c.request, environment, c.offering)
	}
	for _, v := range c.offering.Versions {
		if v.Number.String() != c.version {
			continue
		}
		switch {
		case v.Digest != c.versionDigest:
			d.problem("spec.version", "version-changed", "%s was changed after it had been released; restore it and publish the change as a new version", v)
			return nil
		case v.Broken:
			d.problem("spec.version", ruleBroken, "%s has a Problem; see %s", v, v.Dir)
			return nil
		}
		return v
	}
	if c.versionDigest == "" { // somebody named it, and no record does
		d.problem("spec.version", "unknown-version", "%s has no version %s; published: %s", c.offering.Name, c.version, c.offering.published())
		return nil
	}
	d.problem("spec.version", "version-removed", "%s@%s was removed after it had been released; restore it, and set its lifecycle to withdrawn in %s "+
		"to move its requests to another version", c.offering.Name, c.version, c.offering.File)
	return nil
}

// allows says whether the environment takes the recorded version: it names no other range by an override, or one that the
// version is in. A version that it has taken stays, however many newer ones are published.
func (c *content) allows(environment string) bool {
	override := c.specs[0].Environments[environment].Version
	if override == "" {
		return true
	}
	constraint, err := semver.NewConstraint(override)
	version, none := semver.StrictNewVersion(c.version)
	return err == nil && none == nil && constraint.Check(version)
}

// Released is the part of a request that a release records: a Hold is read at the head and belongs to none.
func (s *RequestSpec) Released() *RequestSpec {
	held := false
	for _, environment := range s.Environments {
		held = held || environment.Hold
	}
	if !held {
		return s
	}
	released := *s
	released.Environments = make(map[string]RequestEnvironment, len(s.Environments))
	for name, environment := range s.Environments {
		environment.Hold = false
		released.Environments[name] = environment
	}
	return &released
}
