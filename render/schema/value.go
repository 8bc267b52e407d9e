package schema

import (
	"fmt"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"transom.dev/render/expression"
)

// Work is how much it takes to complete a value: the fields and items that the schema's defaults fill in, and the steps of CEL that its
// rules take.
type Work struct{ Defaults, Steps int64 }

// AllWork is as much as completing one value may take wherever it is.
var AllWork = Work{expression.MaxItems, celconfig.RuntimeCELCostBudget}

// RuleTooMuchWork is that of a Mistake which says that completing a value takes too much.
const RuleTooMuchWork = "too-much-work"

// Times returns a multiple of work, at most AllWork.
func (w Work) Times(n int64) Work {
	return Work{min(n*w.Defaults, AllWork.Defaults), min(n*w.Steps, AllWork.Steps)}
}

// Exceeded says how a schema takes more work than this; empty: it does not.
func (w Work) Exceeded(done Work) string {
	switch {
	case done.Defaults > w.Defaults:
		return fmt.Sprintf("fills in more than %d fields and items by its defaults", w.Defaults)
	case done.Steps > w.Steps:
		return fmt.Sprintf("has rules that take more than %d steps of CEL", w.Steps)
	}
	return ""
}

// Complete returns the value that people give as it is from then on: with the schema's defaults, and with decimal numbers where the
// schema says number, whichever way they are written. Given that it would come to too much, or is wrong, the Mistakes say so.
func (s *Schema) Complete(given map[string]any) (value map[string]any, wrong []Mistake) {
	value, _, wrong = s.CompleteWithin(given, AllWork)
	return value, wrong
}

// CompleteWithin is Complete that ends where it takes more work than it may. It says how much it took.
func (s *Schema) CompleteWithin(given map[string]any, most Work) (value map[string]any, done Work, wrong []Mistake) {
	m := s.measure(given, most.Defaults)
	done.Defaults = m.defaults
	if exceeded := most.Exceeded(done); exceeded != "" {
		return given, done, []Mistake{{Rule: RuleTooMuchWork, Message: exceeded}}
	}
	if m.spent() {
		return given, done, []Mistake{{Rule: "too-large", Message: fmt.Sprintf(
			"come to more than %d bytes with the defaults of the schema; shorten them", expression.MaxTogether)}}
	}
	value = s.filled(given)
	wrong, done.Steps = s.check(value, most.Steps)
	if exceeded := most.Exceeded(done); exceeded != "" {
		return given, done, []Mistake{{Rule: RuleTooMuchWork, Message: exceeded}}
	}
	decimals(value, s.structural)
	return value, done, wrong
}

// Default returns a copy of a value with the schema's defaults, or without where it would come to too much.
func (s *Schema) Default(value map[string]any) map[string]any {
	out, _ := s.fill(value)
	return out
}

// fill returns a copy of a value with the schema's defaults; false: without, because it would come to too much.
func (s *Schema) fill(value map[string]any) (out map[string]any, ok bool) {
	if m := s.measure(value, AllWork.Defaults); m.spent() {
		return orEmpty(runtime.DeepCopyJSON(value)), false
	}
	return s.filled(value), true
}

// filled returns a copy of a value with the schema's defaults.
func (s *Schema) filled(value map[string]any) map[string]any {
	out := orEmpty(runtime.DeepCopyJSON(value))
	defaulting.Default(out, s.structural)
	return out
}

func orEmpty(value map[string]any) map[string]any {
	if value == nil {
		return map[string]any{}
	}
	return value
}

// Transition checks a value against the rules that ask for the value before it, oldSelf. A value before that has other types than the
// schema says now, or that would come to too much, was no step before this one. Where it takes more work than it may, that is the Mistake.
func (s *Schema) Transition(before, value map[string]any, most Work) (wrong []Mistake) {
	if s.rules == nil {
		return nil
	}
	m := s.measure(before, most.Defaults)
	if exceeded := most.Exceeded(Work{Defaults: m.defaults}); exceeded != "" {
		return []Mistake{{Rule: RuleTooMuchWork, Message: exceeded}}
	}
	if m.spent() {
		return nil
	}
	old := s.filled(before)
	decimals(old, s.structural)
	if len(validation.ValidateCustomResource(nil, old, s.validator)) > 0 || tooLong(s, old) != nil {
		return nil
	}
	errs, steps := s.validate(value, old, most.Steps)
	if exceeded := most.Exceeded(Work{Steps: steps}); exceeded != "" && most.Steps < AllWork.Steps {
		return []Mistake{{Rule: RuleTooMuchWork, Message: exceeded}}
	}
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
