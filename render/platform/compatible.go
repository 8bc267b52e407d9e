package platform

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/utils/ptr"

	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

// A narrowing lists the places where the schema of a version allows fewer values than that of one before it. Within one
// major version whoever follows the constraint "1" moves from the one to the other by a merge of somebody else.
type narrowing struct {
	version *Version
	found   []fieldError // with fields of version.yaml
}

// narrowings compares each of an offering's versions with those before it that promise the same, from any of which a
// range may jump to it. Allowing at least as much is transitive, so a version stands for all before it that it keeps to,
// and mostly only the last one is left to compare with. One that narrows stands for itself, beside those whose promise it
// breaks: requests may have come to rely on what it brought.
func narrowings(versions []*Version) (out []narrowing) {
	var promised []narrowing // the newest first
	for _, v := range versions {
		if v.Broken || !v.taken() {
			continue
		}
		n := narrowing{version: v}
		promised = slices.DeleteFunc(promised, func(before narrowing) bool {
			return !samePromise(before.version, v) || n.keeps(before)
		})
		promised = slices.Insert(promised, 0, n)
		if len(n.found) > 0 {
			out = append(out, n)
		}
	}
	return out
}

// keeps reports whether the version takes all that one before it took, and records the values that it does not take. To undo
// a narrowing of that version itself is no narrowing.
func (n *narrowing) keeps(before narrowing) bool {
	c := &comparison{}
	c.compare(place{"spec.parameters", "parameters"}, before.version.Parameters.structural, n.version.Parameters.structural)
	c.found = slices.DeleteFunc(c.found, func(wrong fieldError) bool { return has(before.found, wrong.field) })
	known := n.found
	for _, wrong := range c.found {
		if !has(known, wrong.field) {
			wrong.message += ", unlike in " + before.version.Number.String()
			n.found = append(n.found, wrong)
		}
	}
	return len(c.found) == 0
}

func has(found []fieldError, field string) bool {
	return slices.ContainsFunc(found, func(e fieldError) bool { return e.field == field })
}

// taken says whether a range of versions may come to this one, or a request that follows a range be at it.
func (v *Version) taken() bool {
	return v.Number.Prerelease() == "" && v.Lifecycle != Withdrawn && v.Lifecycle != Experimental
}

// samePromise says whether semver promises that parameters which are valid for one version are valid for the other. Before
// 1.0.0 a minor version may break.
func samePromise(a, b *Version) bool {
	return a.Number.Major() == b.Number.Major() && (a.Number.Major() > 0 || a.Number.Minor() == b.Number.Minor())
}

// A comparison finds the values that one schema allows and another does not, as far as their fields say it. Rules in CEL are
// not compared: which values they refuse cannot be told.
type comparison struct{ found []fieldError }

// A place is a part of a schema: as a field of version.yaml, and as the parameter that requests write there.
type place struct{ field, parameter string }

func (p place) property(name string) place {
	return place{p.field + ".properties." + name, p.parameter + "." + name}
}

func (c *comparison) report(p place, keyword, format string, args ...any) {
	field := p.field
	if keyword != "" {
		field = fieldpath.Join(field, keyword)
	}
	c.found = append(c.found, fieldError{field: field, message: p.parameter + " " + fmt.Sprintf(format, args...)})
}

