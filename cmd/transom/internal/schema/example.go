package schema

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render/platform"
)

// A Draft is a request file that is written from a version's schema and bindings: what is required with a value that is
// valid where one can be thought of, the rest as comments.
type Draft struct {
	Offering     *platform.Offering
	Version      *platform.Version
	Constraint   string
	Name         string
	Environments []string
	Comments     bool
	Fitting      map[string][]string // names of requests that the new one can be bound to, by the binding
}

// Example is how a request for a version may look.
func Example(p *platform.Platform, o *platform.Offering, v *platform.Version) string {
	draft := Draft{
		Offering: o, Version: v, Constraint: o.Constraint(v), Name: "my-" + o.Name, Environments: workspace.Environments(p),
	}
	return "# requests/TEAM/my-" + o.Name + ".yaml\n" + draft.YAML()
}

// YAML is the file.
func (r *Draft) YAML() string {
	var b strings.Builder
	if r.Comments {
		about := r.Offering.Name
		if r.Offering.Title != "" {
			about = r.Offering.Title
		}
		fmt.Fprintf(&b, "# %s; \"transom catalog %s\" says more.\n", about, r.Offering.Name)
	}
	fmt.Fprintf(&b, "apiVersion: %s\nkind: Request\nmetadata: {name: %s}\nspec:\n  offering: %s\n  version: %q\n",
		platform.APIVersion, yamledit.Scalar(r.Name, true), yamledit.Scalar(r.Offering.Name, false), r.Constraint)
	if v := r.Version.Parameters; v != nil {
		r.parameters(&b, v.OpenAPI())
	}
	r.bindings(&b)
	b.WriteString("  environments:\n")
	for _, e := range r.Environments {
		fmt.Fprintf(&b, "    %s: {}\n", yamledit.Scalar(e, false))
	}
	if len(r.Environments) == 0 {
		b.WriteString("    dev: {}\n")
	}
	return b.String()
}

// parameters writes the parameters: those that must be given, and, as comments, the others.
func (r *Draft) parameters(b *strings.Builder, schema map[string]any) {
	var lines []string
	given := false
	for _, name := range propertyNames(schema) {
		property := propertyOf(schema, name)
		key := yamledit.Scalar(name, false)
		if r.Comments {
			lines = append(lines, "    # "+explain(property, isRequired(schema, name)))
		}
		switch {
		case isRequired(schema, name) && property["default"] == nil:
			given = true
			lines = append(lines, "    "+key+": "+yamledit.Inline(Sample(property), false))
		case r.Comments:
			lines = append(lines, "    # "+key+": "+yamledit.Inline(Sample(property), false))
		}
	}
	section(b, "parameters", lines, given)
}

// section writes the lines of a field, which is a comment where all of them are.
func section(b *strings.Builder, field string, lines []string, given bool) {
	if len(lines) == 0 {
		return
	}
	if given {
		b.WriteString("  " + field + ":\n")
	} else {
		b.WriteString("  # " + field + ":\n")
	}
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
}

// mostNamed is how many requests a comment names that a binding could have instead.
const mostNamed = 5

// bindings writes the bindings: those that are required, and, as comments, the others.
func (r *Draft) bindings(b *strings.Builder) {
	var lines []string
	given := false
	for _, name := range slices.Sorted(maps.Keys(r.Version.Bindings)) {
		binding, fitting := r.Version.Bindings[name], r.Fitting[name]
		if len(binding.Offerings) == 0 { // nothing can be bound
			continue
		}
		about := "    # A request of " + strings.Join(binding.Offerings, " or ")
		if binding.Required {
			about += " (required)"
		}
		to := "my-" + binding.Offerings[0]
		if len(fitting) > 0 {
			to = fitting[0]
		}
		if len(fitting) > 1 {
			about += ", such as " + strings.Join(fitting[1:min(len(fitting), 1+mostNamed)], ", ")
		}
		if r.Comments {
			lines = append(lines, about)
		}
		line := yamledit.Scalar(name, false) + ": " + yamledit.Scalar(to, false)
		switch {
		case binding.Required:
			given = true
			lines = append(lines, "    "+line)
		case r.Comments:
			lines = append(lines, "    # "+line)
		}
	}
	section(b, "bindings", lines, given)
}

// explain is the text of the comment about a parameter.
func explain(property map[string]any, required bool) string {
	facts := []string{typeOf(property)}
	if required {
		facts = append(facts, "required")
	}
	facts = append(facts, constraintsOf(property)...)
	about := strings.Join(strings.Fields(text(property["description"])), " ")
	if about != "" {
		about += " "
	}
	return about + "(" + strings.Join(facts, ", ") + ")"
}

// samples are strings that people write in such files; the first that a schema takes is an example.
var samples = []string{
	"example", "10Gi", "1Gi", "128Mi", "100m", "1", "registry.example.com/app:1.0.0", "registry.example.com/app", "1.0.0", "v1.0.0",
	"0 4 * * *", "30m", "10s", "app.example.com", "https://example.com", "https://example.com/", "http://example.com",
	"eu-central-1", "eu", "someone@example.com", "/data", "/", "true", "10.0.0.0/16", "10.0.0.1", "2027-06-01", "Europe/Berlin", "EXAMPLE", "Example",
}

// Sample is a value that a schema takes, or, where none comes to mind, an empty one, whose missing parts check reports.
func Sample(schema map[string]any) any {
	if value, ok := schema["default"]; ok {
		return value
	}
	if value, ok := schema["example"]; ok {
		return value
	}
	if values, ok := schema["enum"].([]any); ok && len(values) > 0 {
		return values[0]
	}
	switch text(schema["type"]) {
	case "integer", "number":
		return sampleNumber(schema)
	case "boolean":
		return false
	case "array":
		items, _ := schema["items"].(map[string]any)
		return []any{Sample(items)}
	case "object":
		object := map[string]any{}
		for _, name := range propertyNames(schema) {
			if isRequired(schema, name) {
				object[name] = Sample(propertyOf(schema, name))
			}
		}
		return object
	}
	return sampleString(schema)
}

// sampleNumber is a number within the bounds of a schema.
func sampleNumber(schema map[string]any) any {
	if least, ok := schema["minimum"].(float64); ok {
		if schema["exclusiveMinimum"] == true {
			least++
		}
		return least
	}
	if most, ok := schema["maximum"].(float64); ok && most < 1 {
		return most
	}
	return 1
}

// sampleString is the first sample that fits the pattern and the lengths of a schema.
func sampleString(schema map[string]any) any {
	pattern, err := regexp.Compile(text(schema["pattern"]))
	if err != nil {
		return ""
	}
	least, _ := schema["minLength"].(float64)
	most, bounded := schema["maxLength"].(float64)
	for _, s := range samples {
		tooLong := bounded && float64(len(s)) > most
		if pattern.MatchString(s) && float64(len(s)) >= least && !tooLong {
			return s
		}
	}
	return ""
}
