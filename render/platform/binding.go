package platform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"transom.dev/render/wording"
)

// BoundTo returns the requests that a request is bound to in an environment, by the name of the binding.
func (r *Request) BoundTo(env string) map[string]RequestKey {
	own, override := r.Spec.Bindings, r.Spec.Environments[env].Bindings
	if len(own)+len(override) == 0 {
		return nil
	}
	out := make(map[string]RequestKey, len(own)+len(override))
	for _, bindings := range []map[string]string{own, override} {
		for name, request := range bindings {
			out[name] = RequestKey{r.Key.Team, request}
		}
	}
	return out
}

// At returns a Problem that stands at a field of an instance's file, for the caller to add the message. In recorded content
// that the head has moved on from no line has that field any more.
func (p *Platform) At(i *Instance, field string) Problem {
	problem := p.fileOf(i).document("").at(field, "", "")
	problem.Request = &i.Request.Key
	return problem
}

// fileOf returns the file of an instance: the head's, with its text, where the instance is of that.
func (p *Platform) fileOf(i *Instance) *requestFile {
	if t := p.teams[i.Request.Key.Team]; t != nil {
		if r := t.resolved[i.Request.Key]; r != nil && r.file.request == i.Request {
			return r.file
		}
	}
	return &requestFile{request: i.Request}
}

// BindingField says where a request's file binds a name in an environment.
func (i *Instance) BindingField(name string) string {
	return bindingField(i.Request, i.Environment.Name, name)
}

func bindingField(r *Request, env, name string) string {
	if _, overridden := r.Spec.Environments[env].Bindings[name]; overridden {
		return "spec.environments." + env + ".bindings." + name
	}
	return "spec.bindings." + name
}

// checkBindings checks the bindings of a request against those that its version declares.
func checkBindings(d *document, r *Request, env string, v *Version) {
	bound := r.BoundTo(env)
	for _, name := range sortedKeys(bound) {
		if _, declared := v.Bindings[name]; !declared && !d.full() {
			d.problem(bindingField(r, env, name), "unknown-binding", "%s has no such binding%s", v, orThereIs(name, v.Bindings))
		}
	}
	for _, name := range sortedKeys(v.Bindings) {
		if _, given := bound[name]; !given && v.Bindings[name].Required {
			d.problem("spec.bindings", "required", "%s needs a binding %s: the name of a request of team %s for %s",
				v, name, r.Key.Team, strings.Join(v.Bindings[name].Offerings, " or "))
		}
	}
}

// A binder checks bindings between requests, which takes all of their team.
type binder struct {
	platform *Platform
	team     *team
	cycles   map[edge]string // bindings that form a cycle, with the text of the cycle
}

// bind returns a request's resolutions with those broken whose bindings are wrong, and its Problems.
func (b *binder) bind(r *resolved) (map[string]*resolution, []Problem) {
	in, wrong := r.in, false
	for env, resolution := range r.in {
		if resolution.instance == nil || len(resolution.instance.Bindings) == 0 {
			continue
		}
		problems := b.checkProviders(r, resolution.instance)
		if len(problems) == 0 {
			continue
		}
		if !wrong {
			in, wrong = maps.Clone(r.in), true
		}
		broken := *resolution
		broken.instance = nil
		broken.problems = slices.Concat(resolution.problems, problems)
		in[env] = &broken
	}
	if !wrong {
		return in, r.problems
	}
	return in, acrossEnvironments(in)
}

// checkProviders looks at the requests that an instance is bound to: whether each is there and in the environment, is of an offering
// that the version expects, and has the outputs that it reads. A request that cannot be read is not reported: it may be all
// right.
func (b *binder) checkProviders(r *resolved, i *Instance) []Problem {
	d := r.file.document(i.Environment.Name)
	for _, name := range sortedKeys(i.Bindings) {
		field, key, env := i.BindingField(name), i.Bindings[name], i.Environment.Name
		provider := b.team.resolved[key]
		if provider == nil {
			if !b.platform.tree.mayExist(key.File()) && !b.team.names(key.Name) && b.team.files.unread == 0 {
				d.problem(field, "unknown-request", "team %s has no request %q%s", key.Team, wording.Shorten(key.Name), b.orTheTeamHas(key))
			}
			continue
		}
		if provider.request.Broken {
			continue
		}
		misfits := provider.misfits(i.Version, name, env)
		for _, misfit := range misfits {
			d.problem(field, "binding", "%s", misfit)
		}
		if cycle := b.cycles[edge{env, i.Request.Key, name}]; cycle != "" && len(misfits) == 0 {
			d.problem(field, "cycle", "is one of the bindings that go round in a circle, %s; remove one of them", cycle)
		}
	}
	return d.problems
}

// misfits says why a version cannot be bound to a request in an environment, by the name of the binding; none: it can.
func (r *resolved) misfits(v *Version, binding, env string) (reasons []string) {
	spec := r.file.request.Spec
	_, placed := spec.Environments[env]
	switch allowed := v.Bindings[binding].Offerings; {
	case !slices.Contains(allowed, spec.Offering):
		return []string{fmt.Sprintf("%s is a request for %s; %s takes %s there", r.request.Key, spec.Offering, v, strings.Join(allowed, " or "))}
	case !placed:
		return []string{fmt.Sprintf("%s is not in %s; add the environment to it", r.request.Key, env)}
	case r.in[env] == nil || r.in[env].instance == nil:
		return nil
	}
	provider := r.in[env].instance
	for _, output := range v.reads[binding] {
		if !provider.Version.puts(output) {
			reasons = append(reasons, fmt.Sprintf("%s is %s, which has no output %q%s", r.request.Key, provider.Version, output,
				wording.Suggest(output, provider.Version.outputNames())))
		}
	}
	return reasons
}

// Misfits says why a request that would have a version cannot be bound to one of its team in an environment, by the name of the binding; none: it
// can. One that cannot be read, or that is still deferred, may be all right.
func (p *Platform) Misfits(v *Version, binding string, to RequestKey, environment string) []string {
	t := p.teams[to.Team]
	if t == nil || t.resolved[to] == nil || t.resolved[to].request.Broken {
		return nil
	}
	return t.resolved[to].misfits(v, binding, environment)
}

// RequestsOf returns the requests of a team, sorted by name. They are not to be changed.
func (p *Platform) RequestsOf(team string) []*Request {
	if t := p.teams[team]; t != nil {
		return t.requests
	}
	return nil
}

// orTheTeamHas ends a message with the request that was probably meant, or with the team's where they are few.
func (b *binder) orTheTeamHas(key RequestKey) string {
	known := b.team.files.requests
	hint := hints(len(known), known).suggest(key.Name)
	if hint == "" && len(known) <= 10 {
		hint = "; there is " + wording.List(sortedKeys(known))
	}
	return hint
}

// Lacks names the outputs that the instance's version reads of a binding and that are not among these.
func (i *Instance) Lacks(binding string, outputs map[string]any) (names []string) {
	for _, name := range i.Version.reads[binding] {
		if _, ok := outputs[name]; !ok {
			names = append(names, name)
		}
	}
	return names
}

func (v *Version) puts(output string) bool { return slices.Contains(v.outputNames(), output) }

func (v *Version) outputNames() (names []string) {
	for _, e := range v.Outputs {
		names = append(names, e.Name)
	}
	for _, o := range v.Observed {
		names = append(names, o.Name)
	}
	return names
}
