// Package fieldpath writes and follows the paths by which messages name fields, such as spec.components[0].path. In come a
// path and a generic value of JSON's types, out comes the value at the path. A key may have dots: the longest one wins.
package fieldpath

import (
	"fmt"
	"strconv"
	"strings"
)

// Join returns the path of a field below another, or of one of the root.
func Join(field, name string) string {
	if field == "" {
		return name
	}
	return field + "." + name
}

// Index returns the path of an item of a list.
func Index(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

// Lookup returns the value at a path, and whether there is one.
func Lookup(value any, path string) (any, bool) {
	for path != "" {
		switch v := value.(type) {
		case map[string]any:
			key := FirstKey(v, path)
			if key == "" {
				return nil, false
			}
			value, path = v[key], path[len(key):]
		case []any:
			end := strings.IndexByte(path, ']')
			if path[0] != '[' || end < 0 {
				return nil, false
			}
			i, err := strconv.Atoi(path[1:end])
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			value, path = v[i], path[end+1:]
		default:
			return nil, false
		}
		path = strings.TrimPrefix(path, ".")
	}
	return value, true
}

// FirstKey returns the longest key of a map that a path begins with; empty: there is none.
func FirstKey[V any](m map[string]V, path string) (first string) {
	for key := range m {
		if _, ok := CutKey(path, key); ok && len(key) > len(first) {
			first = key
		}
	}
	return first
}

// CutKey returns the rest of a path after its first key, and whether the path begins with that key.
func CutKey(path, key string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, key)
	if !ok {
		return path, false
	}
	ends := rest == "" || rest[0] == '.' || rest[0] == '['
	return rest, ends
}
