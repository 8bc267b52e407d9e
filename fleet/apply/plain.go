package apply

import (
	"unicode/utf8"

	"go.yaml.in/yaml/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// plainObjectIn reads a document without the way by JSON, which takes half of the time. It returns nil for one that JSON may change, such as one
// with keys or numbers that JSON does not have, and for one that is no object.
func plainObjectIn(document []byte) *unstructured.Unstructured {
	var read any
	if yaml.Unmarshal(document, &read) != nil {
		return nil
	}
	value, ok := plainValue(read)
	content, isMap := value.(map[string]any)
	u := &unstructured.Unstructured{Object: content}
	if !ok || !isMap || u.GroupVersionKind().Kind == "" {
		return nil
	}
	return u
}

// plainValue is a value of YAML as one of JSON; false: JSON may have it otherwise.
func plainValue(value any) (any, bool) {
	switch v := value.(type) {
	case nil, bool, int64:
		return v, true
	case int:
		return int64(v), true
	case string:
		return v, utf8.ValidString(v)
	case []any:
		for i := range v {
			var ok bool
			if v[i], ok = plainValue(v[i]); !ok {
				return nil, false
			}
		}
		return v, true
	case map[any]any:
		fields := make(map[string]any, len(v))
		for key, below := range v {
			name, isText := key.(string)
			field, ok := plainValue(below)
			if !isText || !ok || !utf8.ValidString(name) {
				return nil, false
			}
			fields[name] = field
		}
		return fields, true
	}
	return nil, false
}
