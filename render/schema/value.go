package schema

import (
	"context"
	"fmt"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"transom.dev/render/expression"
)

// Complete returns the value that people give as it is from then on: with the schema's defaults, and with decimal numbers where the
// schema says number, whichever way they are written. Given that it would come to too much, or is wrong, the Mistakes say so.
func (s *Schema) Complete(given map[string]any) (value map[string]any, wrong []Mistake) {
	value, ok := s.fill(given)
	if !ok {
		return given, []Mistake{{Rule: "too-large", Message: fmt.Sprintf(
			"come to more than %d bytes with the defaults of the schema; shorten them", expression.MaxTogether)}}
	}
	wrong = s.check(value)
	decimals(value, s.structural)
	return value, wrong
}

// Default returns a copy of a value with the schema's defaults, or without where it would come to too much.
func (s *Schema) Default(value map[string]any) map[string]any {
	out, _ := s.fill(value)
	return out
}

// fill returns a copy of a value with the schema's defaults; false: without, because it would come to too much.
func (s *Schema) fill(value map[string]any) (out map[string]any, ok bool) {
	out = runtime.DeepCopyJSON(value)
	if out == nil {
		out = map[string]any{}
	}
	if s.outgrows(value) {
		return out, false
	}
	defaulting.Default(out, s.structural)
	return out, true
}

// Transition checks a value against the rules that ask for the value before it, oldSelf. A value before that has other types than the
// schema says now, or that would come to too much, was no step before this one.
func (s *Schema) Transition(before, value map[string]any) (wrong []Mistake) {
	if s.rules == nil {
		return nil
	}
	old, ok := s.fill(before)
	if !ok {
		return nil
	}
	decimals(old, s.structural)
	if len(validation.ValidateCustomResource(nil, old, s.validator)) > 0 {
		return nil
	}
	errs, _ := s.rules.Validate(context.Background(), nil, s.structural, value, old, celconfig.RuntimeCELCostBudget)
	for _, err := range errs {
		wrong = append(wrong, s.mistake(err, value))
	}
	return wrong
}

// decimals makes decimal numbers of the whole ones among a value's numbers, so that a value has the type that its schema says.
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
