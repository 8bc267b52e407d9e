package platform

import (
	"transom.dev/render/expression"
	"transom.dev/render/schema"
)

// Field describes the field at a path of the Inputs object.
func (v *Version) Field(path []string) schema.Field {
	root, rest := path[0], path[1:]
	switch root {
	case "parameters":
		return v.Parameters.Field(path, 1)
	case "metadata", "apiVersion", "kind":
		return schema.Field{}
	case "namespace":
		if v.Scope == ClusterScoped {
			return schema.Field{Wrong: "a cluster-scoped version has no namespace"}
		}
		return schema.Field{Type: "a string"}
	}
	f := schema.Field{}
	f.Wrong, f.Type = v.inputs().Field(path)
	if root == "bindings" && len(rest) > 0 && !v.Bindings[rest[0]].Required {
		f.Optional = append(f.Optional, 2)
	}
	return f
}

// inputs is the scope of the fields that can be read of an instance once it is evaluated.
func (v *Version) inputs() *expression.Scope {
	if v.names == nil {
		return inputsScope()
	}
	return v.names
}

// Guards reports whether the component is chosen only where a field of the inputs has a value: its condition asks for
// it, or could not be evaluated without it.
func (c Component) Guards(path []string) bool { return c.When != nil && c.When.Guards(path) }
