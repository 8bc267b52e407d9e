package helm

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// dialects are the meta-schemas that the validator has itself; it would read any other.
var dialects = regexp.MustCompile(`^https?://json-schema\.org/(schema|draft-0[467]/schema|draft/2019-09/schema|draft/2020-12/schema)#?$`)

// schemas are those of a chart and its dependencies, by their text. Each is compiled when values are compared with it for the first time.
type schemas map[string]*valuesSchema

type valuesSchema struct {
	document any                // nil: it was compiled
	compiled *jsonschema.Schema // nil then: it is no schema
}

// add reads a schema, and refuses one for which the validator would read a file or an address. It reads the text as the validator
// does, so that both see the same.
func (s schemas) add(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		document = nil // the validator says why
	}
	if elsewhere := outside(document); elsewhere != "" {
		return fmt.Errorf("values.schema.json: it refers to %s, and nothing outside of the chart is read; copy that into $defs", elsewhere)
	}
	s[string(text)] = &valuesSchema{document: document}
	return nil
}

// fit reports whether values fit the schemas of a chart and its dependencies. Where it reports false, Helm says why.
func (s schemas) fit(c *chart.Chart, values map[string]any) bool {
	if schema := s[string(c.Schema)]; schema != nil && !schema.takes(values) {
		return false
	}
	for _, dependency := range c.Dependencies() {
		inside, isMap := values[dependency.Name()].(map[string]any)
		if values[dependency.Name()] != nil && !(isMap && s.fit(dependency, inside)) {
			return false
		}
	}
	return true
}

func (s *valuesSchema) takes(values map[string]any) bool {
	if s.document != nil {
		s.compiled, s.document = compileSchema(s.document), nil
	}
	return s.compiled != nil && s.compiled.Validate(values) == nil
}

// compileSchema returns nil for a document that is no schema. It loads no other: add refused a schema that refers to one.
func compileSchema(document any) *jsonschema.Schema {
	const name = "file:///values.schema.json"
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(jsonschema.SchemeURLLoader{})
	if compiler.AddResource(name, document) != nil {
		return nil
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return nil
	}
	return compiled
}

// outside is the first reference of a schema to something that is not in it; empty: there is none.
func outside(schema any) string {
	switch schema := schema.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(schema)) {
			at, isText := schema[key].(string)
			switch key {
			case "$ref", "$dynamicRef", "$recursiveRef":
				if isText && at != "" && !strings.HasPrefix(at, "#") {
					return at
				}
			case "$schema":
				if isText && !dialects.MatchString(at) {
					return at
				}
			}
			if found := outside(schema[key]); found != "" {
				return found
			}
		}
	case []any:
		for _, item := range schema {
			if found := outside(item); found != "" {
				return found
			}
		}
	}
	return ""
}
