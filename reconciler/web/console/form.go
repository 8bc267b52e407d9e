package console

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"

	"transom.dev/render/platform"
	"transom.dev/render/strictyaml"
)

const (
	mostFields = 200     // of a form; a schema with more is written by hand
	mostValue  = 8 << 10 // bytes of one value in a form
)

// A field is a parameter of a version as people fill it in. Those of an object stand under their path, such as storage.size.
type field struct {
	Path        string
	Name        string // of its input
	Type        string // string, integer, number, boolean, or yaml for lists and maps
	Description string
	Required    bool
	Default     string
	Choices     []string
	Rules       string // its bounds, in words
	Value       string // as it was filled in
	Mistake     string
	hints
}

// fieldsOf are the parameters of a version, those that are required first.
func fieldsOf(v *platform.Version, sample func(schema map[string]any) any) []field {
	var all []field
	if v.Parameters != nil {
		schema := v.Parameters.OpenAPI()
		addFields(&all, schema, nil, sample)
		addConditions(all, v, schema)
	}
	slices.SortStableFunc(all, func(a, b field) int {
		switch {
		case a.Required == b.Required:
			return 0
		case a.Required:
			return -1
		}
		return 1
	})
	return all
}

func addFields(all *[]field, schema map[string]any, above []string, sample func(schema map[string]any) any) {
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		property, _ := properties[name].(map[string]any)
		path := append(slices.Clone(above), name)
		inner, _ := property["properties"].(map[string]any)
		if len(inner) > 0 && len(path) < 4 {
			addFields(all, property, path, sample)
			continue
		}
		if len(*all) == mostFields {
			return
		}
		needed := slices.Contains(required, any(name)) && property["default"] == nil
		*all = append(*all, fieldOf(strings.Join(path, "."), property, needed && len(above) == 0, sample))
	}
}

func fieldOf(path string, property map[string]any, required bool, sample func(schema map[string]any) any) field {
	f := field{Path: path, Name: "p." + path, Required: required}
	f.Type, _ = property["type"].(string)
	f.Description, _ = property["description"].(string)
	if f.Type != "string" && f.Type != "integer" && f.Type != "number" && f.Type != "boolean" {
		f.Type = "yaml"
	}
	if d, ok := property["default"]; ok {
		f.Default = text(d)
	}
	if choices, ok := property["enum"].([]any); ok {
		for _, choice := range choices {
			f.Choices = append(f.Choices, text(choice))
		}
	}
	if f.Type == "boolean" {
		f.Choices = []string{"true", "false"}
	}
	f.Example = exampleOf(property, sample)
	var rules []string
	for _, bound := range []struct{ key, word string }{{"minimum", "at least"}, {"maximum", "at most"}, {"minLength", "shortest"}, {"maxLength", "longest"}, {"pattern", "matches"}} {
		if value, ok := property[bound.key]; ok {
			rules = append(rules, bound.word+" "+text(value))
		}
	}
	f.Rules = strings.Join(rules, ", ")
	return f
}

// A formPage is a request in the making: its fields, the file that they come to, and the mistakes in them.
type formPage struct {
	Offering     *platform.Offering
	Version      *platform.Version
	Team, Name   string
	Teams        []string
	Environments []choice
	Fields       []field
	Bindings     []boundField
	Secrets      []secretField
	Begun        bool              // something was filled in
	Names        map[string]string // the mistakes in team, name and environment
	Mistakes     []string          // those of no field
	File         string
	YAML         string
	Create       string // the page of the forge that makes the file
	Action       string
	Rules        []string // that are told at no field

	tried tries // requests, whether they can be bound

	Now   string       // by which a plan is asked for; empty: whoever looks may not
	Draft *PlanOfDraft // nil: nobody asked for a plan
}

// Outputs are the values that the request gives once it runs.
func (f *formPage) Outputs() []named { return outputsOf(f.Version) }

// isUnfinished says whether the plan is being made.
func (f *formPage) isUnfinished() bool { return f.Draft != nil && f.Draft.Plan.Making }

// A choice is an environment that can be chosen.
type choice struct {
	Name   string
	Chosen bool
}

// fill reads the values of a query, writes the file, and finds the mistakes.
func (f *formPage) fill(q url.Values, m *model) {
	values := map[string]any{}
	for i := range f.Fields {
		one := &f.Fields[i]
		one.Value = q.Get(one.Name)
		value, err := one.read()
		switch {
		case err != nil:
			one.Mistake = err.Error()
		case value != nil:
			put(values, strings.Split(one.Path, "."), value)
		}
	}
	if f.Begun {
		f.checkNames(m)
		f.checkValues(values)
		f.seal(m.Platform.Offers())
	}
	f.File = "requests/" + cmp.Or(f.Team, "TEAM") + "/" + cmp.Or(f.Name, "NAME") + ".yaml"
	f.YAML = f.write(values, f.bind(q, m.Platform.Offers()))
}

