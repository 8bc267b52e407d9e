package platform

import (
	"strings"

	"transom.dev/render/wording"
)

// Problems of the offering, version and environments that a request names are reported beside the Problems of its own text,
// so that one mistake hides no other. Of a field that has a Problem, or that an unknown one was probably meant to be,
// nothing more is said.

// beside finds, for a request that is broken in all environments, the Problems that come of the objects that it names.
func (f *requestFile) beside(p *Platform, s *stages) (problems []Problem) {
	if f.request.Spec.Offering == "" && !f.doubtful("spec.offering") {
		return nil // nothing of it could be read
	}
	d := f.document("")
	if !f.doubtful("spec.offering") {
		checkRequested(p, d, f.request)
	}
	offered := !d.broken() && !f.doubtful("spec.offering")
	if !f.doubtful("spec.environments") {
		checkNamedEnvironments(p, d, f.request)
	}
	if !offered {
		return d.problems
	}
	in := map[string]*resolution{}
	for env := range f.request.Spec.Environments {
		if e := s.environments[env]; e != nil && !e.Broken {
			in[env] = f.besideIn(env, p.Offerings[f.request.Spec.Offering], s)
		}
	}
	return append(d.problems, acrossEnvironments(in)...)
}

// besideIn finds, for a request that is broken in an environment, the Problems there that come of the objects that it names.
func (f *requestFile) besideIn(env string, o *Offering, s *stages) *resolution {
	d, own := f.document(env), "spec.environments."+env
	if f.doubtful(own) {
		return &resolution{}
	}
	var v *Version
	if !f.doubtful("spec.version") && !f.doubtful(own+".version") {
		v = selectVersion(d, f, env, o)
	}
	if v == nil {
		return &resolution{problems: append(d.problems, f.byNewest(env, o)...)}
	}
	if !f.doubtful("spec.parameters") && !f.doubtful(own+".parameters") {
		d.problems = append(d.problems, mergeWithin(f, env, v, s.shareOf(f)).problems...)
	}
	if !f.doubtful("spec.bindings") && !f.doubtful(own+".bindings") {
		checkBindings(d, f.request, env, v)
	}
	s.placement(d, env, v)
	f.readSealed(d, s.environments[env])
	return &resolution{problems: d.problems}
}

// byNewest are the Problems of a request's parameters as the newest version of its offering sees them: those of the request whose version
// there is not. Where that version is broken, nothing is known of them.
func (f *requestFile) byNewest(env string, o *Offering) (problems []Problem) {
	newest, _ := match(o, "*")
	own := f.request.Spec.Environments[env].Version != "" // others may have a version that is there
	if own || newest == nil || newest.Broken || f.doubtful("spec.parameters") || f.doubtful("spec.environments."+env+".parameters") {
		return nil
	}
	for _, p := range mergeParameters(f, env, newest).problems {
		p.Message += " (in " + newest.String() + ", the newest version)"
		problems = append(problems, p)
	}
	return problems
}

// doubtful says whether a field could not be read as it was meant.
func (f *requestFile) doubtful(field string) bool {
	parent, name := "", field
	if i := strings.LastIndexByte(field, '.'); i >= 0 {
		parent, name = field[:i], field[i+1:]
	}
	for _, p := range f.problems {
		if p.Warning || p.Field == "" {
			continue
		}
		if p.Field == field || strings.HasPrefix(field, p.Field+".") {
			return true
		}
		if p.Rule != "unknown-field" {
			if name != "environments" && strings.HasPrefix(p.Field, field+".") {
				return true
			}
			continue
		}
		if last, beside := strings.CutPrefix(p.Field, parent+"."); beside && wording.Closest(last, []string{name}) != "" {
			return true
		}
	}
	return false
}
