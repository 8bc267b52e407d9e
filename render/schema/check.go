package schema

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

// check returns every mistake in a defaulted value, and the steps of CEL that the rules took. Where these are more than they may be the
// rules that remain are not looked at.
func (s *Schema) check(value map[string]any, most int64) (found []Mistake, steps int64) {
	wrong := unknownFields("", value, s.structural)
	errs := validation.ValidateCustomResource(nil, value, s.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, value)...)
	if len(errs) == 0 && len(wrong) == 0 && s.rules != nil {
		if long := tooLong(s, value); long != nil {
			return append(wrong, *long), 0
		}
		// Rules are compiled for the types of the schema and only mean something for a value that has them.
		if errs, steps = s.validate(value, nil, most); steps > most && most < AllWork.Steps {
			return nil, steps
		}
		if all := spreadOf(value); steps > all.steps(s.compares) {
			return append(wrong, all.tooMuch(s.compares)), steps
		}
	}
	for _, err := range errs {
		wrong = append(wrong, s.mistake(err, value))
	}
	return wrong, steps
}

// validate holds a value, and the one before it, against the rules, and returns the steps of CEL that this took: one more than it may where
// it was ended.
func (s *Schema) validate(value, before map[string]any, most int64) (field.ErrorList, int64) {
	all, old := spreadOf(value), spreadOf(before)
	most = min(most, spread{max(all.largest, old.largest), max(all.nodes, old.nodes)}.steps(s.compares))
	rules := s.rules
	if most < celconfig.PerCallLimit {
		rules = s.brief.within(most)
	}
	var was any
	if before != nil {
		was = before
	}
	errs, remaining := rules.Validate(context.Background(), nil, s.structural, value, was, most)
	return errs, most - max(remaining, -1)
}

// mistake says a validation error in the words of the rest.
func (s *Schema) mistake(err *field.Error, value map[string]any) Mistake {
	path := err.Field
	if path == "<nil>" {
		path = ""
	}
	m := Mistake{Field: path, Rule: "parameter", Message: err.Detail}
	switch {
	case err.Type == field.ErrorTypeRequired && err.Detail == "":
		m.Message = "is required" + s.describe(path)
	case err.Type == field.ErrorTypeTypeInvalid:
		m.Message = s.wrongType(path, value, err)
	case err.Type == field.ErrorTypeNotSupported:
		m.Message = fmt.Sprintf("%s is not one of the %s", wording.Value(normalise(err.BadValue)), err.Detail)
	case strings.Contains(err.Detail, " in body "):
		_, rule, _ := strings.Cut(err.Detail, " in body ")
		m.Message = wording.Value(normalise(err.BadValue)) + " " + rule + s.describe(path)
	}
	return m
}

func (s *Schema) wrongType(path string, value map[string]any, err *field.Error) string {
	node, ok := fieldpath.Lookup(value, path)
	_, want, found := strings.Cut(err.Detail, "must be of type ")
	want, _, _ = strings.Cut(want, ":")
	if !ok || !found {
		return err.Detail
	}
	article := "a "
	if strings.HasPrefix(want, "i") || strings.HasPrefix(want, "o") || strings.HasPrefix(want, "a") {
		article = "an "
	}
	return fmt.Sprintf("must be %s%s, not %s", article, want, wording.Value(node))
}

// describe appends the description that the schema gives of a field.
func (s *Schema) describe(path string) string {
	if at := s.at(path); at != nil && at.Description != "" {
		return ": " + at.Description
	}
	return ""
}

// at returns the schema of a field, or nil.
func (s *Schema) at(path string) *structural.Structural {
	at := s.structural
	for path != "" && at != nil {
		var next *structural.Structural
		switch {
		case path[0] == '[':
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return nil
			}
			next, path = at.Items, path[end+1:]
		default:
			name := path
			if end := strings.IndexAny(path, ".["); end >= 0 {
				name = path[:end]
			}
			path = path[len(name):]
			if p, ok := at.Properties[name]; ok {
				next = &p
			} else if at.AdditionalProperties != nil {
				next = at.AdditionalProperties.Structural
			}
		}
		at, path = next, strings.TrimPrefix(path, ".")
	}
	return at
}

// unknownFields finds the fields that the schema does not name. An API server would drop them without a message.
func unknownFields(path string, value any, s *structural.Structural) (wrong []Mistake) {
	if s == nil || s.XPreserveUnknownFields || s.XEmbeddedResource {
		return nil
	}
	switch v := value.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			at := fieldpath.Join(path, k)
			if p, ok := s.Properties[k]; ok {
				wrong = append(wrong, unknownFields(at, v[k], &p)...)
			} else if s.AdditionalProperties != nil {
				wrong = append(wrong, unknownFields(at, v[k], s.AdditionalProperties.Structural)...)
			} else if s.Type == "object" {
				wrong = append(wrong, Mistake{at, "unknown-parameter", unknownParameter(k, slices.Sorted(maps.Keys(s.Properties)))})
			}
		}
	case []any:
		for i, item := range v {
			wrong = append(wrong, unknownFields(fieldpath.Index(path, i), item, s.Items)...)
		}
	}
	return wrong
}

func unknownParameter(name string, known []string) string {
	hint := wording.Suggest(name, known)
	if hint == "" {
		hint = "; there is " + wording.List(known)
	}
	return "no such parameter" + hint
}

// normalise brings a value that a library returned to JSON's types, with int64 and float64 apart.
func normalise(v any) any {
	switch v.(type) {
	case nil, string, int64, float64, bool, map[string]any, []any:
		return v
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var out any
	if json.Unmarshal(raw, &out) != nil {
		return nil
	}
	if f, ok := out.(float64); ok && f == float64(int64(f)) {
		return int64(f)
	}
	return out
}
