package platform

import (
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"
)

// resolution is one request in one environment, and what it was resolved from: as long as that stays the same, so
// does it.
type resolution struct {
	file        *requestFile
	offering    *Offering
	environment *Environment
	clusters    []*Cluster

	instance *Instance // nil: broken
	problems []Problem
	merged   *merged
}

// merged is a request's parameters in one environment, which depend on nothing but its file and the version.
type merged struct {
	file       *requestFile
	version    string // digest
	parameters map[string]any
	release    string
	problems   []Problem
}

// resolve makes the instances of every request.
func (l *Loader) resolve(p *Platform) {
	p.instances, p.broken = map[string][]*Instance{}, map[string]map[RequestKey]bool{}
	for name := range p.Environments {
		p.broken[name] = map[RequestKey]bool{}
	}
	next := make(map[RequestKey]map[string]*resolution, len(p.keys))
	for _, key := range p.keys {
		f := p.tree.requests[key].decoded.(*requestFile)
		if !l.checkReferences(p, f) {
			continue
		}
		next[key] = make(map[string]*resolution, len(f.request.Spec.Environments))
		for env := range f.request.Spec.Environments {
			r := l.resolveIn(p, f, env)
			next[key][env] = r
			p.Problems = append(p.Problems, r.problems...)
			if r.instance == nil && p.Environments[env] != nil {
				p.broken[env][key] = true
			} else if r.instance != nil {
				p.instances[env] = append(p.instances[env], r.instance)
			}
		}
	}
	l.resolved = next
}

// checkReferences checks what a request names that is the same everywhere. A request that names an unknown
// environment is broken in all: nobody can tell which of those that it does not name was meant.
func (l *Loader) checkReferences(p *Platform, f *requestFile) bool {
	r := f.request
	if r.Broken {
		return false
	}
	d := &document{path: r.File, request: &r.Key}
	o := p.Offerings[r.Spec.Offering]
	switch {
	case o == nil && p.tree.mayExist("offerings/"+r.Spec.Offering):
		f.problem(d, "spec.offering", "broken", "offering %s has a Problem", r.Spec.Offering)
	case o == nil:
		f.problem(d, "spec.offering", "unknown-offering", "no offering %q%s", shorten(r.Spec.Offering), orThereIs(r.Spec.Offering, sortedKeys(p.Offerings)))
	case len(o.Teams) > 0 && !slices.Contains(o.Teams, r.Key.Team):
		f.problem(d, "spec.offering", "team", "team %s may not request %s; it is for %s", r.Key.Team, o.Name, list(o.Teams))
	}
	for _, env := range sortedKeys(r.Spec.Environments) {
		if p.Environments[env] == nil && !p.tree.mayExist("environments/"+env+".yaml") {
			at := f.position(d, "spec.environments."+env)
			at.Field, at.Rule = "spec.environments", "unknown-environment"
			at.Message = fmt.Sprintf("no environment %q%s", shorten(env), orThereIs(env, sortedKeys(p.Environments)))
			d.add(at)
		}
	}
	if len(d.problems) > 0 {
		p.Problems = append(p.Problems, d.problems...)
		broken := *r
		broken.Broken = true
		p.Requests[r.Key] = &broken
		return false
	}
	return true
}

func orThereIs(name string, known []string) string {
	if hint := suggest(name, known); hint != "" {
		return hint
	}
	return "; there is " + list(known)
}

// resolveIn resolves a request in one environment, or takes it over from the last load.
func (l *Loader) resolveIn(p *Platform, f *requestFile, env string) *resolution {
	o, e, clusters := p.Offerings[f.request.Spec.Offering], p.Environments[env], l.placed[env]
	old := l.resolved[f.request.Key][env]
	if old != nil && old.file == f && old.offering == o && old.environment == e && sameSlice(old.clusters, clusters) {
		return old
	}
	r := &resolution{file: f, offering: o, environment: e, clusters: clusters}
	if f.wrong[env] || e == nil || e.Broken {
		return r
	}
	d := &document{path: f.request.File, request: &f.request.Key, environment: env}
	v := selectVersion(d, f, env, o)
	if v != nil {
		if old != nil && old.merged != nil && old.merged.file == f && old.merged.version == v.Digest {
			r.merged = old.merged
		} else {
			r.merged = mergeParameters(f, env, v)
		}
		d.problems = append(d.problems, r.merged.problems...)
	}
	r.problems = d.problems
	if v != nil && !broken(d.problems) {
		r.instance = &Instance{
			Request: f.request, Environment: e, Offering: o, Version: v, Clusters: clusters,
			Parameters: r.merged.parameters, Release: r.merged.release,
		}
	}
	return r
}

