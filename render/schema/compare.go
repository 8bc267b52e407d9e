package schema

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/utils/ptr"

	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

// Narrowed finds the values that one schema allows and a later one does not, as far as their fields say it. The fields of the
// Mistakes are those of the later schema; their texts call its values by a name. Rules in CEL are not compared: which values they
// refuse cannot be told.
func Narrowed(name string, before, after *Schema) []Mistake {
	c := &comparison{}
	c.compare(part{parameter: name}, before.structural, after.structural)
	return c.found
}

// A comparison is the walk over two schemas.
type comparison struct{ found []Mistake }

// A part is one of a schema: as a field of it, and as the parameter that people write there.
type part struct{ field, parameter string }

func (p part) property(name string) part {
	return part{fieldpath.Join(p.field, "properties."+name), p.parameter + "." + name}
}

// others is the part of the properties that a schema does not name.
func (p part) others(name string) part {
	return part{fieldpath.Join(p.field, "additionalProperties"), p.parameter + "." + name}
}

func (c *comparison) report(p part, keyword, format string, args ...any) {
	field := p.field
	if keyword != "" {
		field = fieldpath.Join(field, keyword)
	}
	c.found = append(c.found, Mistake{Field: field, Message: p.parameter + " " + fmt.Sprintf(format, args...)})
}

func (c *comparison) compare(p part, old, new *structural.Structural) {
	if old == nil || new == nil || old == new || !c.types(p, old, new) {
		return
	}
	if old.Nullable && !new.Nullable {
		c.report(p, "", "may not be null any more")
	}
	c.values(p, limits(old), limits(new))
	c.conditions(p, old, new)
	c.items(p, old, new)
	c.properties(p, old, new)
	c.required(p, old, new)
}

func limits(s *structural.Structural) *structural.ValueValidation {
	if s.ValueValidation == nil {
		return &structural.ValueValidation{}
	}
	return s.ValueValidation
}

func (c *comparison) types(p part, old, new *structural.Structural) bool {
	same := old.Type == new.Type && old.XIntOrString == new.XIntOrString
	if same || takesType(new, old.Type) {
		return true
	}
	c.report(p, "type", "is %s and was %s", schemaType(new), schemaType(old))
	return false
}

// takesType says whether a schema of another type takes all values of a type.
func takesType(s *structural.Structural, of string) bool {
	takesAny := s.Type == "" && s.XPreserveUnknownFields
	switch of {
	case "integer":
		return takesAny || s.XIntOrString || s.Type == "number"
	case "string":
		return takesAny || s.XIntOrString
	}
	return takesAny
}

func schemaType(s *structural.Structural) string {
	if s.XIntOrString {
		return "an integer or a string"
	}
	return cmp.Or(typeNames[s.Type], "anything")
}

// anything is the schema of a field about which nothing is said.
var anything = &structural.Structural{Extensions: structural.Extensions{XPreserveUnknownFields: true}}

// rest is the schema of the fields that an object may have beside those that are named; nil: it may have no others.
func rest(s *structural.Structural) *structural.Structural {
	switch {
	case s.XPreserveUnknownFields, s.AdditionalProperties != nil && s.AdditionalProperties.Structural == nil:
		return anything
	case s.AdditionalProperties != nil:
		return s.AdditionalProperties.Structural
	}
	return nil
}

// properties compares the fields of objects. A field that the one names may be among the additional properties that the
// other allows.
func (c *comparison) properties(p part, old, new *structural.Structural) {
	oldRest, newRest := rest(old), rest(new)
	for _, name := range slices.Sorted(maps.Keys(old.Properties)) {
		was := old.Properties[name]
		if is, ok := new.Properties[name]; ok {
			c.compare(p.property(name), &was, &is)
		} else if newRest == nil {
			c.report(p.property(name), "", "is gone")
		} else {
			c.compare(p.others(name), &was, newRest)
		}
	}
	if oldRest == nil {
		return
	}
	if newRest == nil {
		c.report(p, "", "takes no other fields than those that it names")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(new.Properties)) {
		if _, ok := old.Properties[name]; !ok {
			is := new.Properties[name]
			c.compare(p.property(name), oldRest, &is)
		}
	}
	c.compare(p.others("*"), oldRest, newRest)
}

// required compares which fields must be written: a field with a default need not be.
func (c *comparison) required(p part, old, new *structural.Structural) {
	for _, name := range slices.Sorted(slices.Values(limits(new).Required)) {
		was, is := old.Properties[name], new.Properties[name]
		couldBeAbsent := !required(old, name) || was.Default.Object != nil
		if is.Default.Object == nil && couldBeAbsent {
			c.report(p.property(name), "", "is required and has no default")
		}
	}
}

