package schema

import (
	"context"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// Default returns a copy of value with the schema's defaults filled in.
func (s *Schema) Default(value map[string]any) map[string]any {
	out := runtime.DeepCopyJSON(value)
	if out == nil {
		out = map[string]any{}
	}
	defaulting.Default(out, s.structural)
	return out
}

// Transition holds a value to the rules that ask for the value before it, oldSelf. A value before that has other types than the
// schema says now was no step before this one.
func (s *Schema) Transition(before, value map[string]any) (wrong []Mistake) {
	if s.rules == nil {
		return nil
	}
	old := s.Default(before)
	s.Decimals(old)
	if len(validation.ValidateCustomResource(nil, old, s.validator)) > 0 {
		return nil
	}
	errs, _ := s.rules.Validate(context.Background(), nil, s.structural, value, old, celconfig.RuntimeCELCostBudget)
	for _, err := range errs {
		wrong = append(wrong, s.mistake(err, value))
	}
	return wrong
}

// Decimals makes decimal numbers of the whole ones among a value's numbers, so that a value has the type that its schema says
// whichever way it is written.
func (s *Schema) Decimals(value map[string]any) { decimals(value, s.structural) }

func decimals(value any, of *structural.Structural) any {
	if of == nil {
		return value
	}
	switch v := value.(type) {
	case int64:
		if of.Type == "number" {
			return float64(v)
		}
	case []any:
		for i := range v {
			v[i] = decimals(v[i], of.Items)
		}
	case map[string]any:
		for k := range v {
			if property, ok := of.Properties[k]; ok {
				v[k] = decimals(v[k], &property)
			} else if of.AdditionalProperties != nil {
				v[k] = decimals(v[k], of.AdditionalProperties.Structural)
			}
		}
	}
	return value
}
