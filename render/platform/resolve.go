package platform

import (
	"fmt"
	"slices"

	"transom.dev/render/sealed"
	"transom.dev/render/wording"
)

// resolved is the result of resolving one request in all its environments, with the values that it was resolved from: as
// long as those stay the same, so does it.
type resolved struct {
	file     *requestFile
	offering *Offering
	stages   *stages

	request  *Request
	in       map[string]*resolution // by environment; empty where the request is broken everywhere
	problems []Problem
}

// resolution is one request in one environment.
type resolution struct {
	instance *Instance // nil: broken
	merged   *merged
	problems []Problem
}

// fits reports whether a request comes to the same at these stages.
func (r *resolved) fits(s *stages) bool {
	for _, in := range r.in {
		if !s.comesTo(r.stages, in.merged) {
			return false
		}
	}
	return s.comesTo(r.stages, nil)
}

// resolve resolves one request. Results that did not change since the last time are taken over.
func resolve(p *Platform, f *requestFile, s *stages, last *resolved) *resolved {
	r := &resolved{file: f, offering: p.Offerings[f.request.Spec.Offering], stages: s, request: f.request}
	if f.request.Broken {
		r.problems = f.beside(p, s)
		return r
	}
	if wrong := checkReferences(p, f); len(wrong) > 0 {
		broken := *f.request
		broken.Broken = true
		r.request, r.problems = &broken, f.beside(p, s)
		return r
	}
	r.in = make(map[string]*resolution, len(f.request.Spec.Environments))
	for env := range f.request.Spec.Environments {
		var known *merged
		if last != nil && last.in[env] != nil {
			known = last.in[env].merged
		}
		r.in[env] = resolveIn(f, env, r.offering, s, known)
	}
	r.problems = acrossEnvironments(r.in)
	return r
}

// checkReferences checks the references of a request that are the same in all environments. A request that names an unknown
// environment is broken in all: nobody can tell which of those that it does not name was meant.
func checkReferences(p *Platform, f *requestFile) []Problem {
	r := f.request
	d := f.document("")
	checkRequested(p, d, r)
	checkNamedEnvironments(p, d, r)
	return d.problems
}

// checkNamedEnvironments checks that there are the environments that a request names.
func checkNamedEnvironments(p *Platform, d *document, r *Request) {
	unknown := 0 // on one line there may be very many
	for _, env := range sortedKeys(r.Spec.Environments) {
		if p.Environments[env] == nil {
			unknown++
		}
		if p.Environments[env] == nil && unknown <= maxProblems && !p.tree.mayExist("environments/"+env+".yaml") {
			message := fmt.Sprintf("no environment %q%s", wording.Shorten(env), p.tree.hint("environments/"+env, func() string { return askedByRequests(p, p.Environments).orThereIs(env) }))
			at := d.at("spec.environments."+env, "unknown-environment", message)
			at.Field = "spec.environments"
			d.add(at)
		}
	}
}

// checkRequested checks that there is the offering that a request names, for its team.
func checkRequested(p *Platform, d *document, r *Request) {
	o := p.Offerings[r.Spec.Offering]
	switch {
	case o == nil && p.tree.mayExist("offerings/"+r.Spec.Offering):
		d.problem("spec.offering", ruleBroken, "offering %s has a Problem", r.Spec.Offering)
	case o == nil:
		name := r.Spec.Offering
		hint := p.tree.hint("offerings/"+name, func() string { return askedByRequests(p, p.Offerings).orThereIs(name) })
		d.problem("spec.offering", "unknown-offering", "no offering %q%s", wording.Shorten(name), hint)
	case len(o.Teams) > 0 && !slices.Contains(o.Teams, r.Key.Team):
		d.problem("spec.offering", "team", "team %s may not request %s; it is for %s", r.Key.Team, o.Name, wording.List(o.Teams))
	case o.Broken:
		d.problem("spec.offering", ruleBroken, "offering %s has a Problem; see %s", o.Name, o.File)
	}
}

func orThereIs[V any](name string, known map[string]V) string {
	return orOneOf(name, sortedKeys(known))
}

func orOneOf(name string, names []string) string {
	if hint := wording.Suggest(name, names); hint != "" {
		return hint
	}
	if short := wording.Abbreviated(name, names); short != "" {
		return fmt.Sprintf("; did you mean %q?", short)
	}
	return "; there is " + wording.List(names)
}

// resolveIn resolves a request in one environment.
func resolveIn(f *requestFile, env string, o *Offering, s *stages, known *merged) *resolution {
	switch e := s.environments[env]; {
	case e == nil, e.Broken:
		return &resolution{}
	case f.wrong[env]:
		return f.besideIn(env, o, s)
	}
	d := f.document(env)
	v := selectVersion(d, f, env, o)
	r := resolveAs(d, f, env, v, o, s, known)
	if v == nil && slices.ContainsFunc(r.problems, func(p Problem) bool { return p.Rule == "unknown-version" }) {
		r.problems = append(r.problems, f.byNewest(env, o)...)
	}
	return r
}

// resolveAs resolves a request in one environment with a version, none where there is none to take.
func resolveAs(d *document, f *requestFile, env string, v *Version, o *Offering, s *stages, known *merged) *resolution {
	r := &resolution{}
	var clusters []*Cluster
	var values *sealed.File
	if v != nil {
		r.merged = known
		if known == nil || known.file != f || known.version != v.Digest || !known.fits(s.shareOf(f)) {
			r.merged = mergeWithin(f, env, v, s.shareOf(f))
		}
		d.problems = append(d.problems, r.merged.problems...)
		checkBindings(d, f.request, env, v)
		s.environments[env].checkAccount(d, f.request.Key, v)
		clusters = s.placement(d, env, v)
		values = f.readSealed(d, s.environments[env])
	}
	r.problems = d.problems
	if v != nil && !broken(d.problems) {
		r.instance = &Instance{
			Request: f.request, Environment: s.environments[env], Offering: o, Version: v, Clusters: clusters,
			Parameters: r.merged.parameters, Bindings: f.request.BoundTo(env), Release: r.merged.release,
			Long: r.merged.long, Sealed: values,
		}
	}
	return r
}

// acrossEnvironments reports a Problem once that a request has in all its environments, and names the environment where a
// mistake in their common fields is one in some of them only.
func acrossEnvironments(in map[string]*resolution) (out []Problem) {
	type identity struct {
		field, message string
		line, column   int
	}
	of := func(p Problem) identity { return identity{p.Field, p.Message, p.Line, p.Column} }
	times := map[identity]int{}
	for _, r := range in {
		for _, p := range r.problems {
			times[of(p)]++
		}
	}
	for _, env := range sortedKeys(in) {
		for _, p := range in[env].problems {
			switch n := times[of(p)]; {
			case n == len(in) && len(in) > 1:
				times[of(p)] = -1
				p.Environment = ""
				out = append(out, p)
			case n > 0:
				if environmentOf(p.Field, in) == "" && len(in) > 1 && p.Rule != ruleSealed {
					p.Message += " (in " + env + ")"
				}
				out = append(out, p)
			}
		}
	}
	return out
}
