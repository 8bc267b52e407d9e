package strictyaml

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"transom.dev/render/internal/fieldpath"
	"transom.dev/render/wording"
)

// A decoder fills Go values from nodes and reports each thing that does not fit, without coercion.
type decoder struct {
	marks    []Mark
	problems problems
}

func (d *decoder) report(at *yaml.Node, field, rule, message string) {
	d.problems.add(Problem{Line: at.Line, Column: at.Column, Field: field, Rule: rule, Message: message})
}

// decodeValue decodes n into out. Problems stand at the node at: the key of n, or n itself in a list.
func (d *decoder) decodeValue(n, at *yaml.Node, field string, out reflect.Value) {
	if d.decodeSpecial(n, at, field, out) {
		return
	}
	switch out.Kind() {
	case reflect.Pointer:
		out.Set(reflect.New(out.Type().Elem()))
		d.decodeValue(n, at, field, out.Elem())
	case reflect.Struct:
		d.decodeStruct(n, at, field, out)
	case reflect.Map:
		d.decodeMap(n, at, field, out)
	case reflect.Slice:
		d.decodeList(n, at, field, out)
	case reflect.Interface:
		if v := d.decodeGeneric(n, at, field); v != nil {
			out.Set(reflect.ValueOf(v))
		}
	default:
		d.decodeScalar(n, at, field, out)
	}
}

// decodeSpecial decodes the types of a parameter schema that stand for one of several shapes.
func (d *decoder) decodeSpecial(n, at *yaml.Node, field string, out reflect.Value) bool {
	switch v := out.Addr().Interface().(type) {
	case *time.Time:
		d.decodeTime(n, at, field, v)
	case *apiextensionsv1.JSON:
		v.Raw, _ = json.Marshal(d.decodeGeneric(n, at, field))
	case *apiextensionsv1.JSONSchemaPropsOrBool:
		if n.Kind == yaml.ScalarNode {
			d.decodeValue(n, at, field, reflect.ValueOf(&v.Allows).Elem())
			return true
		}
		v.Allows = true
		d.decodeValue(n, at, field, reflect.ValueOf(&v.Schema).Elem())
	case *apiextensionsv1.JSONSchemaPropsOrArray:
		d.decodeValue(n, at, field, reflect.ValueOf(&v.Schema).Elem())
	case *apiextensionsv1.JSONSchemaPropsOrStringArray:
		d.decodeValue(n, at, field, reflect.ValueOf(&v.Schema).Elem())
	default:
		return false
	}
	return true
}

// decodeTime decodes the RFC 3339 text that Transom writes into its records.
func (d *decoder) decodeTime(n, at *yaml.Node, field string, out *time.Time) {
	var text string
	d.decodeValue(n, at, field, reflect.ValueOf(&text).Elem())
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		d.report(at, field, "value", fmt.Sprintf("must be an RFC 3339 time, not %q", wording.Shorten(text)))
	}
	*out = t.UTC()
}

func (d *decoder) decodeStruct(n, at *yaml.Node, field string, out reflect.Value) {
	if !d.checkKind(n, at, field, yaml.MappingNode, "an object") {
		return
	}
	shape := shapeOf(out.Type())
	set := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := fieldpath.Join(field, key.Value)
		if m, marks := d.findMark(out.Type(), key.Value); marks {
			d.setMark(m, value, key, field)
			continue
		}
		index, known := shape.fields[key.Value]
		if !known {
			d.report(key, name, "unknown-field", "unknown field"+wording.Suggest(key.Value, shape.names))
			continue
		}
		set[key.Value] = true
		if f := shape.types[index]; f.isDuration && d.misstatedDuration(value, key, name) {
			continue
		}
		d.decodeValue(value, key, name, out.Field(index))
		if shape.types[index].isProse {
			out.Field(index).SetString(wording.CleanText(out.Field(index).String()))
		}
		d.checkOneOf(shape.types[index].oneOf, key, name, out.Field(index))
	}
	for _, name := range shape.required {
		if !set[name] {
			d.report(at, fieldpath.Join(field, name), "required", "is required")
		}
	}
}

// misstatedDuration reports a number where a duration is wanted: quotes alone would not make it one.
func (d *decoder) misstatedDuration(n, at *yaml.Node, field string) bool {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
		return false
	}
	d.report(at, field, "type", fmt.Sprintf("must be a duration such as 30m or 1h30m, not %s; write its unit, as in %ss or %sm", describe(n), n.Value, n.Value))
	return true
}

func (d *decoder) checkOneOf(known []string, at *yaml.Node, field string, out reflect.Value) {
	if len(known) == 0 || out.String() == "" {
		return
	}
	if !slices.Contains(known, out.String()) {
		d.report(at, field, "value", fmt.Sprintf("must be one of %s, not %q", wording.List(known), wording.Shorten(out.String()))+wording.Suggest(out.String(), known))
	}
}

