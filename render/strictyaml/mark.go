package strictyaml

import (
	"reflect"

	"go.yaml.in/yaml/v3"

	"transom.dev/render/internal/fieldpath"
)

// A Mark is a boolean field that a file may write beside the fields of a type of another library. The value true marks the object
// that has the field.
type Mark struct {
	Of          reflect.Type // of the marked objects
	Name        string       // of the field
	Description string       // of the field, for editors

	// Set is called with the path of each object that is marked, and says why that object cannot be; empty: it can.
	Set func(object string) (wrong string)
}

// findMark finds the Mark that a field of a type is.
func (d *decoder) findMark(of reflect.Type, name string) (Mark, bool) {
	for _, m := range d.marks {
		if m.Of == of && m.Name == name {
			return m, true
		}
	}
	return Mark{}, false
}

// setMark decodes a Mark of an object.
func (d *decoder) setMark(m Mark, n, key *yaml.Node, object string) {
	v, _ := scalar(n)
	marked, ok := v.(bool)
	if !ok {
		d.report(key, fieldpath.Join(object, m.Name), "type", "must be true or false, not "+describe(n))
		return
	}
	if !marked {
		return
	}
	if wrong := m.Set(object); wrong != "" {
		d.report(key, fieldpath.Join(object, m.Name), "value", wrong)
	}
}
