package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"transom.dev/cmd/transom/internal/yamledit"
	"transom.dev/render/platform"
)

// An offer is a value of a chart that requests may give.
type offer struct {
	path   []string // of the value
	schema []string // fields of the parameter's schema, in flow style
	given  bool     // it has a default: the chart's
}

// usual are the values that charts usually have and requests usually give.
var usual = regexp.MustCompile(`^(replicaCount|replicas|([a-z]\w*\.)?image\.tag|resources\.(requests|limits)\.(cpu|memory)|ingress\.(enabled|host|hostname)|(persistence|storage)\.(enabled|size))$`)

// mostOfferedDepth is how deep usual values lie.
const mostOfferedDepth = 3

// offersOf proposes the values of a chart that requests may give, in the order of its values.yaml.
func offersOf(files map[string][]byte) (offers []offer, err error) {
	var defaults yaml.Node
	if err := yaml.Unmarshal(files["values.yaml"], &defaults); err != nil {
		return nil, fmt.Errorf("values.yaml: %w", err)
	}
	var schema map[string]any
	if text := files["values.schema.json"]; text != nil {
		if err := json.Unmarshal(text, &schema); err != nil {
			return nil, fmt.Errorf("values.schema.json: %w", err)
		}
	}
	if len(defaults.Content) > 0 {
		offers = offersIn(nil, defaults.Content[0], schema)
	}
	return offers, nil
}

func offersIn(at []string, n *yaml.Node, schema map[string]any) (offers []offer) {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content) && len(at) < mostOfferedDepth; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		inside := append(append([]string{}, at...), key.Value)
		properties, _ := schema["properties"].(map[string]any)
		property, _ := properties[key.Value].(map[string]any)
		if value.Kind == yaml.MappingNode {
			offers = append(offers, offersIn(inside, value, property)...)
		} else if t := schemaType(value); t != "" && usual.MatchString(strings.Join(inside, ".")) {
			offers = append(offers, offerOf(inside, t, key, value, property))
		}
	}
	return offers
}

func schemaType(value *yaml.Node) string {
	switch value.ShortTag() {
	case "!!str":
		return "string"
	case "!!int":
		return "integer"
	case "!!bool":
		return "boolean"
	}
	return ""
}

func offerOf(at []string, kind string, key, value *yaml.Node, schema map[string]any) offer {
	o := offer{path: at, schema: []string{"type: " + kind}, given: value.Value != ""}
	description, _ := schema["description"].(string)
	if description == "" {
		comment := key.HeadComment + "\n" + value.LineComment + "\n" + key.LineComment
		description = strings.Join(strings.Fields(strings.NewReplacer("#", " ", "--", " ").Replace(comment)), " ")
	}
	if description != "" {
		o.schema = append(o.schema, "description: "+quoted(description))
	}
	for _, field := range []string{"minimum", "maximum", "enum", "pattern"} {
		if limit, there := schema[field]; there {
			text, err := json.Marshal(limit)
			if err == nil {
				o.schema = append(o.schema, field+": "+string(text))
			}
		}
	}
	if o.given && kind == "string" {
		o.schema = append(o.schema, "default: "+quoted(value.Value))
	} else if o.given {
		o.schema = append(o.schema, "default: "+value.Value)
	}
	return o
}

// quoted is a text in double quotes, which JSON and YAML write alike.
func quoted(text string) string {
	out, _ := json.Marshal(text)
	return string(out)
}

// name is the parameter of an offer: imageTag for image.tag.
func (o offer) name() string {
	name := o.path[0]
	for _, step := range o.path[1:] {
		name += strings.ToUpper(step[:1]) + step[1:]
	}
	return name
}

// value is the expression for the chart; null leaves the chart's own default.
func (o offer) value() string {
	parameter := "parameters." + o.name()
	if o.given {
		return parameter
	}
	return fmt.Sprintf("'has(%s) ? dyn(%s) : null'", parameter, parameter)
}

// chartVersion is the version.yaml of a chart that has these offers.
func chartVersion(offering string, offers []offer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: %s\nkind: Version\nmetadata: {name: %s}\nspec:\n", platform.APIVersion, yamledit.Scalar(offering, true))
	b.WriteString("  parameters: # what a request may say; proposed from the chart's values, so keep what is meant for developers\n    type: object\n")
	if len(offers) > 0 {
		b.WriteString("    properties:\n")
	}
	for _, o := range offers {
		fmt.Fprintf(&b, "      %s: {%s}\n", o.name(), strings.Join(o.schema, ", "))
	}
	b.WriteString("  chart:\n    path: chart\n    values: # each text is an expression in CEL\n")
	if len(offers) == 0 {
		return strings.TrimSuffix(b.String(), "    values: # each text is an expression in CEL\n")
	}
	var last []string
	for _, o := range offers {
		same := 0
		for same < len(last) && same < len(o.path)-1 && last[same] == o.path[same] {
			same++
		}
		for depth := same; depth < len(o.path)-1; depth++ {
			fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", 3+depth), o.path[depth])
		}
		fmt.Fprintf(&b, "%s%s: %s\n", strings.Repeat("  ", 2+len(o.path)), o.path[len(o.path)-1], o.value())
		last = o.path[:len(o.path)-1]
	}
	return b.String()
}