// items compares lists.
func (c *comparison) items(p part, old, new *structural.Structural) {
	c.compare(part{fieldpath.Join(p.field, "items"), p.parameter + "[]"}, old.Items, new.Items)
	kind := func(s *structural.Structural) string { return *cmp.Or(s.XListType, ptr.To("atomic")) }
	switch {
	case kind(new) == "atomic":
	case kind(old) != kind(new):
		c.report(p, "x-kubernetes-list-type", "is a %s and was not", kind(new))
	case !slices.Equal(old.XListMapKeys, new.XListMapKeys):
		c.report(p, "x-kubernetes-list-map-keys", "has other keys")
	}
}

// conditions compares the schemas that are combined of others. Whether two of them allow the same values is not examined.
func (c *comparison) conditions(p part, old, new *structural.Structural) {
	was, is := limits(old), limits(new)
	if !among(was.AllOf, is.AllOf) {
		c.report(p, "allOf", "must meet a further condition")
	}
	metOne := len(was.AnyOf) > 0 && among(is.AnyOf, was.AnyOf)
	if len(is.AnyOf) > 0 && !new.XIntOrString && !metOne {
		c.report(p, "anyOf", "must meet one of these conditions")
	}
	if len(is.OneOf) > 0 && !reflect.DeepEqual(was.OneOf, is.OneOf) {
		c.report(p, "oneOf", "must meet one of these conditions")
	}
	if is.Not != nil && !reflect.DeepEqual(was.Not, is.Not) {
		c.report(p, "not", "may not meet this condition")
	}
}

// among says whether each of some conditions is one of all.
func among(all, some []structural.NestedValueValidation) bool {
	for _, condition := range some {
		if !slices.ContainsFunc(all, func(other structural.NestedValueValidation) bool { return reflect.DeepEqual(condition, other) }) {
			return false
		}
	}
	return true
}

// values compares the constraints that the two put on single values.
func (c *comparison) values(p part, old, new *structural.ValueValidation) {
	if new.Pattern != "" && new.Pattern != old.Pattern {
		c.report(p, "pattern", "has another pattern, %s", new.Pattern)
	}
	if new.Format != "" && new.Format != old.Format {
		c.report(p, "format", "has the format %s", new.Format)
	}
	wereMultiples := new.MultipleOf != nil && old.MultipleOf != nil && math.Mod(*old.MultipleOf, *new.MultipleOf) == 0
	if new.MultipleOf != nil && !wereMultiples {
		c.report(p, "multipleOf", "must be a multiple of %v", *new.MultipleOf)
	}
	if new.UniqueItems && !old.UniqueItems {
		c.report(p, "uniqueItems", "may not have an item twice")
	}
	c.enum(p, old.Enum, new.Enum)
	bound(c, p, "minimum", old.Minimum, new.Minimum, 1, new.ExclusiveMinimum && !old.ExclusiveMinimum)
	bound(c, p, "maximum", old.Maximum, new.Maximum, -1, new.ExclusiveMaximum && !old.ExclusiveMaximum)
	bound(c, p, "minLength", old.MinLength, new.MinLength, 1, false)
	bound(c, p, "maxLength", old.MaxLength, new.MaxLength, -1, false)
	bound(c, p, "minItems", old.MinItems, new.MinItems, 1, false)
	bound(c, p, "maxItems", old.MaxItems, new.MaxItems, -1, false)
	bound(c, p, "minProperties", old.MinProperties, new.MinProperties, 1, false)
	bound(c, p, "maxProperties", old.MaxProperties, new.MaxProperties, -1, false)
}

// bound reports a limit that allows less: a lower one (sign 1) that rose, or an upper one (sign -1) that fell.
func bound[N int64 | float64](c *comparison, p part, name string, old, new *N, sign N, exclusive bool) {
	switch {
	case new == nil:
	case old == nil:
		c.report(p, name, "has the %s %v", name, *new)
	case sign**new > sign**old:
		c.report(p, name, "has the %s %v and had %v", name, *new, *old)
	case exclusive && *new == *old:
		c.report(p, name, "may not be %v itself", *new)
	}
}

func (c *comparison) enum(p part, old, new []structural.JSON) {
	if len(new) == 0 {
		return
	}
	allowed := map[string]bool{}
	for _, value := range new {
		allowed[fmt.Sprint(value.Object)] = true
	}
	var gone []string
	for _, value := range old {
		if text := fmt.Sprint(value.Object); !allowed[text] {
			gone = append(gone, text)
		}
	}
	if len(old) == 0 {
		c.report(p, "enum", "takes some values only")
	} else if len(gone) > 0 {
		c.report(p, "enum", "does not take %s", wording.List(gone))
	}
}
