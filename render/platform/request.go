package platform

import (
	"fmt"
	"strings"

	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

// requestFile is a request as its file says it, before any offering or environment is looked at.
type requestFile struct {
	request  *Request
	source   source // to find a field's position again
	named    string // as it calls itself
	problems []Problem

	// wrong has the environments whose overrides have a Problem: the request is broken there only.
	wrong map[string]bool

	sealed map[string]*file // the sealed values, by environment
}

// decodeRequest reads requests/<team>/<name>.yaml.
func decodeRequest(d *document, key RequestKey, text source) *requestFile {
	r := &Request{Key: key, File: d.path}
	o, ok := read[RequestSpec](d, "Request", key.Name)
	if ok {
		r.Spec = o.Spec
		checkRequest(d, o.Spec)
	}
	d.checkName(key.Name, maxRequestName)
	checkTeam(d, key.Team)
	f := &requestFile{request: r, source: text, named: o.Metadata.Name, wrong: map[string]bool{}}
	f.problems, r.Broken = attribute(d.problems, r.Spec, f.wrong)
	r.Broken = r.Broken || d.opaque
	return f
}

func checkTeam(d *document, team string) {
	if wrong := wrongName(team, maxLabel); wrong != "" {
		d.add(Problem{File: d.path, Rule: "name", Message: fmt.Sprintf("the team's folder %q %s", wording.Shorten(team), wrong)})
	} else if ReservedNamespace(team) {
		message := fmt.Sprintf("no team may be called %q: %s", team, reserved)
		d.add(Problem{File: d.path, Rule: "reserved", Message: message})
	}
}

func checkRequest(d *document, s RequestSpec) {
	if d.object.Has("spec.version") {
		checkConstraint(d, "spec.version", s.Version)
	}
	if d.object.Has("spec.environments") && len(s.Environments) == 0 {
		d.problem("spec.environments", "required", "must name at least one environment; delete the file to remove the request everywhere")
	}
	for _, env := range sortedKeys(s.Environments) {
		field := "spec.environments." + env
		if d.object.Has(field + ".version") {
			checkConstraint(d, field+".version", s.Environments[env].Version)
		}
	}
}

// attribute gives each Problem below spec.environments.<environment> to that environment, where it is the only one
// that the Problem costs anything. Any other Problem that blocks breaks the whole request.
func attribute(problems []Problem, s RequestSpec, wrong map[string]bool) (out []Problem, whole bool) {
	for _, p := range problems {
		if env := environmentOf(p.Field, s.Environments); env != "" {
			p.Environment = env
			wrong[env] = wrong[env] || !p.Warning
		} else {
			whole = whole || !p.Warning
		}
		out = append(out, p)
	}
	return out, whole
}

// environmentOf names the environment whose override a field is in, or none.
func environmentOf[V any](field string, environments map[string]V) string {
	rest, ok := strings.CutPrefix(field, "spec.environments.")
	if !ok {
		return ""
	}
	return fieldpath.FirstKey(environments, rest)
}
