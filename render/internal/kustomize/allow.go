package kustomize

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/types"
	k8syaml "sigs.k8s.io/yaml"
)

const (
	kustomizationAPIVersion = types.KustomizationVersion
	componentAPIVersion     = types.ComponentVersion
)

// allowedFields are the fields of a kustomization that read local files at most.
var allowedFields = []string{
	"apiVersion", "kind", "metadata",
	"resources", "bases", "components",
	"namePrefix", "nameSuffix", "namespace", "labels", "commonLabels", "commonAnnotations",
	"patches", "patchesStrategicMerge", "patchesJson6902", "images", "replacements", "replicas", "sortOptions",
	"configMapGenerator", "generatorOptions", "transformers", "configurations",
}

// startsHelm is said of fields for which a version has a field of its own.
const startsHelm = `starts helm; a version has its chart under spec.chart of version.yaml, and "transom new offering NAME --from-chart DIR" writes that`

// refusedFields are the others, with the remedy.
var refusedFields = map[string]string{
	"secretGenerator":             "puts secret values into Git; use a reference kind such as ExternalSecret, or list a Secret annotated transom.dev/generate: password, which each cluster fills",
	"helmCharts":                  startsHelm,
	"helmGlobals":                 startsHelm,
	"helmChartInflationGenerator": startsHelm,
	"openapi":                     "changes how every other offering is read; remove it",
	"crds":                        "changes how objects are read; list CustomResourceDefinitions under resources",
	"generators":                  "runs plug-ins; use resources or configMapGenerator",
	"validators":                  "runs plug-ins; write a Policy",
	"buildMetadata":               "writes about the build into every object; remove it",
	"imageTags":                   "is deprecated; use images",
}

// fields checks the keys at the top of a kustomization against the allow-list, exactly: Kustomize itself would take
// `RESOURCES` for `resources`.
func (g *guard) fields(name string, root *yaml.Node) {
	for i := 0; i < len(root.Content); i += 2 {
		key := root.Content[i]
		if slices.Contains(allowedFields, key.Value) {
			continue
		}
		if key.Value == "vars" {
			g.vars(name, key, root.Content[i+1])
			continue
		}
		if reason, known := refusedFields[key.Value]; known {
			g.report(name, key, key.Value, "refused-field", "%s", reason)
			continue
		}
		g.report(name, key, key.Value, "unknown-field", "unknown field%s", didYouMean(key.Value))
	}
}

func didYouMean(field string) string {
	for _, known := range allowedFields {
		if strings.EqualFold(field, known) || strings.EqualFold(strings.TrimSuffix(known, "s"), field) {
			return fmt.Sprintf("; did you mean %q?", known)
		}
	}
	return ""
}

// strictly decodes with exact letter case and no unknown fields, at every level, and reports the fields that do not fit.
func (g *guard) strictly(name string, root *yaml.Node, into any) bool {
	text, err := yaml.Marshal(root)
	if err == nil {
		text, err = k8syaml.YAMLToJSON(text)
	}
	if err != nil {
		g.report(name, root, "", "syntax", "%v", err)
		return false
	}
	mistakes, err := json.UnmarshalStrict(text, into)
	if err != nil {
		mistakes = append(mistakes, err)
	}
	for _, mistake := range mistakes[:min(len(mistakes), maxReported)] {
		g.misfit(name, root, mistake)
	}
	return len(mistakes) == 0
}

// misfit reports a decoding error at the field that it names, such as `unknown field "patches[0].PATH"`.
func (g *guard) misfit(name string, root *yaml.Node, mistake error) {
	field, rule, message := "", "type", strings.TrimPrefix(mistake.Error(), "json: ")
	var wrong *stdjson.UnmarshalTypeError
	if errors.As(mistake, &wrong) {
		field, message = wrong.Field, fmt.Sprintf("is %s; it must be %s", nameOf[wrong.Value], kindOf(wrong.Type))
	} else if unknown, ok := strings.CutPrefix(message, `unknown field "`); ok {
		field, rule, message = strings.TrimSuffix(unknown, `"`), "unknown-field", "unknown field"
	}
	at := root
	if n := lookupKey(root, splitField(field)); n != nil {
		at = n
	}
	g.report(name, at, field, rule, "%s", message)
}

// nameOf are JSON's names of types, for people.
var nameOf = map[string]string{
	"object": "a mapping", "array": "a list", "string": "a string", "number": "a number", "bool": "a boolean",
}

func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct, reflect.Pointer:
		return "a mapping"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	}
	return "a number"
}

// vars reports the vars of a kustomization, each with what to write in its place. They are not built: they put text into text, and the name
// of an object is put there as it is with all prefixes, which no replacement knows.
func (g *guard) vars(name string, at *yaml.Node, list *yaml.Node) {
	if list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
		g.report(name, at, "vars", "refused-field", "is deprecated; remove it")
		return
	}
	for i, item := range list.Content {
		var v types.Var
		text, err := yaml.Marshal(item)
		if err == nil {
			err = k8syaml.UnmarshalStrict(text, &v)
		}
		if err != nil || v.Name == "" || v.ObjRef.Kind == "" {
			g.report(name, item, fmt.Sprintf("vars[%d]", i), "refused-field", "is deprecated, and no var that could be read; remove it")
			continue
		}
		g.report(name, item, fmt.Sprintf("vars[%d]", i), "refused-field", "is deprecated; write what has $(%s) by a replacement of %s", v.Name, successorOf(v))
	}
}
