package console

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
)

// hints help to fill in a field.
type hints struct {
	Example    string   // a value that it takes
	Conditions []string // rules that it is one part of, and the optional parts of the version that depend on it
}

// exampleOf is a value that a schema takes, for a person who does not know which; empty: its type says enough.
func exampleOf(property map[string]any, sample func(schema map[string]any) any) string {
	if example, ok := property["example"]; ok {
		return text(example)
	}
	_, chosen := property["enum"]
	_, preset := property["default"]
	_, shaped := property["pattern"]
	if sample == nil || chosen || preset || !shaped {
		return ""
	}
	value := sample(property)
	if said := text(value); value != nil && !strings.EqualFold(said, "example") { // which says nothing
		return said
	}
	return ""
}

// A rule is one over the values of an object: the text for people, and the parameters that it is about.
type rule struct {
	text  string
	about []string // paths
}

// rulesOf are those over several parameters of a version, in words.
func rulesOf(v *platform.Version) (all []string) {
	if v.Parameters == nil {
		return nil
	}
	for _, one := range rulesIn(v.Parameters.OpenAPI(), "") {
		all = append(all, one.text)
	}
	return all
}

// rulesBeside are those that no field tells.
func rulesBeside(fields []field, v *platform.Version) []string {
	return slices.DeleteFunc(rulesOf(v), func(said string) bool {
		return slices.ContainsFunc(fields, func(f field) bool { return slices.Contains(f.Conditions, said) })
	})
}

// reads finds the fields that an expression reads of a variable, such as self.a.b.
var reads = map[string]*regexp.Regexp{
	"self":       regexp.MustCompile(`\bself\.([A-Za-z_][A-Za-z0-9_.]*)`),
	"parameters": regexp.MustCompile(`\bparameters\.([A-Za-z_][A-Za-z0-9_.]*)`),
}

// readsOf are the paths that an expression reads of a variable, below a path.
func readsOf(expression, variable, below string) (paths []string) {
	for _, found := range reads[variable].FindAllStringSubmatch(expression, -1) {
		path := below + strings.ReplaceAll(strings.TrimSuffix(found[1], "."), "__dash__", "-")
		if !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// rulesIn are the rules of an object's schema, and of the objects in it.
func rulesIn(schema map[string]any, below string) (all []rule) {
	rules, _ := schema["x-kubernetes-validations"].([]any)
	for _, one := range rules {
		of, _ := one.(map[string]any)
		expression, _ := of["rule"].(string)
		said, _ := of["message"].(string)
		if said == "" {
			said = expression
		}
		about := readsOf(expression, "self", below)
		if len(about) == 0 {
			about = []string{strings.TrimSuffix(below, ".")}
		}
		all = append(all, rule{said, about})
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		property, _ := properties[name].(map[string]any)
		all = append(all, rulesIn(property, below+name+".")...)
	}
	return all
}

// addConditions tells at each field the rules that are about it, and the optional parts of the version that depend on it.
func addConditions(fields []field, v *platform.Version, schema map[string]any) {
	rules := rulesIn(schema, "")
	for _, part := range v.Components {
		if part.When != nil {
			rules = append(rules, rule{"the part " + part.Path + " is there when " + part.When.Source, readsOf(part.When.Source, "parameters", "")})
		}
	}
	for i := range fields {
		f := &fields[i]
		for _, one := range rules {
			if slices.ContainsFunc(one.about, func(path string) bool { return isAround(path, f.Path) }) {
				f.Conditions = append(f.Conditions, one.text)
			}
		}
	}
}

// isAround says whether one of two paths is the other, or leads to it. The methods of values, such as size(), are no steps of a path.
func isAround(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+".") || strings.HasPrefix(b, a+".")
}

// plan adds the plan of a form's file where a person asked for it, and may see it.
func (c ofRequests) plan(r *http.Request, m *model, f *formPage, team string) {
	who := c.Person(r)
	if c.PlanDraft == nil || !f.Fine() || who.In == nil || !who.In(team) {
		return
	}
	now, asked := moment(m), r.URL.Query().Get("plan")
	if f.plan(now, nil); asked == "" {
		return
	}
	made, err := c.PlanDraft(r, team, api.Draft{File: f.File, Content: f.YAML, Asked: asked})
	made.Old = !strings.HasPrefix(asked, now)
	if err != nil {
		made.Why = err.Error()
	}
	if made.Plan.Failed && !made.Old { // a page that is open asks the same; a person who presses the button asks anew
		now = fmt.Sprintf("%s-%d", now, made.Plan.Made.Unix())
	}
	f.plan(now, &made)
}

// moment is a text that is another one once the platform or a state moved: a plan that is looked at stays until a person asks for a newer
// one, or each change of a state would have it made again.
func moment(m *model) string {
	sum := sha256.New()
	fmt.Fprintln(sum, m.Platform.Commit)
	for _, e := range m.Environments {
		fmt.Fprintln(sum, e.Name, e.StateCommit)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}
