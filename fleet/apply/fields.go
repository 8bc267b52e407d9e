package apply

import (
	"maps"
	"slices"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// valueAt is the value that a path leads to in an object.
func valueAt(object any, at fieldpath.Path) (any, bool) {
	for _, e := range at {
		if e.FieldName != nil {
			fields, _ := object.(map[string]any)
			inner, ok := fields[*e.FieldName]
			if !ok {
				return nil, false
			}
			object = inner
			continue
		}
		list, _ := object.([]any)
		i := itemAt(list, e)
		if i < 0 {
			return nil, false
		}
		object = list[i]
	}
	return object, true
}

// cut returns an object without the field that a path leads to. The parts that it shares with the given one are not changed.
func cut(object any, at fieldpath.Path) any {
	switch object := object.(type) {
	case map[string]any:
		if at[0].FieldName == nil {
			return object
		}
		name := *at[0].FieldName
		inner, ok := object[name]
		if !ok {
			return object
		}
		rest := maps.Clone(object)
		if len(at) == 1 {
			delete(rest, name)
		} else {
			rest[name] = cut(inner, at[1:])
		}
		return rest
	case []any:
		i := itemAt(object, at[0])
		if i < 0 {
			return object
		}
		rest := slices.Clone(object)
		if len(at) == 1 {
			return slices.Delete(rest, i, i+1)
		}
		rest[i] = cut(rest[i], at[1:])
		return rest
	}
	return object
}

// itemAt finds the item of a list that an element of a path names by its keys or its value; -1: there is none.
// A key that the item leaves out has its default.
func itemAt(list []any, e fieldpath.PathElement) int {
	return slices.IndexFunc(list, func(item any) bool {
		switch {
		case e.Value != nil:
			return value.Equals(value.NewValueInterface(item), *e.Value)
		case e.Key != nil:
			fields, ok := item.(map[string]any)
			return ok && !slices.ContainsFunc(*e.Key, func(k value.Field) bool {
				have, there := fields[k.Name]
				return there && !value.Equals(value.NewValueInterface(have), k.Value)
			})
		}
		return false
	})
}
