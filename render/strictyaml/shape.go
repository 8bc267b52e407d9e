package strictyaml

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// A shape is all that decoding has to know of a Go struct. Shapes are made once for each type: a merge may bring very many files of
// one kind, and each of them is decoded into the same few types.
type shape struct {
	fields   map[string]int // index in the struct, by name
	names    []string       // sorted
	required []string       // sorted
	types    []fieldTags    // by index
}

// fieldTags are the tags of a field that decoding obeys.
type fieldTags struct {
	oneOf      []string // the values that the field may have; empty: any
	isDuration bool
	isProse    bool // text that only people read
}

// proseOfSchemas are the fields of parameter schemas that only people read: their types have no tags of ours.
var proseOfSchemas = map[reflect.Type][]string{
	reflect.TypeFor[apiextensionsv1.JSONSchemaProps](): {"Title", "Description"},
	reflect.TypeFor[apiextensionsv1.ValidationRule]():  {"Message"},
}

var shapes sync.Map // of *shape, by type

// shapeOf returns the shape of a struct.
func shapeOf(t reflect.Type) *shape {
	if known, ok := shapes.Load(t); ok {
		return known.(*shape)
	}
	made := &shape{fields: make(map[string]int, t.NumField()), types: make([]fieldTags, t.NumField())}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name[:1]) + f.Name[1:]
		}
		made.fields[name] = i
		made.types[i].isDuration = f.Tag.Get("is") == "duration"
		made.types[i].isProse = f.Tag.Get("is") == "prose" || slices.Contains(proseOfSchemas[t], f.Name)
		if values := f.Tag.Get("oneof"); values != "" {
			made.types[i].oneOf = strings.Split(values, "|")
		}
	}
	made.names = slices.Sorted(maps.Keys(made.fields))
	for _, name := range made.names {
		if t.Field(made.fields[name]).Tag.Get("decode") == "required" {
			made.required = append(made.required, name)
		}
	}
	shapes.Store(t, made)
	return made
}
