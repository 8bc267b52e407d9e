package platform

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"transom.dev/render/internal/fieldpath"
)

// OpenAPI returns the schema as a generic OpenAPI v3 object, for people and their tools to read.
func (s *Schema) OpenAPI() map[string]any {
	data, err := json.Marshal(s.structural.ToKubeOpenAPI())
	if err != nil {
		// It came from JSON and was compiled since.
		panic(fmt.Sprintf("write a compiled schema: %v", err))
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		panic(fmt.Sprintf("read a compiled schema: %v", err))
	}
	return out
}

// Version returns the version of a number; nil: there is none, or no offering.
func (o *Offering) Version(number string) *Version {
	if o == nil {
		return nil
	}
	if i := slices.IndexFunc(o.Versions, func(v *Version) bool { return v.Number.String() == number }); i >= 0 {
		return o.Versions[i]
	}
	return nil
}

// Match returns the version that a constraint means, as resolving a request does, or nil where none matches. It may
// be Broken.
func (o *Offering) Match(constraint string) *Version {
	v, _ := match(o, constraint)
	return v
}

// As returns the instance as it would be with another version of its offering: its request's parameters merged,
// defaulted and validated for that one.
func (i *Instance) As(v *Version) (*Instance, []Problem) {
	spec := i.Request.Spec
	other := *i
	other.Version = v
	given := mergePatch(spec.Parameters, spec.Environments[i.Environment.Name].Parameters)
	if wrong := v.Parameters.outgrown(given); wrong != "" {
		return nil, []Problem{{
			File: i.Request.File, Field: "spec.parameters", Rule: "too-large", Message: wrong,
			Environment: i.Environment.Name, Request: &i.Request.Key,
		}}
	}
	other.Parameters = v.Parameters.Default(given)
	other.Release = release(i.Request, v)
	other.Bindings = maps.Clone(i.Bindings)
	maps.DeleteFunc(other.Bindings, func(name string, _ RequestKey) bool { _, declared := v.Bindings[name]; return !declared })
	var problems []Problem
	for _, wrong := range v.Parameters.validate(other.Parameters) {
		problems = append(problems, Problem{
			File: i.Request.File, Field: fieldpath.Join("spec.parameters", wrong.field), Rule: wrong.rule, Message: wrong.message,
			Environment: i.Environment.Name, Request: &i.Request.Key,
		})
	}
	return &other, problems
}
