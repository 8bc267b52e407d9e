package platform

import (
	"encoding/json"
	"strconv"
	"strings"
)

// mergePatch applies a JSON merge patch (RFC 7386): objects merge, null removes, everything else replaces. Neither
// argument is changed.
func mergePatch(base, patch map[string]any) map[string]any {
	out := make(map[string]any, len(base)+len(patch))
	for k, v := range base {
		out[k] = v
	}
	for k, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(out, k)
		case map[string]any:
			inner, _ := out[k].(map[string]any)
			out[k] = mergePatch(inner, v)
		default:
			out[k] = v
		}
	}
	return out
}

// lookup follows a field's path through a generic value.
func lookup(value any, path string) (any, bool) {
	for path != "" {
		switch v := value.(type) {
		case map[string]any:
			key := longestKey(v, path)
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

// longestKey finds the key that a path begins with; keys may contain dots.
func longestKey(m map[string]any, path string) (key string) {
	for k := range m {
		after, ok := strings.CutPrefix(path, k)
		if ok && len(k) > len(key) && (after == "" || after[0] == '.' || after[0] == '[') {
			key = k
		}
	}
	return key
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
