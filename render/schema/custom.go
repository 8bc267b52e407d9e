package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"

	"transom.dev/render/expression"
	"transom.dev/render/wording"
)

// CompileCustom compiles an openAPIV3Schema of a CustomResourceDefinition; nil where it is not one that an API server takes.
func CompileCustom(props map[string]any) *Schema {
	text, err := json.Marshal(props)
	if err != nil {
		return nil
	}
	var v1 apiextensionsv1.JSONSchemaProps
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&v1); err != nil {
		return nil
	}
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&v1, internal, nil); err != nil {
		return nil
	}
	s, err := newSchema(internal)
	if err != nil || s.structural.Type != "object" {
		return nil
	}
	if s.structural.Properties == nil {
		s.structural.Properties = map[string]structural.Structural{}
	}
	for _, of := range []string{"apiVersion", "kind", "metadata"} {
		known := s.structural.Properties[of]
		known.XPreserveUnknownFields = true
		s.structural.Properties[of] = known
	}
	return s
}

// Mistakes finds the fields and values of a custom resource that an API server with this schema refuses, but for its status,
// which is not applied.
func (s *Schema) Mistakes(object map[string]any) (mistakes []Mistake) {
	defaulting.PruneNonNullableNullsWithoutDefaults(object, s.structural)
	object, ok := s.fill(object)
	if !ok {
		return []Mistake{{Rule: "too-large", Message: fmt.Sprintf(
			"comes to more than %d bytes with the defaults of its CustomResourceDefinition; shorten it", expression.MaxTogether)}}
	}
	delete(object, "status")
	found, _ := s.check(object, AllWork.Steps)
	for _, m := range found {
		switch {
		case m.Field == "status" || strings.HasPrefix(m.Message, "rule compile error"):
			continue // the definition itself is refused for such a rule
		case m.Rule == ruleTooLarge:
			continue // for rules to be looked at here: the API server has bounds of its own
		case m.Rule == "unknown-parameter":
			m.Message = "unknown field" + wording.Suggest(lastStep(m.Field), s.fieldsAround(m.Field))
		}
		mistakes = append(mistakes, m)
	}
	return mistakes
}

// fieldsAround are the fields that there are where an unknown one is written.
func (s *Schema) fieldsAround(field string) []string {
	parent := ""
	if last := lastStep(field); len(field) > len(last) {
		parent = field[:len(field)-len(last)-1]
	}
	if at := s.at(parent); at != nil {
		return slices.Sorted(maps.Keys(at.Properties))
	}
	return nil
}

func lastStep(field string) string {
	for i := len(field) - 1; i >= 0; i-- {
		if field[i] == '.' {
			return field[i+1:]
		}
	}
	return field
}
