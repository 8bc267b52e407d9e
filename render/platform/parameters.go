package platform

import (
	"path"

	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/schema"
)

// merged is a request's parameters in one environment, which depend on nothing but its file and the version.
type merged struct {
	file    *requestFile
	version string // its digest

	parameters map[string]any
	most, done schema.Work
	release    string
	problems   []Problem
	long       []Problem // texts that are longer than a new request may have them
}

// mergeParameters merges, defaults and validates a request's parameters in one environment.
func mergeParameters(f *requestFile, env string, v *Version) *merged {
	return mergeWithin(f, env, v, schema.AllWork)
}

// mergeWithin is mergeParameters where each of very many requests may take so much work. Of a version that runs a request may take some
// times as much, which nobody knows before it is rendered.
func mergeWithin(f *requestFile, env string, v *Version, most schema.Work) *merged {
	spec := f.request.Spec
	m := &merged{file: f, version: v.Digest, most: most}
	given := mergePatch(spec.Parameters, spec.Environments[env].Parameters)
	parameters, done, wrong := v.Parameters.CompleteWithin(given, most.Times(takenTimes))
	m.parameters, m.done = parameters, done
	d := f.document(env)
	for _, w := range wrong {
		if w.Rule == schema.RuleTooMuchWork {
			d.add(f.costly(env, v, w.Message))
			continue
		}
		field := f.parameter(env, w.Field)
		if w.Rule == "too-large" && w.Field == "" {
			field = "spec.parameters" // and those of the environment
		}
		d.problem(field, w.Rule, "%s", w.Message)
	}
	m.problems = d.problems
	long := f.document(env)
	for _, w := range v.Parameters.LongTexts(m.parameters) {
		long.problem(f.parameter(env, w.Field), w.Rule, "%s", w.Message)
	}
	if m.long = long.problems; len(m.problems) == 0 && most.Exceeded(done) != "" {
		m.long = append(m.long, f.costly(env, v, most.Exceeded(done)))
	}
	if !broken(m.problems) {
		m.release = release(f.request, v)
	}
	return m
}

// fits reports whether the parameters come to the same where each request may take so much work.
func (m *merged) fits(most schema.Work) bool {
	light := m.most.Exceeded(m.done) == "" && most.Exceeded(m.done) == ""
	return light || m.most == most
}

// costly is the Problem of a version whose schema takes too much work for each of its requests.
func (f *requestFile) costly(env string, v *Version, exceeded string) Problem {
	return Problem{
		File: path.Join(v.Dir, "version.yaml"), Field: "spec.parameters", Rule: schema.RuleTooMuchWork, Environment: env, Request: &f.request.Key,
		Message: exceeded + ", as much as each request may take by how many there are; let it do less",
	}
}

// parameter says where a file sets a merged parameter: in the environment's override, or in the request's own where
// that has more of its path.
func (f *requestFile) parameter(env, field string) string {
	own, override := f.request.Spec.Parameters, f.request.Spec.Environments[env].Parameters
	base := "spec.parameters"
	n := depth(override, field)
	overridden := n > 0 && n >= depth(own, field)
	someOverridden := field == "" && len(override) > 0
	if overridden || someOverridden {
		base = "spec.environments." + env + ".parameters"
	}
	if field == "" {
		return base
	}
	return fieldpath.Join(base, field)
}

// parametersField is a field of the parameters in a file.
func parametersField(field string) string {
	if field == "" {
		return "spec.parameters"
	}
	return fieldpath.Join("spec.parameters", field)
}

// depth says how many characters of a path a value follows.
func depth(value map[string]any, path string) int {
	for at := len(path); at > 0; at-- {
		if at < len(path) && path[at] != '.' && path[at] != '[' {
			continue
		}
		if _, ok := fieldpath.Lookup(value, path[:at]); ok {
			return at
		}
	}
	return 0
}

// release is the digest of a request's content with a version. A Hold belongs to no release.
func release(r *Request, v *Version) string {
	return Digest(map[string]any{
		"team": r.Key.Team, "name": r.Key.Name, "request": r.Spec.Released(), "version": v.Number.String(), "versionDigest": v.Digest,
	})
}

// document starts a list of Problems of a request in one environment.
func (f *requestFile) document(env string) *document {
	return &document{path: f.request.File, source: &f.source, request: &f.request.Key, environment: env}
}