// read is the value of a field; nil: none was filled in.
func (f *field) read() (any, error) {
	switch {
	case f.Value == "":
		return nil, nil
	case len(f.Value) > mostValue:
		return nil, fmt.Errorf("is %d bytes long; the form takes %d", len(f.Value), mostValue)
	}
	switch f.Type {
	case "string":
		return f.Value, nil
	case "boolean":
		return f.Value == "true", nil
	case "integer":
		n, err := strconv.ParseInt(strings.TrimSpace(f.Value), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("must be a whole number, such as 3")
		}
		return n, nil
	case "number":
		n, err := strconv.ParseFloat(strings.TrimSpace(f.Value), 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, fmt.Errorf("must be a number, such as 0.5")
		}
		return n, nil
	}
	return readYAML(f.Value)
}

// readYAML is a value as it would be read from the request's file.
func readYAML(text string) (any, error) {
	var file struct {
		Value any `json:"value"`
	}
	lines := strings.ReplaceAll(text, "\r\n", "\n")
	object, wrong := strictyaml.Parse([]byte("value:\n " + strings.ReplaceAll(lines, "\n", "\n ")))
	if len(wrong) == 0 {
		wrong = object.Decode(&file)
	}
	switch {
	case len(wrong) == 0:
		return file.Value, nil
	case wrong[0].Rule == "alias" || wrong[0].Rule == "tag":
		return nil, fmt.Errorf("anchors and tags of YAML are not taken here")
	case wrong[0].Line > 1:
		return nil, fmt.Errorf("line %d: %s", wrong[0].Line-1, wrong[0].Message)
	}
	return nil, fmt.Errorf("is not YAML: %s", wrong[0].Message)
}

func put(values map[string]any, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		inner, ok := values[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			values[name] = inner
		}
		values = inner
	}
	values[path[len(path)-1]] = value
}

// begin says that something was filled in, show what the file comes to, and plan what it would change.
func (f *formPage) begin()                              { f.Begun = true }
func (f *formPage) show(yaml string)                    { f.YAML = yaml }
func (f *formPage) plan(now string, draft *PlanOfDraft) { f.Now, f.Draft = now, draft }

// checkNames finds mistakes in the names that a request has.
func (f *formPage) checkNames(m *model) {
	f.Names = map[string]string{}
	switch {
	case len(validation.IsDNS1035Label(f.Team)) > 0:
		f.Names["team"] = "give the name of a team: small letters, digits and hyphens"
	case len(f.Offering.Teams) > 0 && !slices.Contains(f.Offering.Teams, f.Team):
		f.Names["team"] = f.Offering.Name + " is for " + strings.Join(f.Offering.Teams, ", ")
	}
	switch key := keyOf(f.Team, f.Name); {
	case len(validation.IsDNS1035Label(f.Name)) > 0:
		f.Names["name"] = "small letters, digits and hyphens, such as my-" + f.Offering.Name
	case taken(m, key) != nil:
		f.Names["name"] = key.String() + " exists already, for " + m.byKey[key].Offering
	}
	if len(f.chosen()) == 0 {
		f.Names["environment"] = "choose one at least"
	}
}

// checkValues checks the values against the schema of the version, and tells each mistake at its field.
func (f *formPage) checkValues(values map[string]any) {
	if f.Version.Parameters == nil {
		return
	}
	_, wrong := f.Version.Parameters.Complete(values)
	for _, mistake := range wrong {
		i := slices.IndexFunc(f.Fields, func(one field) bool {
			return mistake.Field == one.Path || strings.HasPrefix(mistake.Field, one.Path+".") || strings.HasPrefix(mistake.Field, one.Path+"[")
		})
		switch {
		case i < 0:
			f.Mistakes = append(f.Mistakes, strings.TrimPrefix(mistake.Field+": "+mistake.Message, ": "))
		case f.Fields[i].Mistake == "":
			f.Fields[i].Mistake = mistake.Message
		}
	}
}

// Fine says whether nothing is wrong with a form that was filled in.
func (f *formPage) Fine() bool {
	named := len(f.Names) == 0 && len(f.Mistakes) == 0
	bound := !slices.ContainsFunc(f.Bindings, func(one boundField) bool { return one.Mistake != "" })
	return f.Begun && named && bound && !slices.ContainsFunc(f.Fields, func(one field) bool { return one.Mistake != "" })
}

// write is the request's file.
func (f *formPage) write(values map[string]any, bindings map[string]string) string {
	type metadata struct {
		Name string `yaml:"name"`
	}
	type spec struct {
		Offering     string              `yaml:"offering"`
		Version      string              `yaml:"version"`
		Parameters   map[string]any      `yaml:"parameters,omitempty"`
		Bindings     map[string]string   `yaml:"bindings,omitempty"`
		Environments map[string]struct{} `yaml:"environments"`
	}
	file := struct {
		APIVersion string   `yaml:"apiVersion"`
		Kind       string   `yaml:"kind"`
		Metadata   metadata `yaml:"metadata"`
		Spec       spec     `yaml:"spec"`
	}{platform.APIVersion, "Request", metadata{f.Name}, spec{f.Offering.Name, f.Offering.Constraint(f.Version), values, bindings, map[string]struct{}{}}}
	for _, e := range f.chosen() {
		file.Spec.Environments[e] = struct{}{}
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(file); err != nil {
		return "# " + err.Error()
	}
	return b.String()
}