func (d *decoder) decodeMap(n, at *yaml.Node, field string, out reflect.Value) {
	if !d.checkKind(n, at, field, yaml.MappingNode, "an object") {
		return
	}
	out.Set(reflect.MakeMap(out.Type()))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !d.checkKey(key, field) {
			continue
		}
		element := reflect.New(out.Type().Elem()).Elem()
		d.decodeValue(value, key, fieldpath.Join(field, key.Value), element)
		out.SetMapIndex(reflect.ValueOf(key.Value).Convert(out.Type().Key()), element)
	}
}

// checkKey checks that a key is a string, as everything that is JSON in the end needs.
func (d *decoder) checkKey(key *yaml.Node, field string) bool {
	if key.Kind != yaml.ScalarNode {
		d.report(key, field, "type", "a key must be a string, not "+describe(key))
		return false
	}
	v, wrong := scalar(key)
	if _, ok := v.(string); !ok || wrong != "" {
		d.report(key, fieldpath.Join(field, key.Value), "type", fmt.Sprintf("a key must be a string, not %s; quote it: %q", describe(key), key.Value))
		return false
	}
	if key.Value == "<<" && key.Style == 0 {
		d.report(key, field, "alias", "merge keys are not allowed here")
		return false
	}
	return true
}

func (d *decoder) decodeList(n, at *yaml.Node, field string, out reflect.Value) {
	if !d.checkKind(n, at, field, yaml.SequenceNode, "a list") {
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.decodeValue(item, item, fieldpath.Index(field, i), out.Index(i))
	}
}

func (d *decoder) checkKind(n, at *yaml.Node, field string, kind yaml.Kind, want string) bool {
	if n.Kind == kind {
		return true
	}
	remedy := ""
	if v, _ := scalar(n); n.Kind == yaml.ScalarNode && v == nil {
		remedy = "; write {}"
		if kind == yaml.SequenceNode {
			remedy = "; write []"
		}
	}
	d.report(at, field, "type", fmt.Sprintf("must be %s, not %s%s", want, describe(n), remedy))
	return false
}

// decodeGeneric returns n as JSON's types, with int64 and float64 apart.
func (d *decoder) decodeGeneric(n, at *yaml.Node, field string) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key := n.Content[i]; d.checkKey(key, field) {
				m[key.Value] = d.decodeGeneric(n.Content[i+1], key, fieldpath.Join(field, key.Value))
			}
		}
		return m
	case yaml.SequenceNode:
		l := make([]any, len(n.Content))
		for i, item := range n.Content {
			l[i] = d.decodeGeneric(item, item, fieldpath.Index(field, i))
		}
		return l
	default:
		v, wrong := scalar(n)
		if wrong != "" {
			d.report(at, field, "value", wrong)
		}
		return v
	}
}

func (d *decoder) decodeScalar(n, at *yaml.Node, field string, out reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.report(at, field, "type", fmt.Sprintf("must be %s, not %s", wanted(out.Kind()), describe(n)))
		return
	}
	v, wrong := scalar(n)
	switch v := v.(type) {
	case string:
		if out.Kind() == reflect.String {
			out.SetString(v)
			return
		}
	case bool:
		if out.Kind() == reflect.Bool {
			out.SetBool(v)
			return
		}
	case int64:
		if out.CanInt() {
			out.SetInt(v)
			return
		}
		if out.CanFloat() {
			out.SetFloat(float64(v))
			return
		}
	case float64:
		if out.CanFloat() {
			out.SetFloat(v)
			return
		}
	}
	if wrong != "" && out.Kind() != reflect.String {
		d.report(at, field, "value", wrong)
		return
	}
	d.report(at, field, "type", fmt.Sprintf("must be %s, not %s%s", wanted(out.Kind()), describe(n), remedy(n, v, out.Kind())))
}

// wanted names the values that a Go value of a kind takes.
func wanted(kind reflect.Kind) string {
	switch kind {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Float64:
		return "a number"
	default:
		return ""
	}
}

// remedy says how to write a scalar so that it has the type that is wanted.
func remedy(n *yaml.Node, v any, want reflect.Kind) string {
	switch {
	case want == reflect.String && n.Value != "" && v != nil:
		return fmt.Sprintf("; quote it: %q", n.Value)
	case want == reflect.Bool && slices.Contains([]string{"y", "yes", "on"}, strings.ToLower(n.Value)):
		return "; write true"
	case want == reflect.Bool && slices.Contains([]string{"n", "no", "off"}, strings.ToLower(n.Value)):
		return "; write false"
	}
	if _, isString := v.(string); isString && want != reflect.Bool {
		if _, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return "; write it without quotes"
		}
	}
	return ""
}