func sameSlice(a, b []*Cluster) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// selectVersion finds the version that a request means in an environment: the highest published one that matches.
// Withdrawn versions never match, experimental ones only by their exact number.
func selectVersion(d *document, f *requestFile, env string, o *Offering) *Version {
	field, want := "spec.version", f.request.Spec.Version
	if own := f.request.Spec.Environments[env].Version; own != "" {
		field, want = "spec.environments."+env+".version", own
	}
	if o.Broken {
		f.problem(d, "spec.offering", "broken", "offering %s has a Problem; see %s", o.Name, o.File)
		return nil
	}
	v, remark := match(o, want)
	if v == nil {
		f.problem(d, field, "unknown-version", "no published version of %s matches %q%s; published: %s", o.Name, shorten(want), remark, o.published())
		return nil
	}
	if v.Broken {
		f.problem(d, field, "broken", "%s has a Problem; see %s", v, v.Dir)
		return nil
	}
	if v.Lifecycle == Deprecated {
		at := f.position(d, field)
		at.Rule, at.Warning, at.Message = "deprecated", true, deprecation(v)
		d.add(at)
	}
	return v
}

func match(o *Offering, want string) (found *Version, remark string) {
	constraint, err := semver.NewConstraint(want)
	if err != nil {
		return nil, ""
	}
	exact, _ := semver.StrictNewVersion(want)
	for _, v := range slices.Backward(o.Versions) {
		if !constraint.Check(v.Number) {
			continue
		}
		switch isExact := exact != nil && exact.Equal(v.Number); {
		case v.Lifecycle == Withdrawn:
			remark = fmt.Sprintf(" (%s is withdrawn%s)", v.Number, because(v.Reason))
		case v.Lifecycle == Experimental && !isExact:
			remark = fmt.Sprintf(" (%s is experimental and is only taken by version: %s)", v.Number, v.Number)
		default:
			return v, ""
		}
	}
	return nil, remark
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func deprecation(v *Version) string {
	text := fmt.Sprintf("%s is deprecated%s", v, because(v.Reason))
	if v.RemoveAfter != "" {
		text += "; it may be removed after " + v.RemoveAfter
	}
	return text
}

// mergeParameters merges, defaults and validates a request's parameters in one environment.
func mergeParameters(f *requestFile, env string, v *Version) *merged {
	spec := f.request.Spec
	m := &merged{file: f, version: v.Digest}
	m.parameters = v.Parameters.Default(mergePatch(spec.Parameters, spec.Environments[env].Parameters))
	d := &document{path: f.request.File, request: &f.request.Key, environment: env}
	for _, wrong := range v.Parameters.validate(m.parameters) {
		f.problem(d, f.parameter(env, wrong.field), wrong.rule, "%s", wrong.message)
	}
	m.problems = d.problems
	if !broken(m.problems) {
		m.release = release(f.request, v)
	}
	return m
}

// parameter says where a file sets a merged parameter: in the environment's override or in the request's own.
func (f *requestFile) parameter(env, field string) string {
	base, override := "spec.parameters", "spec.environments."+env+".parameters"
	if depth(f.request.Spec.Environments[env].Parameters, field) > depth(f.request.Spec.Parameters, field) {
		base = override
	} else if _, set := lookup(f.request.Spec.Environments[env].Parameters, field); set && field != "" {
		base = override
	}
	if field == "" || field[0] == '[' {
		return base + field
	}
	return join(base, field)
}

// depth says how many characters of a path a value follows.
func depth(value map[string]any, path string) int {
	for at := len(path); at > 0; at-- {
		if at < len(path) && path[at] != '.' && path[at] != '[' {
			continue
		}
		if _, ok := lookup(value, path[:at]); ok {
			return at
		}
	}
	return 0
}

// release is the digest of a request's content with a version. A hold belongs to no release.
func release(r *Request, v *Version) string {
	spec := r.Spec
	spec.Environments = make(map[string]RequestEnvironment, len(r.Spec.Environments))
	for name, e := range r.Spec.Environments {
		e.Hold = false
		spec.Environments[name] = e
	}
	return Digest(map[string]any{
		"team": r.Key.Team, "name": r.Key.Name, "request": spec, "version": v.Number.String(), "versionDigest": v.Digest,
	})
}

// problem reports a mistake in a request that needed more than its file to find.
func (f *requestFile) problem(d *document, field, rule, format string, args ...any) {
	p := f.position(d, field)
	p.Rule, p.Message = rule, fmt.Sprintf(format, args...)
	d.add(p)
}

// position finds a field in the file, which is parsed again for it: most files have no Problem, and trees are large.
func (f *requestFile) position(d *document, field string) Problem {
	if d.root == nil {
		again := &document{path: d.path}
		again.parse(f.data)
		d.root = again.root
	}
	return d.make(nil, field, "", "")
}