func (c *comparison) compare(p place, old, new *schema.Structural) {
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

func limits(s *schema.Structural) *schema.ValueValidation {
	if s.ValueValidation == nil {
		return &schema.ValueValidation{}
	}
	return s.ValueValidation
}

func (c *comparison) types(p place, old, new *schema.Structural) bool {
	wider := old.Type == "integer" && new.Type == "number" || new.XIntOrString && (old.Type == "integer" || old.Type == "string")
	if old.Type == new.Type && old.XIntOrString == new.XIntOrString || wider || new.Type == "" && new.XPreserveUnknownFields {
		return true
	}
	c.report(p, "type", "is %s and was %s", schemaType(new), schemaType(old))
	return false
}

func schemaType(s *schema.Structural) string {
	if s.XIntOrString {
		return "an integer or a string"
	}
	return cmp.Or(schemaTypes[s.Type], "anything")
}

// anything is the schema of a field about which nothing is said.
var anything = &schema.Structural{Extensions: schema.Extensions{XPreserveUnknownFields: true}}

// rest is the schema of the fields that an object may have beside those that are named; nil: it may have no others.
func rest(s *schema.Structural) *schema.Structural {
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
func (c *comparison) properties(p place, old, new *schema.Structural) {
	oldRest, newRest := rest(old), rest(new)
	for _, name := range sortedKeys(old.Properties) {
		was := old.Properties[name]
		if is, ok := new.Properties[name]; ok {
			c.compare(p.property(name), &was, &is)
		} else if newRest == nil {
			c.report(p.property(name), "", "is gone")
		} else {
			c.compare(place{p.field + ".additionalProperties", p.parameter + "." + name}, &was, newRest)
		}
	}
	if oldRest == nil {
		return
	}
	if newRest == nil {
		c.report(p, "", "takes no other fields than those that it names")
		return
	}
	for _, name := range sortedKeys(new.Properties) {
		if _, ok := old.Properties[name]; !ok {
			is := new.Properties[name]
			c.compare(p.property(name), oldRest, &is)
		}
	}
	c.compare(place{p.field + ".additionalProperties", p.parameter + ".*"}, oldRest, newRest)
}

// required compares which fields must be written: a field with a default need not be.
func (c *comparison) required(p place, old, new *schema.Structural) {
	for _, name := range slices.Sorted(slices.Values(limits(new).Required)) {
		was, is := old.Properties[name], new.Properties[name]
		if is.Default.Object == nil && (!required(old, name) || was.Default.Object != nil) {
			c.report(p.property(name), "", "is required and has no default")
		}
	}
}

// items compares lists.
func (c *comparison) items(p place, old, new *schema.Structural) {
	c.compare(place{p.field + ".items", p.parameter + "[]"}, old.Items, new.Items)
	kind := func(s *schema.Structural) string { return *cmp.Or(s.XListType, ptr.To("atomic")) }
	switch {
	case kind(new) == "atomic":
	case kind(old) != kind(new):
		c.report(p, "x-kubernetes-list-type", "is a %s and was not", kind(new))
	case !slices.Equal(old.XListMapKeys, new.XListMapKeys):
		c.report(p, "x-kubernetes-list-map-keys", "has other keys")
	}
}

// conditions compares the schemas that are combined of others. Whether two of them allow the same values is not examined.
func (c *comparison) conditions(p place, old, new *schema.Structural) {
	was, is := limits(old), limits(new)
	if !among(was.AllOf, is.AllOf) {
		c.report(p, "allOf", "must meet a further condition")
	}
	if len(is.AnyOf) > 0 && !new.XIntOrString && (len(was.AnyOf) == 0 || !among(is.AnyOf, was.AnyOf)) {
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
func among(all, some []schema.NestedValueValidation) bool {
	for _, condition := range some {
		if !slices.ContainsFunc(all, func(other schema.NestedValueValidation) bool { return reflect.DeepEqual(condition, other) }) {
			return false
		}
	}
	return true
}

// values compares the constraints that the two put on single values.
func (c *comparison) values(p place, old, new *schema.ValueValidation) {
	if new.Pattern != "" && new.Pattern != old.Pattern {
		c.report(p, "pattern", "has another pattern, %s", new.Pattern)
	}
	if new.Format != "" && new.Format != old.Format {
		c.report(p, "format", "has the format %s", new.Format)
	}
	if new.MultipleOf != nil && (old.MultipleOf == nil || math.Mod(*old.MultipleOf, *new.MultipleOf) != 0) {
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
func bound[N int64 | float64](c *comparison, p place, name string, old, new *N, sign N, exclusive bool) {
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

func (c *comparison) enum(p place, old, new []schema.JSON) {
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

// loadNarrowings reports the versions that break a promise to earlier ones, and names the requests concerned. It costs no
// more than those: they are broken themselves, and the version is there for the others.
func (l *Loader) loadNarrowings(p *Platform) {
	for _, name := range sortedKeys(l.offerings) {
		for _, n := range l.offerings[name].narrowed {
			d := reopen(l.versions[n.version.Dir].contract)
			next := n.version.Number.IncMajor()
			if n.version.Number.Major() == 0 {
				next = n.version.Number.IncMinor()
			}
			for _, wrong := range n.found {
				d.problem(wrong.field, "narrowed", "%s, and may not change so before %s", wrong.message, &next)
			}
			slices.SortFunc(d.problems, Problem.Compare)
			d.problems[0].Message += breaks(p, n.version)
			p.Problems = append(p.Problems, d.problems...)
		}
	}
}

// breaks ends a message with the requests that a version would break.
func breaks(p *Platform, v *Version) string {
	names := breaking(p, v)
	switch n := len(names); {
	case n == 0:
		return ""
	case n > 5:
		names = append(names[:5], fmt.Sprintf("%d more", n-5))
	}
	return "; it would break " + wording.List(names)
}

// breaking names the requests that would move to the version and are not valid there.
func breaking(p *Platform, v *Version) (names []string) {
	o := p.Offerings[v.Offering]
	for _, r := range p.Requests {
		f := p.teams[r.Key.Team].resolved[r.Key].file
		if f.request.Broken || f.request.Spec.Offering != v.Offering {
			continue
		}
		for env, in := range f.request.Spec.Environments {
			moves := o.Match(cmp.Or(in.Version, f.request.Spec.Version)) == v
			if moves && broken(mergeParameters(f, env, v).problems) {
				names = append(names, r.Key.String())
				break
			}
		}
	}
	return names
}
