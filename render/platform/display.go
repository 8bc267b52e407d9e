package platform

import (
	"reflect"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"transom.dev/render/strictyaml"
	"transom.dev/render/wording"
)

// displayMark is the field of a parameter's schema that has its value shown wherever requests are listed. It is no part of
// the dialect of a CRD, and stands beside its fields. The paths of marked parameters are added to shown.
func displayMark(shown *[]string) strictyaml.Mark {
	return strictyaml.Mark{
		Of:          reflect.TypeFor[apiextensionsv1.JSONSchemaProps](),
		Name:        "display",
		Description: "Show the parameter's value wherever requests are listed",
		Set: func(object string) (wrong string) {
			parameter := parameterAt(object)
			if parameter == "" {
				return "is of a parameter that has a name, below properties"
			}
			*shown = append(*shown, parameter)
			return ""
		},
	}
}

// parameterAt is the path of a parameter, such as storage.size, by the path of its schema; empty: the schema is that of no
// parameter with a name.
func parameterAt(field string) string {
	rest, below := strings.CutPrefix(field, "spec.parameters.")
	parts := strings.Split(rest, ".")
	if !below || len(parts)%2 != 0 {
		return ""
	}
	var names []string
	for i := 0; i < len(parts); i += 2 {
		if parts[i] != "properties" {
			return ""
		}
		names = append(names, parts[i+1])
	}
	return strings.Join(names, ".")
}

// A Shown is a parameter that its version marks to be shown, with its value in an environment.
type Shown struct {
	Name  string `json:"name"` // such as storage.size
	Value string `json:"value"`
}

// mostShown bounds how many parameters are shown, and longestShown how long a value is in characters.
const (
	mostShown    = 8
	longestShown = 60
)

// Shown lists the parameters of a request that its version marks with display: true, with their values in an environment, in the
// order of the schema. One without a value is omitted.
func (v *Version) Shown(spec *RequestSpec, environment string) (list []Shown) {
	if spec == nil || len(v.Display) == 0 {
		return nil
	}
	all := v.Parameters.Default(mergePatch(spec.Parameters, spec.Environments[environment].Parameters))
	for _, name := range v.Display[:min(len(v.Display), mostShown)] {
		var value any = all
		for part := range strings.SplitSeq(name, ".") {
			inner, _ := value.(map[string]any)
			value = inner[part]
		}
		if value != nil {
			text := []rune(wording.Clean(valueText(value)))
			if len(text) > longestShown {
				text = append(text[:longestShown], '…')
			}
			list = append(list, Shown{Name: name, Value: string(text)})
		}
	}
	return list
}
